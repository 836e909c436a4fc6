//! The arguments of `schedule`.

use clap::Args as ClapArgs;

use super::connect_args::ConnectArgs;

/// What to do with schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ScheduleAction {
    /// Run a function at times: `add WHEN FUNCTION KEY=VALUE ..`
    Add,
    /// Run it no more until `resume`
    Pause,
    /// Run it again from its next time on
    Resume,
    /// Run it once now; its times stay
    Run,
    /// Change its name, times or parameters
    Edit,
    /// Delete it; its past runs stay in the chat
    Rm,
    /// Show the next times of WHEN; makes nothing
    Next,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ScheduleArgs {
    /// add, pause, resume, run, edit, rm or next
    pub(super) action: ScheduleAction,
    /// For `add` and `next` the times, such as 'every day 08:00 Europe/Berlin' or 'every 2 hours'; else the schedule's id, its
    /// last characters or its name
    #[arg(value_name = "WHEN|SCHEDULE")]
    pub(super) subject: String,
    /// For `add` the function and its parameters, for `edit` parameters to change; `key=@file` reads a file
    #[arg(value_name = "FUNCTION|KEY=VALUE")]
    pub(super) rest: Vec<String>,
    /// The name [default: the function's]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// New times, for `edit`
    #[arg(long, value_name = "WHEN")]
    pub(super) when: Option<String>,
    /// The time zone, if WHEN has none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub(super) zone: Option<String>,
    /// The first day, as 2027-01-31; `none` takes it away
    #[arg(long, value_name = "DATE")]
    pub(super) starts: Option<String>,
    /// The last day, as 2027-01-31; `none` takes it away
    #[arg(long, value_name = "DATE")]
    pub(super) ends: Option<String>,
    /// End after this number of runs; `none` takes it away
    #[arg(long, value_name = "NUMBER")]
    pub(super) runs: Option<String>,
    /// The function of this extension, if several have it
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Do it without a question: delete a schedule, or let a destructive function run by itself
    #[arg(long)]
    pub(super) yes: bool,
    /// Number of times that `next` shows
    #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}
