//! The commands of every extension binary.
//!
//! Owns the command line, the forms of output (colours on a terminal, plain text in a pipe, JSON lines with
//! `--json`, logs on standard error), and the exit codes in `exit.rs`. Commands that touch the chat use the HTTP
//! API of the process that has the data folder open, or start a platform for their own duration.

mod answer;
mod answer_text;
mod api;
mod args;
mod audit;
mod audit_words;
mod bars;
mod browser;
mod call;
mod call_search;
mod client;
mod complete;
mod connect_args;
mod core_dumps;
mod data;
mod documents;
mod durable_watch;
mod durable_words;
mod effect_words;
mod environment;
mod event_stream;
mod exit;
mod export;
mod files;
mod follow;
mod follow_up;
mod follower;
mod function_help;
mod help;
mod help_layout;
mod help_table;
mod interrupt;
mod keys;
mod lenient_list;
mod link;
mod live_texts;
mod log;
mod manifest;
mod mcp;
mod model_args;
mod operator_args;
mod ops;
mod ops_schedules;
mod out;
mod params;
mod program_name;
mod questions;
#[cfg(test)]
mod reference;
mod say;
mod schedule_args;
mod schedule_view;
mod schedule_when;
mod schedules;
mod schema_text;
mod secret;
mod secret_keys;
mod serve;
mod server_args;
mod show;
mod signals;
mod sse;
mod stopping;
mod stored_steps;
mod supervised;
mod table;
mod task_id;
mod task_view;
mod tasks;
mod timeline;
mod token;
mod turns;
mod user_args;
mod when;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::app::App;
use crate::function::{Extension, Registry, params_schema};
use crate::trace::Traces;
use args::{Args, Command};
use exit::{CliError, Exit};
use help::HelpValues;

impl App {
    /// Runs the command that the command line names; `dev` when it names none.
    #[must_use = "return it from main"]
    pub fn run(self) -> ExitCode {
        run_command_line(self)
    }
}

/// The `main` of an extension without state of its own: `fn main() -> ExitCode { imperal::run() }`.
#[must_use = "return it from main"]
pub fn run() -> ExitCode {
    App::new().run()
}

fn run_command_line(app: App) -> ExitCode {
    let registry = match Registry::collect() {
        Ok(registry) => registry,
        Err(error) => {
            for fault in error.faults() {
                eprintln!("error: {fault}");
            }
            return ExitCode::FAILURE;
        }
    };
    if complete::answer(|| command_line(&registry)) {
        return ExitCode::SUCCESS;
    }
    let args = match parse(&registry) {
        Ok(args) => args,
        Err(error) => {
            if error.kind() == ErrorKind::DisplayHelp && function_help::print_for(&registry, std::env::args().skip(1)) {
                return ExitCode::SUCCESS;
            }
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    let server = args.command.is_server();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let traces = match log::before_start(server, || start_traces(server, &registry, &runtime)) {
        Ok(traces) => traces,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    };
    log::start(server, traces.as_ref());
    log::screen_panics();
    let as_json = args.command.wants_json();
    let ended = runtime.block_on(run_command(app, registry, args));
    if let Some(traces) = traces {
        traces.end();
    }
    // Work that blocks its thread must not delay the end of the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            out::print_error(&error, as_json);
            error.exit.into()
        }
    }
}

/// Traces of `dev` and `serve`, under the extension's name.
fn start_traces(
    server: bool,
    registry: &Registry,
    runtime: &tokio::runtime::Runtime,
) -> Result<Option<Traces>, String> {
    if !server {
        return Ok(None);
    }
    let mut extensions = registry.extensions();
    let (service, version) = match (extensions.next(), extensions.next()) {
        (Some(extension), None) => (extension.app_id().to_owned(), extension.def().version),
        _ => (program_name::own_name(), env!("CARGO_PKG_VERSION")),
    };
    Traces::start(&service, version, runtime.handle())
}

/// The parser, with the extension's name, version and description, and with its functions in the examples.
fn command_line(registry: &Registry) -> clap::Command {
    let mut functions = registry.extensions().flat_map(Extension::functions).peekable();
    let first = functions.peek().map(|function| (function.name.to_owned(), params::example(&params_schema(function))));
    let (function, pairs) = first.unwrap_or_else(|| ("FUNCTION".to_owned(), "key=value".to_owned()));
    let values = HelpValues {
        bin: program_name::command_line(),
        call: format!("{function} {pairs}").trim_end().to_owned(),
        function,
        functions: functions.map(|function| (function.name.to_owned(), function.description.to_owned())).collect(),
    };
    let name = program_name::command_line();
    let mut command = Args::command().display_name(name.clone()).bin_name(name);
    if let (1, Some(extension)) = (registry.extensions().len(), registry.extensions().next()) {
        command = command.about(extension.def().description).version(extension.def().version);
    }
    help::add_help(command, &values)
}

fn parse(registry: &Registry) -> Result<Args, clap::Error> {
    let command = command_line(registry);
    match command.clone().try_get_matches() {
        Ok(matches) => Args::from_arg_matches(&matches),
        Err(error) => Err(explain(error, registry)),
    }
}

/// Adds the `call` command line to the error about a word that is no command but is, or resembles, a function.
fn explain(mut error: clap::Error, registry: &Registry) -> clap::Error {
    let written = match (error.kind(), error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument, Some(ContextValue::String(written)), _)
        | (ErrorKind::UnknownArgument, None, Some(ContextValue::String(written))) => written.clone(),
        _ => return error,
    };
    let functions = || registry.extensions().flat_map(Extension::functions);
    let suggests_command = error.get(ContextKind::SuggestedSubcommand).is_some();
    let function = functions().find(|function| function.name == written).or_else(|| {
        let meant = imperal_manifest::did_you_mean(&written, functions().map(|function| function.name))?;
        functions().find(|function| function.name == meant && !suggests_command)
    });
    let Some(function) = function else { return error };
    let pairs = params::example(&params_schema(function));
    let typed = format!("{} call {} {pairs}", program_name::command_line(), function.name);
    let suggestion = format!("did you mean `{}`?", typed.trim_end());
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![suggestion.into()]));
    error
}

async fn run_command(app: App, registry: Registry, args: Args) -> Result<Exit, CliError> {
    match args.command {
        Command::Dev(dev) => serve::dev(app, registry, dev).await,
        Command::Serve(serve) => serve::serve(app, registry, *serve).await,
        Command::Manifest { app: app_id } => manifest::print(&registry, app_id.as_deref()),
        Command::Token { user, tenant, scopes, hours } => token::token(user, tenant, scopes, hours),
        Command::Build { check, extension } => manifest::build(&registry, check, &extension),
        Command::Validate { file, allow, extension, json } => {
            manifest::validate(&registry, file.as_deref(), &extension, &allow, json)
        }
        Command::Mcp(args) => mcp::mcp(app, registry, args).await,
        Command::Call(call) => call::call(app, registry, call).await,
        Command::Follow { task, connect } => follow::follow(app, registry, task.as_deref(), &connect).await,
        Command::Say(args) => say::say(app, registry, *args).await,
        Command::Chat(args) if args.talk => say::talk(app, registry, &args.model, &args.list.connect).await,
        Command::Chat(args) => turns::chat(app, registry, args.list).await,
        Command::Tasks(list) => tasks::tasks(app, registry, list).await,
        Command::Show { named, connect } => show::show(app, registry, &named, connect).await,
        Command::Export(args) => export::export(app, registry, args).await,
        Command::Answer(args) => answer::answer(app, registry, args).await,
        Command::Continue(args) => follow_up::continue_task(app, registry, args).await,
        Command::RunAgain(args) => follow_up::run_again(app, registry, args).await,
        Command::Cancel { task, connect } => tasks::cancel(app, registry, &task, connect).await,
        Command::Audit { list, verify: true } => audit::verify_audit(app, registry, list.connect).await,
        Command::Audit { list, verify: false } => audit::audit(app, registry, list).await,
        Command::Secret(args) => secret::secret(app, registry, args).await,
        Command::Schedules(list) => schedules::list(app, registry, list).await,
        Command::Schedule(args) => schedules::schedule(app, registry, *args).await,
        Command::Ops(args) => ops::ops(app, registry, args).await,
        Command::Documents(args) => documents::documents(app, registry, args).await,
        Command::Files(args) => files::files(app, registry, args).await,
        Command::Link { connect } => link::link(app, registry, connect).await,
        Command::Completions { shell } => {
            complete::script(shell, &program_name::own_name())?;
            Ok(Exit::Success)
        }
        Command::Help { topic, app, json } => help_command(&registry, topic.as_deref(), app.as_deref(), json),
    }
}

/// `help [COMMAND|FUNCTION]`.
fn help_command(
    registry: &Registry,
    topic: Option<&str>,
    app_id: Option<&str>,
    as_json: bool,
) -> Result<Exit, CliError> {
    let mut command = command_line(registry);
    command.build();
    let Some(topic) = topic else {
        command.print_help()?;
        return Ok(Exit::Success);
    };
    match command.find_subcommand_mut(topic) {
        Some(_) if as_json => {
            return Err(CliError::usage(format!("`{topic}` is a command; --json explains functions")));
        }
        Some(sub) => sub.print_help()?,
        None if function_help::print(registry, topic, app_id, as_json) => {}
        None => {
            let commands: Vec<_> = help_table::COMMAND_HELP.iter().map(|help| help.name).collect();
            let functions = registry.extensions().flat_map(Extension::functions).map(|function| function.name);
            let list = commands.join(", ");
            return Err(CliError::usage(format!("there is no command `{topic}`; there is {list}"))
                .hint(exit::suggestion(topic, commands.iter().copied().chain(functions))));
        }
    }
    Ok(Exit::Success)
}
