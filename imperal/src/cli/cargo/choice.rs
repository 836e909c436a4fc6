//! Which binary of a crate or workspace is the extension.
//!
//! Owns the rule that every command follows: of the package here, or in a workspace's root of the packages
//! that depend on imperal, the binary that cargo runs by default, the only one, or the one named like its
//! package. Where that leaves several, the error lists what to type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::super::exit::{CliError, guess};
use super::compile;

/// What the command line says about it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Wanted {
    /// Package of the workspace
    #[arg(long, short, value_name = "NAME")]
    pub(super) package: Option<String>,
    /// Binary of the package, where it has several
    #[arg(long, value_name = "NAME")]
    pub(super) bin: Option<String>,
}

impl Wanted {
    /// What is said later on the command line wins.
    pub(super) fn or(self, before: Self) -> Self {
        Self { package: self.package.or(before.package), bin: self.bin.or(before.bin) }
    }
}

/// One binary of one package.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    manifest: PathBuf,
    bin: String,
}

impl Choice {
    /// Names it to cargo, as options of `build` or `run`.
    pub(super) fn tell(&self, cargo: &mut Command) {
        cargo.arg("--manifest-path").arg(&self.manifest).args(["--bin", &self.bin]);
    }

    /// The package's folder.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.manifest.parent()
    }
}

/// What cargo says of a workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    pub(super) target_directory: PathBuf,
    pub(super) workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    name: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Package {
    pub(super) fn folder(&self) -> Option<&Path> {
        self.manifest_path.parent()
    }

    fn bins(&self) -> Vec<&str> {
        let is_bin = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_bin).map(|target| target.name.as_str()).collect()
    }

    fn is_extension(&self) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == "imperal") && !self.bins().is_empty()
    }

    fn choose(&self, bin: &str) -> Choice {
        Choice { manifest: self.manifest_path.clone(), bin: bin.to_owned() }
    }

    /// The one that needs no name.
    fn usual_bin(&self) -> Option<&str> {
        let bins = self.bins();
        let has = |name: &str| bins.iter().copied().find(|bin| *bin == name);
        self.default_run.as_deref().and_then(has).or(match bins.as_slice() {
            [one] => Some(*one),
            _ => has(&self.name),
        })
    }
}

impl Metadata {
    /// The binary that is wanted, seen from a folder, as cargo knows it now.
    pub(super) fn read_from(here: &Path, wanted: &Wanted) -> Result<Choice, CliError> {
        Self::read()?.choose(here, wanted)
    }

    /// Asks cargo.
    pub(super) fn read() -> Result<Self, CliError> {
        let output = Command::new(compile::cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(CliError::new("cargo cannot read Cargo.toml; its error is above"));
        }
        Ok(crate::json::read(&output.stdout)?)
    }

    /// The binary that is wanted, seen from the folder of the nearest Cargo.toml.
    pub(super) fn choose(&self, here: &Path, wanted: &Wanted) -> Result<Choice, CliError> {
        let packages = self.candidates(here, wanted)?;
        if let Some(bin) = &wanted.bin {
            let having: Vec<_> = packages.iter().filter(|package| package.bins().contains(&&**bin)).collect();
            return match having.as_slice() {
                [one] => Ok(one.choose(bin)),
                [] => {
                    let known: Vec<_> = packages.iter().flat_map(|package| package.bins()).collect();
                    Err(CliError::usage(format!("there is no binary `{bin}`; there is {}", known.join(", ")))
                        .hint(guess(bin, known)))
                }
                several => Err(among(several.iter().map(|package| format!("-p {} --bin {bin}", package.name)))),
            };
        }
        match packages.as_slice() {
            [] => Err(CliError::new(
                "no package of this workspace is an extension: one depends on imperal and has a `fn main` that calls \
                 `imperal::run()`",
            )),
            [package] => match (package.usual_bin(), package.bins()) {
                (Some(bin), _) => Ok(package.choose(bin)),
                (None, bins) if bins.is_empty() => Err(CliError::new(format!(
                    "the package {} has no binary: an extension needs a `fn main` that calls `imperal::run()`",
                    package.name
                ))),
                (None, bins) => Err(among(bins.iter().map(|bin| format!("--bin {bin}")))
                    .hint(format!("`default-run = \"{}\"` in Cargo.toml chooses for every command", bins[0]))),
            },
            several => Err(among(several.iter().map(|package| format!("-p {}", package.name)))),
        }
    }

    /// The packages that it may be in.
    fn candidates(&self, here: &Path, wanted: &Wanted) -> Result<Vec<&Package>, CliError> {
        if let Some(name) = &wanted.package {
            let found: Vec<_> = self.packages.iter().filter(|package| package.name == *name).collect();
            if found.is_empty() {
                let known: Vec<_> = self.packages.iter().map(|package| package.name.as_str()).collect();
                return Err(CliError::usage(format!("there is no package `{name}`; there is {}", known.join(", ")))
                    .hint(guess(name, known)));
            }
            return Ok(found);
        }
        let extensions = || self.packages.iter().filter(|package| package.is_extension()).collect::<Vec<_>>();
        // The package here, unless it is a workspace's root that has its extensions further down.
        match self.packages.iter().find(|package| package.folder().is_some_and(|folder| is_same(folder, here))) {
            Some(package) if package.is_extension() || extensions().is_empty() => Ok(vec![package]),
            Some(package) if !is_same(&self.workspace_root, here) => Ok(vec![package]),
            _ => Ok(extensions()),
        }
    }
}

/// Whether two paths are one folder, one of them by a link perhaps.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn among(choices: impl Iterator<Item = String>) -> CliError {
    let lines: Vec<_> = choices.map(|choice| format!("  cargo imperal {choice} COMMAND")).collect();
    CliError::usage(format!("there are several binaries here: choose one of them\n{}", lines.join("\n")))
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

    fn chosen(packages: &[Value], here: &str, package: Option<&str>, bin: Option<&str>) -> Result<String, String> {
        let metadata = json!({"packages": packages, "target_directory": "/w/target", "workspace_root": "/w"});
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let wanted = Wanted { package: package.map(str::to_owned), bin: bin.map(str::to_owned) };
        metadata
            .choose(Path::new(here), &wanted)
            .map(|choice| format!("{} {}", choice.manifest.display(), choice.bin))
            .map_err(|error| error.text)
    }

    #[test]
    fn of_several_binaries_the_default_or_the_one_named_like_the_package_is_run() {
        let two = package("hello", "/w", &["hello", "tool"], "imperal");
        assert_eq!(chosen(std::slice::from_ref(&two), "/w", None, None).unwrap(), "/w/Cargo.toml hello");
        assert_eq!(chosen(std::slice::from_ref(&two), "/w", None, Some("tool")).unwrap(), "/w/Cargo.toml tool");
        let mut by_default = two;
        by_default["default_run"] = json!("tool");
        assert_eq!(chosen(&[by_default], "/w", None, None).unwrap(), "/w/Cargo.toml tool");
        let unlike = package("hello", "/w", &["one", "two"], "imperal");
        let error = chosen(std::slice::from_ref(&unlike), "/w", None, None).unwrap_err();
        assert!(error.contains("cargo imperal --bin one COMMAND\n  cargo imperal --bin two COMMAND"), "{error}");
        let error = chosen(&[unlike], "/w", None, Some("three")).unwrap_err();
        assert_eq!(error, "there is no binary `three`; there is one, two");
    }

    #[test]
    fn in_a_workspaces_root_the_packages_that_use_imperal_count() {
        let library = package("helper", "/w/helper", &["helper"], "serde");
        let one = package("one", "/w/one", &["one"], "imperal");
        let two = package("two", "/w/two", &["two"], "imperal");
        let all = [library.clone(), one.clone(), two];
        assert_eq!(chosen(&all[..2], "/w", None, None).unwrap(), "/w/one/Cargo.toml one");
        let error = chosen(&all, "/w", None, None).unwrap_err();
        assert!(error.contains("cargo imperal -p one COMMAND\n  cargo imperal -p two COMMAND"), "{error}");
        assert_eq!(chosen(&all, "/w/two", None, None).unwrap(), "/w/two/Cargo.toml two");
        assert_eq!(chosen(&all, "/w", Some("one"), None).unwrap(), "/w/one/Cargo.toml one");
        assert_eq!(chosen(&all, "/w", None, Some("two")).unwrap(), "/w/two/Cargo.toml two");
        assert!(chosen(&all, "/w", Some("three"), None).unwrap_err().contains("there is helper, one, two"));
        let root = package("root", "/w", &[], "serde");
        assert_eq!(chosen(&[root, one], "/w", None, None).unwrap(), "/w/one/Cargo.toml one");
        assert_eq!(chosen(&[library], "/w/helper", None, None).unwrap(), "/w/helper/Cargo.toml helper");
        assert!(chosen(&[], "/w", None, None).unwrap_err().contains("no package of this workspace is an extension"));
    }
}
