//! The settings of a platform, their defaults, and their valid ranges.

use std::path::PathBuf;
use std::time::Duration;

use super::{PlatformError, Queue};
use crate::assistant::AssistantSettings;
use crate::context::{MAX_TIMEOUT, PARKED_FROM};
use crate::files::Blobs;
use crate::ids::TaskId;
use crate::ledger::{NewTask, RetentionPolicy};
use crate::vault::SecretKeys;

/// Times and limits of a platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The node's name: the same over restarts, different from every other node's.
    pub node: String,
    /// Cap of a foreground call. 300 s.
    pub call_cap: Duration,
    /// Cap of a background task. 180 s.
    pub task_cap: Duration,
    /// Cap of a background task with `long_running`. 1800 s.
    pub long_task_cap: Duration,
    /// Longest silence of a background task. 300 s, longer than the longest `ctx.http` call.
    pub liveness: Duration,
    /// From a cancel to the work being dropped. 10 s.
    pub cancel_grace: Duration,
    /// How long the node's right to its tasks lasts without renewal: at least three times
    /// `renew_every`. 15 s.
    pub lease: Duration,
    /// How often the lease is renewed, and orphaned work of other nodes looked for. 5 s; a server on PostgreSQL lowers
    /// it to half a second, or to a tenth of the lease if that is less.
    pub renew_every: Duration,
    /// Most running tasks of a user. 100.
    pub tasks_per_user: u32,
    /// The version of this program, as durable tasks know it: a task that it cannot continue waits for another
    /// one. Nodes of one build have the same. Made of the executable's size and time unless it is set.
    pub program: String,
    /// Most open tasks of a user: running ones, and durable ones that wait. 1,000.
    pub open_tasks_per_user: u32,
    /// How long a durable task waits for a version of the program that can continue it before it ends. 24 h.
    pub stuck_for: Duration,
    /// The queues of durable tasks. See [`Queue`].
    pub queues: Vec<Queue>,
    /// Bytes of turns that a user may add a day (UTC); 0 for no limit, which is the default. `serve` has 256 MiB.
    /// Over it calls and services' messages are refused; what was accepted still gets its reply and outcome. The
    /// values of steps have a limit of the same size on each node.
    pub stored_per_user_and_day: u64,
    /// Most documents that a user has of one extension. 100,000.
    pub documents_per_user: u64,
    /// Most bytes of a user's documents of one extension: ids and JSON. 256 MiB.
    pub document_bytes_per_user: u64,
    /// Most bytes of a file. 100 MiB.
    pub file_bytes: u64,
    /// Most files that a user has of one extension. 10,000.
    pub files_per_user: u64,
    /// Most bytes of a user's files of one extension. 1 GiB.
    pub file_bytes_per_user: u64,
    /// Where the bytes of files are: `file:///folder`, or with the feature `s3` `s3://bucket/prefix`. The folder `files`
    /// in the data folder; none for a ledger on PostgreSQL, whose nodes have to share it.
    pub files_url: Option<String>,
    /// Most open calls of a user on this node, each from before its parameters are read until its reply is
    /// written; 0 for no limit. 50.
    pub calls_per_user: u32,
    /// Most bytes of memory for the parameters of a user's open calls on this node, estimated from the requests. A
    /// single call is always accepted. 64 MiB.
    pub call_bytes_per_user: u64,
    /// How long running work may go on after the process was asked to stop. 10 s.
    pub shutdown_grace: Duration,
    /// How long turns, ended tasks, events and audit rows are kept. For ever.
    pub keep: RetentionPolicy,
    /// How often what is older is looked for, at least. 1 h; more often when something is kept for
    /// less than 4 h.
    pub prune_every: Duration,
    /// Where the traces of a task are looked up: an address with `{task}` in place of the task's id, such as
    /// `https://traces.example.com/search?task={task}`. Timelines link to it.
    pub trace_url: Option<String>,
    /// The keys that secrets are sealed with. A program whose extensions declare secrets needs one.
    pub secret_keys: Option<SecretKeys>,
    /// The model of the assistant, and its limits. Without one, messages are refused.
    pub assistant: Option<AssistantSettings>,
    /// How often tasks that became ready are looked for without a hint. 1 s.
    pub(crate) look_every: Duration,
    /// From which length on a sleep of a durable task is parked. 60 s.
    pub(crate) parked_from: Duration,
    /// Whether this node takes up durable tasks that other processes left. A process that ends with one command
    /// takes up only tasks of queues that it has started.
    pub(crate) takes_up_tasks: bool,
    /// The store of the bytes of files, if there is one.
    pub(crate) blobs: Option<Blobs>,
    /// The folder of this process's files, if it has one.
    pub(crate) data_folder: Option<PathBuf>,
}

/// Tells builds of a program apart: the size and time of the executable, which copies of an image share.
fn program_version() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata).ok();
    let changed = file.as_ref().and_then(|file| file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{:x}-{:x}", file.map_or(0, |file| file.len()), changed.unwrap_or_default().as_micros())
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            call_cap: Duration::from_secs(300),
            task_cap: NewTask::CAP,
            long_task_cap: Duration::from_secs(1800),
            liveness: Duration::from_secs(300),
            cancel_grace: Duration::from_secs(10),
            lease: Duration::from_secs(15),
            renew_every: Duration::from_secs(5),
            program: program_version(),
            tasks_per_user: 100,
            open_tasks_per_user: 1000,
            stuck_for: DAY,
            queues: Vec::new(),
            stored_per_user_and_day: 0,
            documents_per_user: 100_000,
            document_bytes_per_user: 256 << 20,
            file_bytes: 100 << 20,
            files_per_user: 10_000,
            file_bytes_per_user: 1 << 30,
            files_url: None,
            calls_per_user: 50,
            call_bytes_per_user: 64 << 20,
            shutdown_grace: Duration::from_secs(10),
            keep: RetentionPolicy::FOREVER,
            prune_every: Duration::from_secs(3600),
            trace_url: None,
            secret_keys: None,
            assistant: None,
            look_every: Duration::from_secs(1),
            parked_from: PARKED_FROM,
            takes_up_tasks: true,
            blobs: None,
            data_folder: None,
        }
    }
}

/// Shortest valid time.
const INSTANT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Longest valid cap: 30 days.
const LONGEST_WORK: Duration = Duration::from_secs(30 * 24 * 3600);
const CENTURY: Duration = Duration::from_secs(36_500 * 24 * 3600);
/// Renewals that must fit into a lease, so that one may fail.
const RENEWALS: u32 = 3;
/// Longest name of a node or a version, in bytes.
const NAME_LIMIT: usize = 255;
/// The part of `trace_url` that the task's id replaces.
const TASK_PLACE: &str = "{task}";
/// Longest `trace_url`, in bytes.
const URL_LIMIT: usize = 2048;

impl Settings {
    /// Refuses invalid values.
    pub(crate) fn check(&self) -> Result<(), PlatformError> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(PlatformError::Settings(faults)) }
    }

    /// One sentence for each invalid value; empty when the platform can start.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut within = |name, value, range| faults.extend(outside(name, value, range));
        within("call_cap", self.call_cap, (INSTANT, LONGEST_WORK));
        within("task_cap", self.task_cap, (INSTANT, LONGEST_WORK));
        within("long_task_cap", self.long_task_cap, (INSTANT, LONGEST_WORK));
        within("liveness (--liveness)", self.liveness, (INSTANT, LONGEST_WORK));
        within("cancel_grace (--cancel-grace)", self.cancel_grace, (INSTANT, HOUR));
        within("lease (--lease)", self.lease, (INSTANT * RENEWALS, HOUR));
        within("renew_every", self.renew_every, (INSTANT, HOUR));
        within("shutdown_grace (--shutdown-grace)", self.shutdown_grace, (Duration::ZERO, DAY));
        within("stuck_for (--stuck-for)", self.stuck_for, (SECOND, CENTURY));
        within("prune_every", self.prune_every, (SECOND, CENTURY));
        for (name, age) in [
            ("keep.turns (--keep-turns)", self.keep.turns),
            ("keep.tasks (--keep-tasks)", self.keep.tasks),
            ("keep.events (--keep-events)", self.keep.events),
            ("keep.audit (--keep-audit)", self.keep.audit),
        ] {
            if let Some(age) = age {
                within(name, age, (SECOND, CENTURY));
            }
        }
        if self.renew_every.checked_mul(RENEWALS).is_none_or(|least| self.lease < least) {
            faults.push(format!(
                "lease (--lease) is {} and renew_every {}; renew at least {RENEWALS} times within a lease",
                format_duration(self.lease),
                format_duration(self.renew_every)
            ));
        }
        faults.extend(self.assistant.iter().flat_map(AssistantSettings::faults));
        if self.tasks_per_user == 0 {
            faults.push("tasks_per_user (--tasks-per-user) is 0, so no task could start; use 1 or more".to_owned());
        }
        for (name, text) in [("node (--node)", &self.node), ("program (--program-version)", &self.program)] {
            if text.trim().is_empty() || text.len() > NAME_LIMIT || text.chars().any(char::is_control) {
                faults.push(format!(
                    "{name} is {:?}; use a name of 1 to {NAME_LIMIT} bytes without control characters",
                    &text[..text.floor_char_boundary(80)]
                ));
            }
        }
        faults.extend(self.trace_url.as_deref().and_then(trace_url_fault));
        faults.extend(Queue::faults(&self.queues));
        faults
    }

    /// Where the traces of this task are looked up.
    pub(super) fn trace_url_of(&self, task_id: TaskId) -> Option<String> {
        self.trace_url.as_ref().map(|url| url.replace(TASK_PLACE, &task_id.to_string()))
    }

    /// Valid values that may surprise, for the log.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.liveness <= MAX_TIMEOUT {
            warnings.push(format!(
                "liveness is {}: a task that waits for one ctx.http() call of up to {} is taken for silent",
                format_duration(self.liveness),
                format_duration(MAX_TIMEOUT)
            ));
        }
        warnings
    }
}

fn trace_url_fault(url: &str) -> Option<String> {
    let filled = url.replace(TASK_PLACE, "0");
    let is_address = reqwest::Url::parse(&filled).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_sound = url.contains(TASK_PLACE) && is_address && url.len() <= URL_LIMIT;
    (!is_sound).then(|| {
        let shown = &url[..url.floor_char_boundary(80)];
        format!(
            "trace_url (--trace-url) is {shown:?}; use an http or https address of at most {URL_LIMIT} bytes with \
             {TASK_PLACE} in place of the task's id"
        )
    })
}

/// A sentence for a time outside its range; `None` for a valid time.
pub(crate) fn outside(name: &str, value: Duration, (least, most): (Duration, Duration)) -> Option<String> {
    let is_sound = (least..=most).contains(&value);
    (!is_sound).then(|| {
        format!("{name} is {}; use {} to {}", format_duration(value), format_duration(least), format_duration(most))
    })
}

/// A duration as options are written: `90 d`, `1.5 s`.
fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(DAY.as_secs()) {
        format!("{} d", seconds / DAY.as_secs())
    } else {
        format!("{} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RetentionPolicy;

    fn faults(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.faults()
    }

    #[test]
    fn default_settings_are_accepted_without_a_warning() {
        assert_eq!(Settings::default().faults(), Vec::<String>::new());
        assert_eq!(Settings::default().warnings(), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_listed_with_its_option() {
        let faults = faults(|s| {
            (s.renew_every, s.lease) = (Duration::ZERO, Duration::MAX);
            s.tasks_per_user = 0;
            s.node = " ".to_owned();
            s.program = String::new();
            s.keep.turns = Some(Duration::MAX);
            s.trace_url = Some("https://traces.example.com/search".to_owned());
            s.queues = vec![Queue::new("render").at_most(0)];
        });
        for wanted in [
            "renew_every is 0 s; use 0.001 s to 3600 s",
            "lease (--lease) is 18446744073709552000 s",
            "tasks_per_user (--tasks-per-user)",
            "node (--node)",
            "program (--program-version)",
            "keep.turns (--keep-turns)",
            "trace_url (--trace-url)",
            "the queue `render` runs no task",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(wanted)), "{wanted}: {faults:#?}");
        }
        assert_eq!(faults.len(), 8, "{faults:#?}");
    }

    #[test]
    fn trace_url_names_the_task() {
        let at = |url: &str| Settings { trace_url: Some(url.to_owned()), ..Settings::default() };
        let sound = at("https://traces.example.com/search?tags={\"task\":\"{task}\"}");
        assert_eq!(sound.faults(), Vec::<String>::new());
        let task = TaskId::generate();
        let wanted = format!("https://traces.example.com/search?tags={{\"task\":\"{task}\"}}");
        assert_eq!(sound.trace_url_of(task), Some(wanted));
        for wrong in
            ["", "{task}", "traces/{task}", "javascript:alert('{task}')", "ftp://a.test/{task}", "http://a.test"]
        {
            assert_eq!(at(wrong).faults().len(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_lease_shorter_than_three_renewals_is_refused() {
        assert_eq!(faults(|s| (s.lease, s.renew_every) = (SECOND * 3, SECOND)), Vec::<String>::new());
        let refused = faults(|s| (s.lease, s.renew_every) = (SECOND * 2, SECOND));
        assert_eq!(refused, ["lease (--lease) is 2 s and renew_every 1 s; renew at least 3 times within a lease"]);
    }

    #[test]
    fn a_liveness_shorter_than_one_http_call_gives_a_warning() {
        let settings = Settings { liveness: SECOND, keep: RetentionPolicy::FOREVER, ..Settings::default() };
        assert_eq!(settings.faults(), Vec::<String>::new());
        assert!(settings.warnings()[0].contains("180 s"), "{:?}", settings.warnings());
    }
}
