//! Compiling the extension of a folder, and what came of it.
//!
//! Owns the build, and the files that it read. Which binary is built is `choice`'s.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::super::exit::CliError;
use super::choice::{Choice, Metadata};

/// The program: cargo names itself to the commands that it starts.
pub(super) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Folder of the Cargo.toml that is nearest to where the command was typed.
pub(super) fn crate_here() -> Result<PathBuf, CliError> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|folder| folder.join("Cargo.toml").is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        CliError::new(format!(
            "there is no Cargo.toml in {} or above: go to an extension's folder, or start one with `cargo imperal new NAME`",
            here.display()
        ))
    })
}

/// What cargo is told to build.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) choice: Choice,
    pub(super) features: Option<String>,
    pub(super) release: bool,
}

/// What a build came to.
#[derive(Debug)]
pub(super) enum Built {
    /// The binary, and whether it is another one than before.
    Binary { path: PathBuf, is_new: bool },
    /// The errors are on standard error already.
    Failed,
}

/// Where a crate's sources are and where its build goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) target: PathBuf,
    pub(super) workspace: PathBuf,
    /// Folders of the packages that may be part of the build.
    pub(super) packages: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Target,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize, Default)]
struct Target {
    #[serde(default)]
    kind: Vec<String>,
}

impl Place {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            target: metadata.target_directory.clone(),
            workspace: metadata.workspace_root.clone(),
            packages: metadata.packages.iter().filter_map(|package| package.folder()).map(Path::to_path_buf).collect(),
        }
    }
}

/// Builds; cargo's progress and the compiler's errors go to standard error as they come.
pub(super) fn build(options: &Options) -> Result<Built, CliError> {
    let mut command = Command::new(cargo());
    command.args(["build", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    options.choice.tell(&mut command);
    if let Some(features) = &options.features {
        command.args(["--features", features]);
    }
    if options.release {
        command.arg("--release");
    }
    let mut child = command.spawn()?;
    let mut binaries: Vec<(PathBuf, bool)> = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
            if let ("compiler-artifact", Some(path)) = (message.reason.as_str(), message.executable)
                && message.target.kind.iter().any(|kind| kind == "bin")
            {
                binaries.push((path, !message.fresh));
            }
        }
    }
    if !child.wait()?.success() {
        return Ok(Built::Failed);
    }
    // One was chosen; a dependency's binaries are not built.
    let Some((path, is_new)) = binaries.pop() else {
        return Err(CliError::new("cargo built no binary, and said nothing of it"));
    };
    Ok(Built::Binary { path, is_new })
}

/// The files that the build of a binary read, as the compiler wrote them down beside it.
pub(super) fn read_files(binary: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    // One rule: `binary: file file ..`, spaces in names behind a backslash.
    let Some((_, files)) = text.split_once(": ") else { return Vec::new() };
    let mut paths = vec![String::new()];
    let mut chars = files.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&' ') => {
                chars.next();
                if let Some(path) = paths.last_mut() {
                    path.push(' ');
                }
            }
            ' ' | '\n' => paths.push(String::new()),
            c => {
                if let Some(path) = paths.last_mut() {
                    path.push(c);
                }
            }
        }
    }
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_are_read_from_the_compilers_list() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("hello");
        std::fs::write(binary.with_extension("d"), "/t/hello: /a/src/main.rs /a/my\\ icon.svg\n").unwrap();
        assert_eq!(read_files(&binary), [PathBuf::from("/a/src/main.rs"), PathBuf::from("/a/my icon.svg")]);
    }
}
