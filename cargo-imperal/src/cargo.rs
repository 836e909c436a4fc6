//! Asks cargo about the crate or workspace of the current folder.
//!
//! Owns how cargo is called and which part of its metadata is read. Which binary is the extension is
//! decided by `selection.rs`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::error::CommandError;

/// The cargo that started this command, or the one on the PATH.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The folder of the nearest Cargo.toml, from the current folder upwards.
pub(crate) fn nearest_crate() -> Result<PathBuf, CommandError> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|folder| folder.join("Cargo.toml").is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        CommandError::new(format!(
            "there is no Cargo.toml in {} or above: go to an extension's folder, or start one with `cargo imperal new NAME`",
            here.display()
        ))
    })
}

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
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

/// A binary, library, test or other product of a package.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Target {
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: Vec<String>,
}

impl Target {
    pub(crate) fn is_binary(&self) -> bool {
        self.kind.iter().any(|kind| kind == "bin")
    }
}

impl Package {
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.manifest_path.parent()
    }

    pub(crate) fn binaries(&self) -> Vec<&str> {
        self.targets.iter().filter(|target| target.is_binary()).map(|target| target.name.as_str()).collect()
    }

    /// Whether it depends on imperal and has a binary.
    pub(crate) fn is_extension(&self) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == "imperal") && !self.binaries().is_empty()
    }

    /// The binary to run when none is named: the `default-run`, the only one, or the one with the package's name.
    pub(crate) fn default_binary(&self) -> Option<&str> {
        let binaries = self.binaries();
        let find = |name: &str| binaries.iter().copied().find(|binary| *binary == name);
        self.default_run.as_deref().and_then(find).or(match binaries.as_slice() {
            [only] => Some(*only),
            _ => find(&self.name),
        })
    }
}

impl Metadata {
    /// Asks cargo about the crate or workspace of the current folder.
    pub(crate) fn read() -> Result<Self, CommandError> {
        let output = Command::new(program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(CommandError::new("cargo cannot read Cargo.toml; its error is above"));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
