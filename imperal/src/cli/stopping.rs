//! The end of `dev` and `serve`: the first signal lets running work finish, the second interrupts it.
//!
//! Owns what is said about it on standard error. Stopping itself is `server`.

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

/// "2 tasks may finish within 10 s: Import, Export". `None` if nothing runs.
fn describe(running: &RunningWork, grace: Duration) -> Option<String> {
    let (calls, tasks) = (running.calls.len(), running.tasks.len());
    let counts: Vec<_> =
        [(calls, "call"), (tasks, "task")].iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
    if counts.is_empty() {
        return None;
    }
    let mut names: Vec<_> = running.tasks.iter().chain(&running.calls).take(NAMES).cloned().collect();
    if calls + tasks > NAMES {
        names.push(format!("and {} more", calls + tasks - NAMES));
    }
    let (counts, names) = (counts.join(" and "), names.join(", "));
    Some(format!("{counts} may finish within {}: {names}", when::format_duration(grace)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_named() {
        let grace = Duration::from_secs(10);
        let names = |count: usize| (1..=count).map(|number| format!("task {number}")).collect();
        assert_eq!(describe(&RunningWork::default(), grace), None);
        let one = RunningWork { calls: Vec::new(), tasks: vec!["Import".to_owned()] };
        assert_eq!(describe(&one, grace).unwrap(), "1 task may finish within 10 s: Import");
        let many = RunningWork { calls: vec!["linger".to_owned()], tasks: names(7) };
        let text = describe(&many, grace).unwrap();
        assert!(text.starts_with("1 call and 7 tasks may finish within 10 s: task 1, "), "{text}");
        assert!(text.ends_with("task 5, and 3 more"), "{text}");
    }
}
