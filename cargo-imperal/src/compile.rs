//! Compiling the extension, and the files that the compiler read.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::cargo::{self, Target};
use crate::error::CommandError;
use crate::selection::SelectedBinary;

/// The binary to build, and how.
#[derive(Debug)]
pub(crate) struct BuildOptions {
    pub(crate) binary: SelectedBinary,
    pub(crate) features: Option<String>,
    pub(crate) release: bool,
}

/// The result of a build.
#[derive(Debug)]
pub(crate) enum Built {
    /// The binary. `is_new` if this build made it, and not an earlier one.
    Binary { path: PathBuf, is_new: bool },
    /// The compiler's errors are on standard error already.
    Failed,
}

/// A line of cargo's JSON output.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    target: Target,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Builds. Cargo's progress and the compiler's errors go to standard error as they come.
pub(crate) fn build(options: &BuildOptions) -> Result<Built, CommandError> {
    let mut command = Command::new(cargo::program());
    command.args(["build", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    options.binary.add_to(&mut command);
    if let Some(features) = &options.features {
        command.args(["--features", features]);
    }
    if options.release {
        command.arg("--release");
    }
    let mut child = command.spawn()?;
    let mut built = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let Ok(message) = serde_json::from_str::<CargoMessage>(&line?) else { continue };
            // Binaries of dependencies are not built, so there is one.
            if let ("compiler-artifact", true, Some(path)) =
                (message.reason.as_str(), message.target.is_binary(), message.executable)
            {
                built = Some(Built::Binary { path, is_new: !message.fresh });
            }
        }
    }
    if !child.wait()?.success() {
        return Ok(Built::Failed);
    }
    built.ok_or_else(|| CommandError::new("cargo reported success, but named no binary"))
}

/// The files that the compiler read for a binary, from the `.d` file next to it.
pub(crate) fn read_files(binary: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    // The format is `binary: file file ..`, with a backslash before each space of a name.
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
    fn reads_file_names_with_spaces() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("hello");
        std::fs::write(binary.with_extension("d"), "/t/hello: /a/src/main.rs /a/my\\ icon.svg\n").unwrap();
        assert_eq!(read_files(&binary), [PathBuf::from("/a/src/main.rs"), PathBuf::from("/a/my icon.svg")]);
    }
}
