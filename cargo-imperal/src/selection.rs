//! Which binary of a crate or workspace is the extension.
//!
//! Owns the rule that every command follows. A workspace root stands for the packages in it that depend on
//! imperal. In the package, the binary is the `default-run`, the only one, or the one with the package's name.
//! Where several remain, the error lists what to type.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{self, Metadata, Package};
use crate::error::{CommandError, suggestion};

/// `-p` and `--bin`, as they were typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Selection {
    /// Package of the workspace
    #[arg(long, short, value_name = "NAME")]
    package: Option<String>,
    /// Binary of the package, where it has several
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
}

/// One binary of one package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SelectedBinary {
    manifest: PathBuf,
    name: String,
}

impl SelectedBinary {
    fn new(package: &Package, name: &str) -> Self {
        Self { manifest: package.manifest_path.clone(), name: name.to_owned() }
    }

    /// Names it to `cargo build` or `cargo run`.
    pub(crate) fn add_to(&self, cargo: &mut Command) {
        cargo.arg("--manifest-path").arg(&self.manifest).args(["--bin", &self.name]);
    }

    /// The package's folder.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.manifest.parent()
    }
}

impl Selection {
    /// Prefers these options to earlier ones of the command line.
    pub(crate) fn or(self, earlier: Self) -> Self {
        Self { package: self.package.or(earlier.package), bin: self.bin.or(earlier.bin) }
    }

    /// The selected binary, seen from the nearest Cargo.toml.
    pub(crate) fn find_here(&self) -> Result<SelectedBinary, CommandError> {
        let here = cargo::nearest_crate()?;
        self.find_in(&Metadata::read()?, &here)
    }

    /// The selected binary, seen from the folder `here` of a Cargo.toml.
    pub(crate) fn find_in(&self, metadata: &Metadata, here: &Path) -> Result<SelectedBinary, CommandError> {
        let packages = self.candidates(metadata, here)?;
        if let Some(name) = &self.bin {
            return named_binary(&packages, name);
        }
        match packages.as_slice() {
            [] => Err(CommandError::new(
                "no package of this workspace is an extension: it depends on imperal and has a `fn main` that calls \
                 `imperal::run()`",
            )),
            [package] => default_binary(package),
            several => Err(ambiguous(several.iter().map(|package| format!("-p {}", package.name)))),
        }
    }

    /// The packages that the binary may be in.
    fn candidates<'a>(&self, metadata: &'a Metadata, here: &Path) -> Result<Vec<&'a Package>, CommandError> {
        let all = &metadata.packages;
        if let Some(name) = &self.package {
            let found: Vec<_> = all.iter().filter(|package| package.name == *name).collect();
            if found.is_empty() {
                let known: Vec<_> = all.iter().map(|package| package.name.as_str()).collect();
                return Err(CommandError::usage(format!(
                    "there is no package `{name}`; there is {}",
                    known.join(", ")
                ))
                .hint(suggestion(name, known)));
            }
            return Ok(found);
        }
        let extensions = || all.iter().filter(|package| package.is_extension()).collect::<Vec<_>>();
        // The package of this folder, unless it is a workspace root whose extensions are its members.
        match all.iter().find(|package| package.folder().is_some_and(|folder| is_same_folder(folder, here))) {
            Some(package) if package.is_extension() || extensions().is_empty() => Ok(vec![package]),
            Some(package) if !is_same_folder(&metadata.workspace_root, here) => Ok(vec![package]),
            _ => Ok(extensions()),
        }
    }
}

fn named_binary(packages: &[&Package], name: &str) -> Result<SelectedBinary, CommandError> {
    let having: Vec<_> = packages.iter().filter(|package| package.binaries().contains(&name)).collect();
    match having.as_slice() {
        [package] => Ok(SelectedBinary::new(package, name)),
        [] => {
            let known: Vec<_> = packages.iter().flat_map(|package| package.binaries()).collect();
            Err(CommandError::usage(format!("there is no binary `{name}`; there is {}", known.join(", ")))
                .hint(suggestion(name, known)))
        }
        several => Err(ambiguous(several.iter().map(|package| format!("-p {} --bin {name}", package.name)))),
    }
}

fn default_binary(package: &Package) -> Result<SelectedBinary, CommandError> {
    if let Some(name) = package.default_binary() {
        return Ok(SelectedBinary::new(package, name));
    }
    let binaries = package.binaries();
    let Some(first) = binaries.first() else {
        return Err(CommandError::new(format!(
            "the package {} has no binary: an extension needs a `fn main` that calls `imperal::run()`",
            package.name
        )));
    };
    Err(ambiguous(binaries.iter().map(|name| format!("--bin {name}")))
        .hint(format!("`default-run = \"{first}\"` in Cargo.toml chooses for every command")))
}

/// Whether two paths lead to one folder. One of them may pass a symbolic link.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn ambiguous(options: impl Iterator<Item = String>) -> CommandError {
    let lines: Vec<_> = options.map(|option| format!("  cargo imperal {option} COMMAND")).collect();
    CommandError::usage(format!("there are several binaries here: choose one of them\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn package(name: &str, folder: &str, bins: &[&str], dependency: &str) -> Value {
        let targets: Vec<_> = bins.iter().map(|bin| json!({"name": bin, "kind": ["bin"]})).collect();
        json!({
            "name": name, "manifest_path": format!("{folder}/Cargo.toml"), "default_run": null,
            "dependencies": [{"name": dependency}], "targets": targets,
        })
    }

    fn selected(packages: &[Value], here: &str, package: Option<&str>, bin: Option<&str>) -> Result<String, String> {
        let metadata = json!({"packages": packages, "target_directory": "/w/target", "workspace_root": "/w"});
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let selection = Selection { package: package.map(str::to_owned), bin: bin.map(str::to_owned) };
        selection
            .find_in(&metadata, Path::new(here))
            .map(|binary| format!("{} {}", binary.manifest.display(), binary.name))
            .map_err(|error| error.text)
    }

    #[test]
    fn selects_the_default_run_or_the_binary_with_the_package_name() {
        let two = package("hello", "/w", &["hello", "tool"], "imperal");
        assert_eq!(selected(std::slice::from_ref(&two), "/w", None, None).unwrap(), "/w/Cargo.toml hello");
        assert_eq!(selected(std::slice::from_ref(&two), "/w", None, Some("tool")).unwrap(), "/w/Cargo.toml tool");
        let mut by_default = two;
        by_default["default_run"] = json!("tool");
        assert_eq!(selected(&[by_default], "/w", None, None).unwrap(), "/w/Cargo.toml tool");
        let unlike = package("hello", "/w", &["one", "two"], "imperal");
        let error = selected(std::slice::from_ref(&unlike), "/w", None, None).unwrap_err();
        assert!(error.contains("cargo imperal --bin one COMMAND\n  cargo imperal --bin two COMMAND"), "{error}");
        let error = selected(&[unlike], "/w", None, Some("three")).unwrap_err();
        assert_eq!(error, "there is no binary `three`; there is one, two");
    }

    #[test]
    fn selects_the_package_that_depends_on_imperal_in_a_workspace_root() {
        let library = package("helper", "/w/helper", &["helper"], "serde");
        let one = package("one", "/w/one", &["one"], "imperal");
        let two = package("two", "/w/two", &["two"], "imperal");
        let all = [library.clone(), one.clone(), two];
        assert_eq!(selected(&all[..2], "/w", None, None).unwrap(), "/w/one/Cargo.toml one");
        let error = selected(&all, "/w", None, None).unwrap_err();
        assert!(error.contains("cargo imperal -p one COMMAND\n  cargo imperal -p two COMMAND"), "{error}");
        assert_eq!(selected(&all, "/w/two", None, None).unwrap(), "/w/two/Cargo.toml two");
        assert_eq!(selected(&all, "/w", Some("one"), None).unwrap(), "/w/one/Cargo.toml one");
        assert_eq!(selected(&all, "/w", None, Some("two")).unwrap(), "/w/two/Cargo.toml two");
        assert!(selected(&all, "/w", Some("three"), None).unwrap_err().contains("there is helper, one, two"));
        let root = package("root", "/w", &[], "serde");
        assert_eq!(selected(&[root, one], "/w", None, None).unwrap(), "/w/one/Cargo.toml one");
        assert_eq!(selected(&[library], "/w/helper", None, None).unwrap(), "/w/helper/Cargo.toml helper");
        assert!(selected(&[], "/w", None, None).unwrap_err().contains("no package of this workspace is an extension"));
    }
}
