//! The command line of `cargo imperal`, and its help.

use std::fmt::Write;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::dev::DevArgs;
use crate::extension::forwarded_commands;
use crate::selection::Selection;

const EXAMPLES: &[(&str, &str)] = &[
    ("cargo imperal new hello", "a crate that compiles, is tested and runs"),
    ("cargo imperal dev", "its chat page; builds and starts again after each change"),
    ("cargo imperal call greet name=Anna", "run a function; every command of the binary works here"),
    ("cargo imperal build", "write imperal.json beside Cargo.toml"),
    ("cargo imperal validate", "check it against every rule"),
];

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Yellow.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default())
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// Cargo starts `cargo-imperal imperal ..`.
#[derive(Debug, Parser)]
#[command(name = "cargo-imperal", bin_name = "cargo", version)]
enum Cargo {
    /// Chat extensions whose background work is never lost
    #[command(version, arg_required_else_help = true, disable_help_subcommand = true, subcommand_required = true)]
    Imperal(Args),
}

/// A parsed command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(subcommand)]
    pub(crate) command: ImperalCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImperalCommand {
    /// Start an extension in a new folder: it compiles, is tested and runs
    New {
        /// Name of the folder and id of the extension: lower-case letters, digits and `-`
        name: String,
        /// Take imperal from this folder instead of crates.io; relative to the new folder
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
    /// Run the platform with its chat page on this machine; build and start again after each change
    Dev(DevArgs),
    /// Write imperal.json next to Cargo.toml
    Build {
        /// Options of the extension's `build`, for example `--check`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
    /// Check the extension of this folder, or a manifest file, against every rule
    Validate {
        /// A manifest file of any origin; needs no extension
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

/// Parses the command line of this process. Prints help or an error and exits if there is nothing to run.
pub(crate) fn parse() -> Args {
    let parsed = command_line().try_get_matches().and_then(|matches| Cargo::from_arg_matches(&matches));
    let Cargo::Imperal(args) = parsed.unwrap_or_else(|error| error.exit());
    args
}

/// Prints what `cargo imperal --help` prints.
pub(crate) fn print_help() -> std::io::Result<()> {
    let mut command = command_line();
    command.build();
    match command.find_subcommand_mut("imperal") {
        Some(imperal) => imperal.print_help(),
        None => Ok(()),
    }
}

fn command_line() -> clap::Command {
    let forwarded = forwarded_commands().collect::<Vec<_>>().join(", ");
    let after = format!(
        "In an extension's folder also its own commands: {forwarded}.\n\
         `cargo imperal COMMAND --help` explains each, examples first."
    );
    Cargo::command().styles(STYLES).mut_subcommand("imperal", |imperal| {
        imperal
            .before_help(examples())
            .after_help(after)
            .help_template("{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
    })
}

/// Two columns under a heading: commands and their effects.
fn examples() -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let width = EXAMPLES.iter().map(|(typed, _)| typed.len()).max().unwrap_or_default();
    let mut text = format!("{header}Examples:{header:#}");
    for (typed, does) in EXAMPLES {
        let _ = write!(text, "\n  {literal}{typed}{literal:#}{:pad$}  {does}", "", pad = width - typed.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_parses() {
        for (typed, _) in EXAMPLES {
            let parsed = command_line().try_get_matches_from(typed.split(' '));
            assert!(parsed.is_ok(), "{typed}: {}", parsed.unwrap_err());
        }
    }
}
