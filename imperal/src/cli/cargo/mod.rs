//! `cargo imperal`: starts an extension, and runs an extension's own commands from its folder.
//!
//! Owns the command line of the `cargo-imperal` binary. It knows nothing of extensions itself:
//! `build`, `call`, `tasks` and the like are the commands of the extension's binary, which cargo
//! compiles first; `dev` also compiles it again after each change.

mod choice;
mod compile;
mod dev;
mod new;
mod sources;

use std::path::PathBuf;
use std::process::{Command as Process, ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::exit::{CliError, Exit, guess};
use super::guide::{self, GUIDES};
use super::{manifest as findings, out};
use choice::{Metadata, Wanted};

const EXAMPLES: &[(&str, &str)] = &[
    ("cargo imperal new hello", "a crate that compiles, is tested and runs"),
    ("cargo imperal dev", "its chat page; builds and starts again after each change"),
    ("cargo imperal call greet name=Anna", "run a function; every command of the binary works here"),
    ("cargo imperal build", "write imperal.json beside Cargo.toml"),
    ("cargo imperal validate", "check it against every rule"),
];

#[derive(Debug, Parser)]
#[command(name = "cargo-imperal", bin_name = "cargo", version)]
enum Cargo {
    /// Chat extensions whose background work is never lost
    #[command(version, arg_required_else_help = true, disable_help_subcommand = true, subcommand_required = true)]
    Imperal(Imperal),
}

#[derive(Debug, clap::Args)]
struct Imperal {
    #[command(flatten)]
    wanted: Wanted,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start an extension in a new folder: it compiles, is tested and runs
    New {
        /// Name of the folder and the extension's id: lower-case letters, digits and `-`
        name: String,
        /// Take imperal from this folder instead of from crates.io; seen from the new folder
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
    /// Run the platform with its chat page on this machine, and build and start it again after each change
    Dev(dev::DevArgs),
    /// Write imperal.json beside Cargo.toml
    Build {
        /// Options of the extension's `build`, `--check` for example
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
    /// Check the extension of this folder, or a manifest file, against every rule
    Validate {
        /// A manifest file of any origin; no extension is needed for it
        file: Option<PathBuf>,
        /// Leave out the warnings and notes of this rule; may be repeated
        #[arg(long, value_name = "CODE")]
        allow: Vec<String>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print the manifest as JSON
    Manifest {
        /// Options of the extension's `manifest`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
    #[command(external_subcommand)]
    OfExtension(Vec<String>),
}

fn command_line() -> clap::Command {
    let rows = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    let own: Vec<_> = GUIDES.iter().map(|guide| guide.name).filter(|name| !is_ours(name)).collect();
    let after = format!(
        "In an extension's folder also its own commands: {}.\n`cargo imperal COMMAND --help` explains each, examples first.",
        own.join(", ")
    );
    let examples = format!("{}{}", guide::header("Examples:"), guide::columns(&rows(EXAMPLES)).trim_end());
    Cargo::command().styles(guide::STYLES).mut_subcommand("imperal", |imperal| {
        imperal
            .before_help(examples)
            .after_help(after)
            .help_template("{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
    })
}

fn is_ours(name: &str) -> bool {
    matches!(name, "build" | "dev" | "validate" | "manifest" | "help")
}

/// The `main` of `cargo-imperal`.
#[doc(hidden)]
pub fn main() -> ExitCode {
    let parsed = command_line().try_get_matches().and_then(|matches| Cargo::from_arg_matches(&matches));
    let Cargo::Imperal(Imperal { wanted, command }) = parsed.unwrap_or_else(|error| error.exit());
    carry_out(command, wanted).unwrap_or_else(|error| {
        out::print_error(&error, false);
        error.exit.into()
    })
}

fn carry_out(command: Command, wanted: Wanted) -> Result<ExitCode, CliError> {
    match command {
        Command::New { name, path } => new::scaffold(&name, path.as_deref()).map(Into::into),
        Command::Build { options } => of_extension("build", &options, &wanted),
        Command::Validate { file: Some(file), allow, json } => findings::of_file(&file, &allow, json).map(Into::into),
        Command::Validate { file: None, allow, json } => {
            let mut options = if json { vec!["--json".to_owned()] } else { Vec::new() };
            options.extend(allow.into_iter().flat_map(|code| ["--allow".to_owned(), code]));
            of_extension("validate", &options, &wanted)
        }
        Command::Manifest { options } => of_extension("manifest", &options, &wanted),
        Command::Dev(args) => dev::dev(&args, wanted).map(Into::into),
        Command::OfExtension(words) => {
            let (command, options) = words.split_first().ok_or_else(|| CliError::usage("no command"))?;
            if command == "help" && options.is_empty() {
                let mut line = command_line();
                line.build();
                if let Some(imperal) = line.find_subcommand_mut("imperal") {
                    imperal.print_help()?;
                }
                return Ok(Exit::Success.into());
            }
            let known = || GUIDES.iter().map(|guide| guide.name).chain(["new"]);
            if !known().any(|name| name == command) {
                let list = known().collect::<Vec<_>>().join(", ");
                let function = is_function(command, &wanted);
                let hint = function.then(|| format!("it is a function: `cargo imperal call {command}`"));
                return Err(CliError::usage(format!("there is no command `{command}`; there is {list}"))
                    .hint(hint.or_else(|| guess(command, known()))));
            }
            of_extension(command, options, &wanted)
        }
    }
}

/// Whether the extension here has a function of this name, by its manifest: nothing is compiled for it.
fn is_function(name: &str, wanted: &Wanted) -> bool {
    #[derive(serde::Deserialize)]
    struct Manifest {
        tools: Vec<Tool>,
    }
    #[derive(serde::Deserialize)]
    struct Tool {
        name: String,
    }
    let choice = compile::crate_here().and_then(|here| Metadata::read_from(&here, wanted));
    let text = choice.ok().and_then(|choice| std::fs::read(choice.folder()?.join(crate::manifest::FILE)).ok());
    let manifest = text.and_then(|text| crate::json::read::<Manifest>(&text).ok());
    manifest.is_some_and(|manifest| manifest.tools.iter().any(|tool| tool.name == name))
}

/// Runs a command of the extension in this folder, and ends as it ends.
///
/// In its place where the system can do that: Ctrl-C is for the extension's command to answer, which
/// may have a question about it, and nobody stands between.
fn of_extension(command: &str, options: &[String], wanted: &Wanted) -> Result<ExitCode, CliError> {
    let choice = Metadata::read_from(&compile::crate_here()?, wanted)?;
    let mut process = Process::new(compile::cargo());
    process.args(["run", "--quiet"]);
    choice.tell(&mut process);
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
