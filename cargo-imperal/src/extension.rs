//! The commands of the extension's own binary.
//!
//! This command does not know what they do. It knows their names, for "did you mean" without a compiler run,
//! and has cargo build and run the binary.

use std::process::{Command, ExitCode};

use serde::Deserialize;

use crate::cargo;
use crate::error::{CommandError, suggestion};
use crate::selection::Selection;

/// Every command of an extension's binary, in the order of its help. The suite `terminal` compares the list
/// with a real binary.
pub(crate) const COMMANDS: &[&str] = &[
    "dev",
    "serve",
    "call",
    "follow",
    "say",
    "chat",
    "tasks",
    "show",
    "export",
    "answer",
    "continue",
    "run-again",
    "cancel",
    "audit",
    "secret",
    "schedules",
    "schedule",
    "ops",
    "documents",
    "files",
    "link",
    "build",
    "validate",
    "manifest",
    "mcp",
    "token",
    "completions",
    "help",
];

/// Commands that this command line has itself, with an explanation of its own.
const OWN_COMMANDS: [&str; 5] = ["build", "dev", "validate", "manifest", "help"];

/// The commands that only the extension's binary has.
pub(crate) fn forwarded_commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().copied().filter(|name| !OWN_COMMANDS.contains(name))
}

/// Builds the extension of this folder, runs a command of it, and ends as it ends.
///
/// On Unix cargo and then the extension replace this process, so that Ctrl-C reaches the extension alone: its
/// commands may ask a question about it.
pub(crate) fn run_command(command: &str, options: &[String], selection: &Selection) -> Result<ExitCode, CommandError> {
    let binary = selection.find_here()?;
    let mut process = Command::new(cargo::program());
    process.args(["run", "--quiet"]);
    binary.add_to(&mut process);
    process.args(["--", command]).args(options).env("IMPERAL_CALLED_AS", "cargo imperal");
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(process.exec().into())
    }
    #[cfg(not(unix))]
    {
        let status = process.status()?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

/// The error for a word that is no command: suggests the function or command that was meant.
pub(crate) fn unknown_command(written: &str, selection: &Selection) -> CommandError {
    let known = || COMMANDS.iter().copied().chain(["new"]);
    let functions = function_names(selection);
    let hint = if functions.iter().any(|name| name == written) {
        Some(format!("did you mean `cargo imperal call {written}`?"))
    } else {
        suggestion(written, known()).or_else(|| {
            let function = imperal_manifest::did_you_mean(written, functions.iter().map(String::as_str))?;
            Some(format!("did you mean `cargo imperal call {function}`?"))
        })
    };
    let list = known().collect::<Vec<_>>().join(", ");
    CommandError::usage(format!("there is no command `{written}`; there is {list}")).hint(hint)
}

/// The functions of the extension in this folder, from its `imperal.json`. Nothing is compiled for it.
fn function_names(selection: &Selection) -> Vec<String> {
    #[derive(Deserialize)]
    struct Manifest {
        tools: Vec<Tool>,
    }
    #[derive(Deserialize)]
    struct Tool {
        name: String,
    }
    let text =
        selection.find_here().ok().and_then(|binary| std::fs::read(binary.folder()?.join(imperal_manifest::FILE)).ok());
    let manifest = text.and_then(|text| imperal_manifest::json::read::<Manifest>(&text).ok());
    manifest.map_or_else(Vec::new, |manifest| manifest.tools.into_iter().map(|tool| tool.name).collect())
}
