//! `cargo imperal`: starts an extension, and runs an extension's own commands from its folder.
//!
//! Owns the command line of the `cargo-imperal` binary. It knows nothing of extensions itself:
//! `build`, `validate`, `manifest` and `dev` are the commands of the extension's binary, which
//! `cargo run` compiles first.

mod new;

use std::path::PathBuf;
use std::process::{Command as Process, ExitCode};

use clap::{Parser, Subcommand};

use super::CliError;
use super::manifest as findings;

#[derive(Debug, Parser)]
#[command(name = "cargo-imperal", bin_name = "cargo", version)]
enum Cargo {
    /// Chat extensions whose background work is never lost
    #[command(subcommand, version, arg_required_else_help = true)]
    Imperal(Command),
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
    /// Run the platform with its chat page on this machine
    Dev {
        /// Options of the extension's `dev`, `--listen 127.0.0.1:0` for example
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
}

/// The `main` of `cargo-imperal`.
#[doc(hidden)]
pub fn main() -> ExitCode {
    let Cargo::Imperal(command) = Cargo::parse();
    carry_out(command).unwrap_or_else(|CliError(text)| {
        eprintln!("error: {text}");
        ExitCode::FAILURE
    })
}

fn carry_out(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::New { name, path } => new::scaffold(&name, path.as_deref()),
        Command::Build { options } => of_extension("build", options),
        Command::Validate { file: Some(file), json } => Ok(findings::of_file(&file, json)),
        Command::Validate { file: None, json } => {
            of_extension("validate", if json { vec!["--json".to_owned()] } else { Vec::new() })
        }
        Command::Manifest { options } => of_extension("manifest", options),
        Command::Dev { options } => of_extension("dev", options),
    }
}

/// Runs a command of the extension in this folder, and ends as it ends.
fn of_extension(command: &str, options: Vec<String>) -> Result<ExitCode, CliError> {
    let here = std::env::current_dir()?;
    if !here.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Err(CliError::new(format!(
            "there is no Cargo.toml in {} or above: go to an extension's folder, or start one with `cargo imperal new NAME`",
            here.display()
        )));
    }
    // Cargo names itself to the commands that it starts.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Process::new(cargo).args(["run", "--quiet", "--", command]).args(options).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
