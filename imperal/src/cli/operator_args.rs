//! The arguments of the commands for operators: secrets, tasks and documents of all users.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::connect_args::ConnectArgs;

/// What to do with secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum SecretAction {
    /// Enter or replace a value: from a prompt without echo, or from standard input
    Set,
    /// List which secrets have a value; never the values
    List,
    /// Remove a value
    Remove,
    /// Seal all secrets again with the platform's first key
    Rotate,
    /// Print a new key
    NewKey,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SecretArgs {
    /// set, list, remove, rotate or new-key
    pub(super) action: SecretAction,
    /// The secret
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// The secret of this extension, if several have one of the name
    #[arg(long)]
    pub(super) app: Option<String>,
    /// The secrets of the user with this id, or TENANT/ID, instead of your own
    #[arg(long, value_name = "ID")]
    pub(super) user: Option<String>,
    /// The id of the new key [default: today's date]
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// An action of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OpsAction {
    /// List open tasks of all users
    Tasks,
    /// Ask every task that matches to stop
    Cancel,
    /// Try tasks again at once that are stuck, or wait after crashes
    Retry,
    /// Let no process take up tasks of a durable task
    Pause,
    /// Take up its tasks again
    Resume,
    /// List what is paused
    Paused,
    /// Show the queues
    Queues,
    /// List the jobs: functions of extensions that run at times
    Jobs,
    /// List what runs at times for a user, with the last runs
    Schedules,
    /// Pause everything that runs at times for a user
    PauseSchedules,
    /// Let it run again
    ResumeSchedules,
}

#[derive(Debug, ClapArgs)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct OpsArgs {
    /// tasks, cancel, retry, pause, resume, paused, queues, jobs, schedules, pause-schedules or resume-schedules
    pub(super) action: OpsAction,
    /// A durable task, by the name of its fn: only its tasks. For `jobs` the name of a job
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Only tasks or jobs of this extension
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Only tasks that this function started
    #[arg(long, value_name = "NAME")]
    pub(super) function: Option<String>,
    /// Only tasks in this state: running, queued, waiting or stuck
    #[arg(long, value_name = "STATE")]
    pub(super) state: Option<String>,
    /// Only tasks that wait for this: process, retry, slot, version, time, answer or paused
    #[arg(long, value_name = "REASON")]
    pub(super) waits_for: Option<String>,
    /// Only tasks of this queue
    #[arg(long, value_name = "NAME")]
    pub(super) queue: Option<String>,
    /// Only tasks of this tenant's users
    #[arg(long, value_name = "ID")]
    pub(super) tenant: Option<String>,
    /// Only tasks of the user with this id, or TENANT/ID if several tenants have one; the user of schedules
    #[arg(long, value_name = "ID")]
    pub(super) user: Option<String>,
    /// Let `cancel` and `retry` change tasks of several tenants
    #[arg(long, conflicts_with = "tenant")]
    pub(super) all_tenants: bool,
    /// Let `cancel` and `retry` change tasks of several extensions
    #[arg(long, conflicts_with = "app")]
    pub(super) all_apps: bool,
    /// Only tasks whose attempts crashed their processes twice or more in a row
    #[arg(long)]
    pub(super) suspect: bool,
    /// Do it: without this, `cancel` and `retry` only say how many tasks match
    #[arg(long)]
    pub(super) yes: bool,
    /// Most rows of a list
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// What to do with documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DocumentsAction {
    /// List the collections, or the documents of one
    List,
    /// Show a document
    Show,
    /// Write documents as JSON lines
    Export,
    /// Read documents from JSON lines
    Import,
    /// Delete documents
    Delete,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DocumentsArgs {
    /// list, show, export, import or delete
    pub(super) action: DocumentsAction,
    /// The collection; without it `list` and `export` take all
    pub(super) collection: Option<String>,
    /// Ids of documents, for `show` and `delete`
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// The user of the documents, as ID or TENANT/ID. Default: the user of the data folder
    #[arg(long, value_name = "ID")]
    pub(super) user: Option<String>,
    /// The extension, if the binary has several
    #[arg(long)]
    pub(super) app: Option<String>,
    /// The file of `export` and `import`. Default: standard output and input
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Let `import` replace documents that exist
    #[arg(long)]
    pub(super) replace: bool,
    /// Do it: without this, `delete` only says how many documents there are
    #[arg(long)]
    pub(super) yes: bool,
    /// Most rows of a list
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}
