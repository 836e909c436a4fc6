//! The arguments of the commands for a user's calls and tasks.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap_complete::engine::ArgValueCompleter;

use super::complete;
use super::connect_args::ConnectArgs;
use super::model_args::ModelArgs;
use crate::ids::RequestKey;
use crate::ledger::TaskState;

#[derive(Debug, ClapArgs)]
pub(super) struct CallArgs {
    /// The function's name
    #[arg(add = ArgValueCompleter::new(complete::functions))]
    pub(super) function: String,
    /// Parameters as key=value; `key=@file` reads a file, `key=@-` standard input
    #[arg(value_name = "KEY=VALUE", conflicts_with = "params", add = ArgValueCompleter::new(complete::parameters))]
    pub(super) pairs: Vec<String>,
    /// All parameters as one JSON object
    #[arg(long, value_name = "JSON")]
    pub(super) params: Option<String>,
    /// Call the function of this extension, if several have it
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Idempotency key: repeated calls with the same key run the function once
    #[arg(long)]
    pub(super) key: Option<RequestKey>,
    /// Watch its background tasks until their outcome
    #[arg(long, short)]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SayArgs {
    /// The message; `-` reads standard input
    #[arg(required = true, value_name = "TEXT")]
    pub(super) text: Vec<String>,
    /// Idempotency key: repeated messages with the same key are answered once
    #[arg(long)]
    pub(super) key: Option<RequestKey>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ChatArgs {
    /// Write to the assistant: one message a line, until the input ends
    #[arg(long)]
    pub(super) talk: bool,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct AnswerArgs {
    /// Task id, or its last characters as `tasks` shows them
    #[arg(add = ArgValueCompleter::new(complete::asking_tasks))]
    pub(super) task: String,
    /// The answer: a choice or another value, or the fields of a form as key=value. Without it you are asked
    #[arg(value_name = "VALUE|KEY=VALUE", add = ArgValueCompleter::new(complete::answers))]
    pub(super) answer: Vec<String>,
    /// Answer this question, by its name or its id, if the task asks several
    #[arg(long, value_name = "QUESTION", add = ArgValueCompleter::new(complete::questions))]
    pub(super) question: Option<String>,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ContinueArgs {
    /// Task id, or its last characters as `tasks` shows them
    #[arg(add = ArgValueCompleter::new(complete::unfinished_tasks))]
    pub(super) task: String,
    /// Run this step again, and those after it: its number, or its name as `show` prints it. Default: the step after the
    /// last stored one
    #[arg(long, value_name = "STEP")]
    pub(super) from_step: Option<String>,
    /// Watch the new task until its outcome
    #[arg(long, short)]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunAgainArgs {
    /// Task id, or its last characters as `tasks` shows them
    #[arg(add = ArgValueCompleter::new(complete::ended_tasks))]
    pub(super) task: String,
    /// Idempotency key: the task runs again once for each key, and once without one
    #[arg(long)]
    pub(super) key: Option<RequestKey>,
    /// Watch the new task until its outcome
    #[arg(long, short)]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ExportArgs {
    /// Task id, or its last characters as `tasks` shows them
    #[arg(required_unless_present = "to", conflicts_with = "to", add = ArgValueCompleter::new(complete::tasks))]
    pub(super) task: Option<String>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub(super) out: Option<PathBuf>,
    /// Write all durable tasks that match to this folder, a file each
    #[arg(long, value_name = "FOLDER")]
    pub(super) to: Option<PathBuf>,
    /// With --to: only tasks that this function started
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(super) function: Option<String>,
    /// With --to: only tasks in this state: running, queued, waiting, stuck, succeeded, failed, cancelled, ..
    #[arg(long, requires = "to")]
    pub(super) state: Option<TaskState>,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    /// Number of rows: the latest ones
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// What to do with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FilesAction {
    /// List your files, the latest first
    List,
    /// Write the bytes of a file
    Get,
    /// Upload a file
    Put,
    /// Delete files
    Rm,
}

#[derive(Debug, ClapArgs)]
pub(super) struct FilesArgs {
    /// list, get, put or rm
    pub(super) action: FilesAction,
    /// The file to upload, or ids as `list` shows them
    #[arg(value_name = "ID")]
    pub(super) names: Vec<String>,
    /// The extension: of the list, or the one that takes the upload
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Where `get` writes. Default: standard output
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// The name of an upload. Default: the name of the file
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The type of an upload, such as image/png. Default: by its first bytes
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) content_type: Option<String>,
    /// Most rows of a list
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}
