//! Open tasks in words: a state in a column, why a task waits in a sentence, the step that it is at.
//!
//! Texts of extensions in them are as they came: what prints them makes them harmless.

use std::time::Duration;

use jiff::Timestamp;

use super::out::OutputStyle;
use super::{task_view, when};
use crate::ledger::{CurrentStep, StepsSoFar, Task, TaskState, WaitsFor};

const WITHOUT_PROCESS: &str = "; none has run it for ";

/// Why a task waits, without the times, which change all the time.
pub(super) fn kind_of_wait(why: &str) -> &str {
    let why = why.split(" in ").next().unwrap_or_default();
    why.split(WITHOUT_PROCESS).next().unwrap_or_default()
}

/// The state, short enough for a column.
pub(super) fn state(task: &Task, now: Timestamp, style: OutputStyle) -> String {
    let left = || when::format_duration(until(task.ready_at, now));
    match (task.state, task.waits_for) {
        (TaskState::Queued, Some(WaitsFor::Retry)) => format!("retry in {}", left()),
        (TaskState::Waiting, Some(WaitsFor::Time)) => match task.ready_at {
            Some(at) => format!("sleeps until {}", when::format_time_to_come(at, now, style)),
            None => "sleeps".to_owned(),
        },
        (TaskState::Waiting, Some(WaitsFor::Answer)) => "asks".to_owned(),
        (TaskState::Queued, Some(WaitsFor::Paused)) => "paused".to_owned(),
        (TaskState::Queued, _) if task.before.is_some() => format!("queued, {}", place(task)),
        (state, _) => state.in_words().to_owned(),
    }
}

/// `step 3, charge, 5 attempts`: where a task failed. `None` for one that did not fail at a step.
pub(super) fn failed_step(task: &Task) -> Option<String> {
    let steps = task.steps.as_ref()?;
    let cut_off = || steps.current.first().map(|step| (steps.done + 1, &step.name, step.attempt.unwrap_or(1)));
    let (number, name, tries) = match (task.state, &steps.failed) {
        (TaskState::Failed, Some(step)) => Some((step.number, &step.name, step.tries)),
        // A panic or the time limit cut it off.
        (TaskState::Failed | TaskState::TimedOut, None) | (TaskState::TimedOut, Some(_)) => cut_off(),
        _ => None,
    }?;
    let tries = if tries > 1 { format!(", {tries} attempts") } else { String::new() };
    Some(format!("step {number}, {name}{tries}"))
}

/// Why no process runs an open task: a clause after its name. `None` for one that runs or has ended.
pub(super) fn why_it_waits(task: &Task, now: Timestamp) -> Option<String> {
    if !task.state.is_open() || task.state.is_held() {
        return None;
    }
    let left = || when::format_duration(until(task.ready_at, now));
    let why = match (task.state, task.waits_for) {
        (_, Some(WaitsFor::Version)) | (TaskState::Stuck, _) => {
            "is stuck: no running version of the program can continue it".to_owned()
        }
        (_, Some(WaitsFor::Retry)) => format!("waits after crashes of its process; next attempt in {}", left()),
        (_, Some(WaitsFor::Slot)) if task.queue.is_some() => {
            let place = place(task);
            format!("waits for its turn in its queue{}{place}", if place.is_empty() { "" } else { ": " })
        }
        (_, Some(WaitsFor::Slot)) => "waits until another of your tasks ends".to_owned(),
        (_, Some(WaitsFor::Time)) => format!("sleeps; it goes on in {}", left()),
        (_, Some(WaitsFor::Answer)) => "waits for an answer".to_owned(),
        (_, Some(WaitsFor::Paused)) => "is paused by an operator".to_owned(),
        (_, Some(WaitsFor::Process) | None) => {
            let idle = task_view::time_without_process(task, now).map(when::format_duration);
            let idle = idle.map_or_else(String::new, |idle| format!("{WITHOUT_PROCESS}{idle}"));
            format!("waits for a process to go on{idle}")
        }
    };
    Some(match unknown_effects(task) {
        Some(unknown) => format!("{why}; {unknown}"),
        None => why,
    })
}

/// The place in the queue; empty if it is not known.
fn place(task: &Task) -> String {
    match task.before {
        None => String::new(),
        Some(0) => "next".to_owned(),
        Some(before) => format!("{before} before it"),
    }
}

/// That effects of a task that no process runs are unknown: a clause.
pub(super) fn unknown_effects(task: &Task) -> Option<String> {
    let what = match task.open_effects {
        0 => return None,
        1 => "an effect was".to_owned(),
        count => format!("{count} effects were"),
    };
    (!task.state.is_held()).then(|| format!("it is not known whether {what} done"))
}

/// The number of the step that a task is at, with its name: "4 charge". With several steps at once, the number of the others.
pub(super) fn step_in_column(steps: &StepsSoFar) -> String {
    let Some((first, others)) = steps.current.split_first() else {
        return if steps.done == 0 { String::new() } else { format!("{} done", steps.done) };
    };
    let tries = tries(first).map_or_else(String::new, |tries| format!(" ({tries})"));
    let more = if others.is_empty() { String::new() } else { format!(" +{}", others.len()) };
    format!("{} {}{tries}{more}", steps.done.saturating_add(1), first.name)
}

/// A step that runs or waits for its next try: "charge  attempt 3/5, the bank answered 504  next in 0:18".
pub(super) fn step_now(step: &CurrentStep, now: Timestamp) -> String {
    let mut text = step.name.clone();
    if let Some(tries) = tries(step) {
        text = format!("{text}  {tries}");
    }
    if let Some(error) = &step.error {
        text = format!("{text}, {}", error.trim_end_matches('.'));
    }
    match step.next_at {
        Some(next) if next > now => format!("{text}  next in {}", clock(until(Some(next), now))),
        _ => format!("{text}  {}", clock(until(Some(now), step.since))),
    }
}

/// A failed try, once it is over: "charge  attempt 2/5, the bank answered 504  next in 0:18".
pub(super) fn failed_try(step: &CurrentStep, now: Timestamp) -> Option<String> {
    (step.error.is_some() && step.next_at.is_some()).then(|| step_now(step, now))
}

fn tries(step: &CurrentStep) -> Option<String> {
    let attempt = step.attempt?;
    let of = step.of_attempts.map_or_else(String::new, |of| format!("/{of}"));
    Some(format!("attempt {attempt}{of}"))
}

fn until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.and_then(|at| Duration::try_from(at.duration_since(now)).ok()).unwrap_or_default()
}

/// Minutes and seconds: "0:18", "1:02:03".
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn task(state: &str, waits_for: Option<&str>) -> Task {
        let id = "01a20482-1178-74f9-8951-cc3b678a7413";
        serde_json::from_value(json!({
            "task_id": id, "call_id": id, "app_id": "a", "function": "f", "name": "f", "state": state,
            "long_running": false, "durable": true, "waits_for": waits_for, "created_at": at(0).to_string(),
            "ready_at": at(10).to_string(),
        }))
        .unwrap()
    }

    #[test]
    fn every_wait_has_words() {
        let mut lost = task("queued", Some("process"));
        lost.interrupted_at = Some(at(3));
        let why = why_it_waits(&lost, at(13)).unwrap();
        assert_eq!(why, "waits for a process to go on; none has run it for 10 s");
        assert_eq!(kind_of_wait(&why), "waits for a process to go on");
        let words = |name, waits_for| {
            let task = task(name, waits_for);
            (state(&task, at(1), OutputStyle::default()), why_it_waits(&task, at(1)).unwrap_or_default())
        };
        assert_eq!(words("running", None), ("running".to_owned(), String::new()));
        assert_eq!(words("succeeded", None).1, "");
        for (name, waits_for, short, says) in [
            ("queued", Some("process"), "queued", "waits for a process"),
            ("queued", Some("retry"), "retry in 9 s", "next attempt in 9 s"),
            ("queued", Some("slot"), "queued", "another of your tasks"),
            ("waiting", Some("time"), "sleeps until 2026-01-01 00:00:10", "goes on in 9 s"),
            ("waiting", Some("answer"), "asks", "an answer"),
            ("queued", Some("paused"), "paused", "an operator"),
            ("stuck", Some("version"), "stuck", "no running version"),
            ("stuck", None, "stuck", "no running version"),
        ] {
            let (column, sentence) = words(name, waits_for);
            assert_eq!(column, short);
            assert!(sentence.contains(says), "{sentence}");
        }
    }

    #[test]
    fn place_in_the_queue_is_shown_once_it_is_known() {
        let mut task = task("queued", Some("slot"));
        task.queue = Some("render".to_owned());
        let mut words = |before| {
            task.before = before;
            (state(&task, at(1), OutputStyle::default()), why_it_waits(&task, at(1)).unwrap_or_default())
        };
        let turn = "waits for its turn in its queue";
        assert_eq!(words(None), ("queued".to_owned(), turn.to_owned()));
        assert_eq!(words(Some(0)), ("queued, next".to_owned(), format!("{turn}: next")));
        assert_eq!(words(Some(3)), ("queued, 3 before it".to_owned(), format!("{turn}: 3 before it")));
    }

    #[test]
    fn an_unknown_effect_is_said_once_no_process_runs_it() {
        let with = |state: &str, open_effects| Task { open_effects, ..task(state, Some("answer")) };
        let words = |state, open| why_it_waits(&with(state, open), at(1));
        assert_eq!(words("waiting", 0).as_deref(), Some("waits for an answer"));
        assert_eq!(
            words("waiting", 1).as_deref(),
            Some("waits for an answer; it is not known whether an effect was done")
        );
        assert!(words("waiting", 2).is_some_and(|text| text.ends_with("whether 2 effects were done")));
        assert_eq!((words("running", 1), unknown_effects(&with("running", 1))), (None, None), "it may be under way");
        assert!(unknown_effects(&with("cancelled", 1)).is_some());
    }

    #[test]
    fn a_failed_task_names_the_step_at_which_it_failed() {
        let with = |state: &str, steps: serde_json::Value| {
            failed_step(&Task { steps: serde_json::from_value(steps).unwrap(), ..task(state, None) })
        };
        let failed = json!({ "done": 2, "failed": { "number": 3, "name": "charge", "tries": 5 } });
        assert_eq!(with("failed", failed.clone()).as_deref(), Some("step 3, charge, 5 attempts"));
        let cut_off = json!({ "done": 2, "current": [{ "name": "charge", "since": at(0).to_string() }] });
        assert_eq!(with("timed_out", cut_off.clone()).as_deref(), Some("step 3, charge"));
        assert_eq!(with("failed", json!({ "done": 2 })), None, "between two steps");
        assert_eq!((with("running", failed), with("cancelled", cut_off)), (None, None));
    }

    #[test]
    fn a_step_shows_its_time_or_the_wait_for_its_next_try() {
        let mut steps: StepsSoFar = serde_json::from_value(json!({
            "done": 2, "current": [{ "name": "charge", "since": at(0).to_string() }],
        }))
        .unwrap();
        assert_eq!(step_now(&steps.current[0], at(64)), "charge  1:04");
        assert_eq!(step_in_column(&steps), "3 charge");
        let step = &mut steps.current[0];
        (step.attempt, step.of_attempts) = (Some(3), Some(5));
        assert_eq!(step_now(step, at(4)), "charge  attempt 3/5  0:04");
        assert_eq!(failed_try(step, at(4)), None);
        (step.error, step.next_at) = (Some("The bank answered 504.".to_owned()), Some(at(22)));
        assert_eq!(step_now(step, at(4)), "charge  attempt 3/5, The bank answered 504  next in 0:18");
        assert_eq!(step_in_column(&steps), "3 charge (attempt 3/5)");
        let mut done = steps.clone();
        done.current.clear();
        assert_eq!(step_in_column(&done), "2 done");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
    }
}
