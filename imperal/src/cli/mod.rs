//! The commands of every extension binary.
//!
//! Owns the command line, where output goes (people on a terminal, JSON lines with `--json`, logs
//! always on standard error) and exit codes: 0 done, 1 failed, 2 wrong usage. Every command that
//! touches the chat speaks HTTP: to the process that has the data folder open, or to one that it
//! starts itself for as long as it takes.

mod args;
mod call;
#[doc(hidden)]
pub mod cargo;
mod client;
mod folder;
mod manifest;
mod out;
mod serve;
mod show;
mod sse;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::app::App;
use crate::function::Registry;
use args::{Args, Command};

/// Why a command failed: a sentence for the person at the terminal.
#[derive(Debug)]
pub(crate) struct CliError(String);

impl CliError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Parses the command line and runs the command.
pub(crate) fn run(app: App) -> ExitCode {
    let registry = match Registry::collect() {
        Ok(registry) => registry,
        Err(error) => {
            for fault in error.faults() {
                eprintln!("error: {fault}");
            }
            return ExitCode::FAILURE;
        }
    };
    let args = match parse(&registry) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    out::start_log(args.command.is_server());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(carry_out(app, registry, args));
    // Work that blocks its thread must not keep the process from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(code) => code,
        Err(CliError(text)) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

/// The binary's own name, version and description stand in its help.
fn parse(registry: &Registry) -> Result<Args, clap::Error> {
    let mut command = Args::command();
    let name = std::env::args_os()
        .next()
        .and_then(|path| std::path::Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()));
    if let Some(name) = name {
        command = command.display_name(name.clone()).bin_name(name);
    }
    if let (1, Some(extension)) = (registry.extensions().len(), registry.extensions().next()) {
        command = command.about(extension.def().description).version(extension.def().version);
    }
    Args::from_arg_matches(&command.try_get_matches()?)
}

async fn carry_out(app: App, registry: Registry, args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Dev(dev) => serve::dev(app, registry, dev).await,
        Command::Serve(serve) => serve::serve(app, registry, serve).await,
        Command::Manifest { app: app_id } => manifest::print(&registry, app_id.as_deref()),
        Command::Token { user, tenant, scopes, hours } => serve::token(user, tenant, scopes, hours),
        Command::Build { check, of } => manifest::build(&registry, check, &of),
        Command::Validate { file, of, json } => manifest::validate(&registry, file.as_deref(), &of, json),
        Command::Call(call) => call::call(app, registry, call).await,
        Command::Chat(list) => show::chat(app, registry, list).await,
        Command::Tasks(list) => show::tasks(app, registry, list).await,
        Command::Cancel { task_id, reach } => show::cancel(app, registry, &task_id, reach).await,
        Command::Audit { list, verify: true } => show::verify_audit(app, registry, list.reach).await,
        Command::Audit { list, verify: false } => show::audit(app, registry, list).await,
        Command::Link { reach } => show::link(app, registry, reach).await,
    }
}
