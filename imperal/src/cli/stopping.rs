//! The end of `dev` and `serve`: the first signal lets running work finish, the second interrupts it.
//!
//! Owns its messages on standard error. Stopping itself is `server`.

use std::time::Duration;

use super::out::{self, OutputStyle, count};
use super::signals::StopSignals;
use super::when;
use crate::platform::RunningWork;
use crate::server::ListeningServer;

/// Names that are listed.
const NAMES: usize = 5;
/// How long the names of running tasks may take to read. A ledger that is out of reach must not delay the stop.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a platform stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    /// A first signal.
    Signal,
    /// Its supervisor asked, for example because there is a newer build.
    Supervisor,
}

/// Stops a platform. Running work may finish within the grace, until the next signal.
pub(super) async fn stop(listening: ListeningServer, grace: Duration, signals: &mut StopSignals, reason: StopReason) {
    let read = tokio::time::timeout(READ_TIMEOUT, listening.server().running_work());
    let running = read.await.unwrap_or_default();
    if let Some(text) = describe(&running, grace) {
        let way_out = if reason == StopReason::Signal { "; Ctrl-C again stops now" } else { "" };
        out::print_note(&OutputStyle::of_stderr().sanitize_line(&format!("stopping: {text}{way_out}")));
    } else if reason == StopReason::Signal {
        out::print_note("stopping");
    }
    let now = async {
        signals.next().await;
        out::print_note("stopping now: work that still runs is interrupted");
    };
    listening.stop_unless(grace, now).await;
}

/// "2 tasks may finish within 10 s: Import, Export; 1 durable task continues after the restart: Report". `None` if
/// nothing runs.
fn describe(running: &RunningWork, grace: Duration) -> Option<String> {
    let (calls, tasks, durable) = (running.calls.len(), running.tasks.len(), running.durable_tasks.len());
    let counts: Vec<_> =
        [(calls, "call"), (tasks, "task")].iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
    let mut parts = Vec::new();
    if !counts.is_empty() {
        let (counts, names) = (counts.join(" and "), list(running.tasks.iter().chain(&running.calls)));
        parts.push(format!("{counts} may finish within {}: {names}", when::format_duration(grace)));
    }
    if durable > 0 {
        let verb = if durable == 1 { "continues" } else { "continue" };
        let (counts, names) = (count(durable, "durable task"), list(running.durable_tasks.iter()));
        parts.push(format!("{counts} {verb} after the restart: {names}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The first names, and how many more there are.
fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<_> = names.cloned().collect();
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_named() {
        let grace = Duration::from_secs(10);
        let names = |count: usize| (1..=count).map(|number| format!("task {number}")).collect();
        assert_eq!(describe(&RunningWork::default(), grace), None);
        let one = RunningWork { tasks: vec!["Import".to_owned()], ..RunningWork::default() };
        assert_eq!(describe(&one, grace).unwrap(), "1 task may finish within 10 s: Import");
        let many = RunningWork { calls: vec!["linger".to_owned()], tasks: names(7), ..RunningWork::default() };
        let text = describe(&many, grace).unwrap();
        assert!(text.starts_with("1 call and 7 tasks may finish within 10 s: task 1, "), "{text}");
        assert!(text.ends_with("task 5, and 3 more"), "{text}");
        let durable = RunningWork { durable_tasks: names(1), ..RunningWork::default() };
        assert_eq!(describe(&durable, grace).unwrap(), "1 durable task continues after the restart: task 1");
        let both = RunningWork { tasks: vec!["Import".to_owned()], durable_tasks: names(6), ..RunningWork::default() };
        assert_eq!(
            describe(&both, grace).unwrap(),
            "1 task may finish within 10 s: Import; 6 durable tasks continue after the restart: task 1, task 2, \
             task 3, task 4, task 5, and 1 more"
        );
    }
}
