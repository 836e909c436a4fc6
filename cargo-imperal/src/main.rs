//! `cargo imperal`: starts an extension, and runs an extension's own commands from its folder.
//!
//! It contains no platform. `build`, `call`, `tasks` and others are commands of the extension's binary, which
//! cargo compiles first. `dev` also compiles again after each change, `new` writes a scaffold, and
//! `validate FILE` applies the rules of the crate `imperal-manifest`.

mod args;
mod cargo;
mod compile;
mod dev;
mod error;
mod extension;
mod new;
mod output;
mod selection;
mod validate;

use std::process::ExitCode;

use args::{Args, ImperalCommand};
use error::CommandError;
use selection::Selection;

fn main() -> ExitCode {
    let Args { selection, command } = args::parse();
    run(command, selection).unwrap_or_else(|error| {
        output::print_error(&error);
        error.exit_code()
    })
}

fn run(command: ImperalCommand, selection: Selection) -> Result<ExitCode, CommandError> {
    match command {
        ImperalCommand::New { name, path } => {
            new::create_extension(&name, path.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        ImperalCommand::Dev(args) => dev::dev(&args, selection),
        ImperalCommand::Build { options } => extension::run_command("build", &options, &selection),
        ImperalCommand::Manifest { options } => extension::run_command("manifest", &options, &selection),
        ImperalCommand::Validate { file: Some(file), allow, json } => validate::validate_file(&file, &allow, json),
        ImperalCommand::Validate { file: None, allow, json } => {
            let mut options = if json { vec!["--json".to_owned()] } else { Vec::new() };
            options.extend(allow.into_iter().flat_map(|code| ["--allow".to_owned(), code]));
            extension::run_command("validate", &options, &selection)
        }
        ImperalCommand::OfExtension(words) => run_external(&words, &selection),
    }
}

/// A command that only the extension's binary has, `help`, or a slip.
fn run_external(words: &[String], selection: &Selection) -> Result<ExitCode, CommandError> {
    let (command, options) = words.split_first().ok_or_else(|| CommandError::usage("no command"))?;
    if command == "help" && options.is_empty() {
        args::print_help()?;
        return Ok(ExitCode::SUCCESS);
    }
    if !extension::COMMANDS.contains(&command.as_str()) {
        return Err(extension::unknown_command(command, selection));
    }
    extension::run_command(command, options, selection)
}
