//! The command line of an extension's binary, as clap reads it.
//!
//! Owns the list of commands and the options of short ones. `server_args.rs` has those of `dev` and `serve`,
//! `user_args.rs` and `operator_args.rs` those of the commands for calls and tasks, `connect_args.rs` those that most
//! commands share. `help.rs` adds examples and exit codes to the help.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use super::complete;
use super::connect_args::ConnectArgs;
use super::mcp::McpArgs;
use super::operator_args::{DocumentsArgs, OpsArgs, SecretArgs};
use super::schedule_args::ScheduleArgs;
use super::server_args::{DevArgs, ServeArgs};
use super::user_args::{
    AnswerArgs, CallArgs, ChatArgs, ContinueArgs, ExportArgs, FilesArgs, ListArgs, RunAgainArgs, SayArgs,
};

#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct TopLevel {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: DevArgs,
}

/// A parsed command line.
#[derive(Debug)]
pub(super) struct Args {
    pub(super) command: Command,
}

impl clap::CommandFactory for Args {
    fn command() -> clap::Command {
        TopLevel::command()
    }

    fn command_for_update() -> clap::Command {
        TopLevel::command_for_update()
    }
}

impl clap::FromArgMatches for Args {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let TopLevel { command, dev } = TopLevel::from_arg_matches(matches)?;
        Ok(Self { command: command.unwrap_or(Command::Dev(dev)) })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the platform with its chat page on this machine and print the page's link
    Dev(DevArgs),
    /// Run the platform for users who sign in by token
    Serve(Box<ServeArgs>),
    /// Serve the functions to an MCP client over standard input and output
    Mcp(McpArgs),
    /// Print a token for `serve`, signed with `IMPERAL_JWT_SECRET`
    Token {
        /// The user's id
        user: String,
        /// The user's tenant
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Scope to grant; may be repeated. `audit:read`: audit rows of the tenant. `audit:read:all`: of all tenants
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Hours until the token expires
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// Print the manifest as JSON
    Manifest {
        /// Print the manifest of this extension, if the binary has several
        #[arg(long)]
        app: Option<String>,
    },
    /// Write imperal.json next to Cargo.toml, and keep the parts that only the file has
    Build {
        /// Write nothing. If the file differs from a build, show the difference and fail
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        extension: ExtensionArgs,
    },
    /// Check the extension, or a manifest file, against every rule
    Validate {
        /// A manifest file of any origin, instead of this binary's extensions
        file: Option<PathBuf>,
        /// Leave out the warnings and notes of this rule; may be repeated
        #[arg(long, value_name = "CODE")]
        allow: Vec<String>,
        #[command(flatten)]
        extension: ExtensionArgs,
        /// Print the findings as one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Run a function
    Call(CallArgs),
    /// Watch tasks until their outcome
    Follow {
        /// Task id, or its last characters as `tasks` shows them. Default: all without an outcome
        #[arg(value_name = "TASK", add = ArgValueCompleter::new(complete::tasks))]
        task: Option<String>,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Write to the assistant and watch its answer
    Say(Box<SayArgs>),
    /// Show the chat, or talk in it
    Chat(Box<ChatArgs>),
    /// Show the tasks
    Tasks(ListArgs),
    /// Show a task or a turn with its parameters, times, outcome and data
    Show {
        /// Task id or its last characters, as `tasks` shows them; or a turn's number, as `chat` shows it
        #[arg(value_name = "TASK|TURN", add = ArgValueCompleter::new(complete::tasks))]
        named: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Write durable tasks with their inputs and steps to files, for a replay in your tests
    Export(ExportArgs),
    /// Answer a question of a task
    Answer(AnswerArgs),
    /// Go on from an ended durable task: its stored steps are kept
    Continue(ContinueArgs),
    /// Run an ended durable task again from the start
    RunAgain(RunAgainArgs),
    /// Ask a task to stop
    Cancel {
        /// Task id, or its last characters as `tasks` shows them
        #[arg(value_name = "TASK", add = ArgValueCompleter::new(complete::tasks))]
        task: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Show the audit trail
    Audit {
        #[command(flatten)]
        list: ListArgs,
        /// Check that no row was altered or removed, and report the first one that was
        #[arg(long)]
        verify: bool,
    },
    /// Enter, list and remove secrets; make and change the keys that they are sealed with
    Secret(SecretArgs),
    /// Show the schedules
    Schedules(ListArgs),
    /// Run functions at times: make, pause, change and delete schedules
    Schedule(Box<ScheduleArgs>),
    /// Watch and change the tasks and schedules of all users
    Ops(OpsArgs),
    /// List, export, import and delete the documents of a user
    Documents(DocumentsArgs),
    /// List, download, upload and delete your files
    Files(FilesArgs),
    /// Print a fresh one-time link to the chat page
    Link {
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Print the completions of a shell, for its start-up file
    Completions {
        /// The shell
        shell: complete::Shell,
    },
    /// Explain a command or a function
    Help {
        /// The command, or the function
        #[arg(value_name = "COMMAND|FUNCTION", add = ArgValueCompleter::new(complete::help_topics))]
        topic: Option<String>,
        /// Explain the function of this extension, if several have it
        #[arg(long)]
        app: Option<String>,
        /// Print a function with its parameter schema as one JSON object
        #[arg(long, requires = "topic")]
        json: bool,
    },
}

impl Command {
    pub(super) fn is_server(&self) -> bool {
        matches!(self, Self::Dev(_) | Self::Serve(_))
    }

    /// Whether the user asked for JSON. `manifest` prints nothing else and has no such option.
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Self::Call(args) => args.connect.json,
            Self::Say(args) => args.connect.json,
            Self::Chat(args) => args.list.connect.json,
            Self::Answer(args) => args.connect.json,
            Self::Export(args) => args.connect.json,
            Self::Continue(args) => args.connect.json,
            Self::RunAgain(args) => args.connect.json,
            Self::Schedule(args) => args.connect.json,
            Self::Ops(args) => args.connect.json,
            Self::Documents(args) => args.connect.json,
            Self::Secret(args) => args.connect.json,
            Self::Tasks(list) | Self::Schedules(list) | Self::Audit { list, .. } => list.connect.json,
            Self::Follow { connect, .. }
            | Self::Show { connect, .. }
            | Self::Cancel { connect, .. }
            | Self::Link { connect } => connect.json,
            Self::Validate { json, .. } | Self::Help { json, .. } => *json,
            _ => false,
        }
    }
}

/// Selects an extension and its source folder.
#[derive(Debug, ClapArgs)]
pub(super) struct ExtensionArgs {
    /// Only this extension, if the binary has several
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Folder of the extension's Cargo.toml, if it has moved since the build
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}
