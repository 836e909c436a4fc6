//! The texts of turns and audit rows that the platform writes for ended work.
//!
//! One ending reads the same whether the work ended on this node, was recovered after a crash, or was taken over
//! from another node.

use std::time::Duration;

use super::readable_name::readable;
use crate::codes;
use crate::context::{Origin, cut_text};
use crate::error::{Error, ErrorKind};
use crate::ids::{CallId, TaskId};
use crate::ledger::{AuditOutcome, NewAudit, Role, Task, TaskEnd, TaskRecord, TaskState, TurnBody};
use crate::result::WireResult;
use crate::task::{Ending, Limits};

/// The call or task that a turn or row is about: from an active context, or from a row found by recovery.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkRef<'a> {
    pub(super) tenant_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) app_id: &'a str,
    pub(super) function: &'a str,
    pub(super) call_id: Option<CallId>,
    pub(super) task_id: Option<TaskId>,
}

impl<'a> From<&'a Origin> for WorkRef<'a> {
    fn from(origin: &'a Origin) -> Self {
        Self {
            tenant_id: &origin.user.tenant_id,
            user_id: &origin.user.id,
            app_id: origin.app_id,
            function: origin.function,
            call_id: Some(origin.call_id),
            task_id: origin.task_id,
        }
    }
}

impl<'a> WorkRef<'a> {
    /// The task of a stored record.
    pub(super) fn of_record(record: &'a TaskRecord) -> Self {
        Self {
            tenant_id: &record.owner.tenant_id,
            user_id: &record.owner.user_id,
            app_id: &record.task.app_id,
            function: &record.task.function,
            call_id: Some(record.task.call_id),
            task_id: Some(record.task.task_id),
        }
    }
}

/// A bot turn with an answer.
pub(super) fn answer_turn(work: WorkRef<'_>, mut result: WireResult) -> TurnBody {
    let (text, truncated) = cut_text(result.text().to_owned());
    if truncated {
        result.set_text(&text);
    }
    TurnBody {
        function: Some(work.function.to_owned()),
        call_id: work.call_id,
        task_id: work.task_id,
        refresh_panels: result.refresh_panels.clone(),
        result: Some(result),
        truncated,
        ..TurnBody::new(Role::Bot, text, work.app_id)
    }
}

/// The answer of a call by its ending.
pub(super) fn call_answer(work: WorkRef<'_>, ending: Ending, limits: &Limits) -> WireResult {
    match ending {
        Ending::Answered(result) => *result,
        Ending::Failed(error) => failure(work, error),
        Ending::Panicked(text) => panicked(work, &text),
        Ending::TimedOut | Ending::Silent => WireResult::failure(
            codes::BACKEND_TIMEOUT,
            format!("{} did not answer within {} s and was stopped.", readable(work.function), limits.cap.as_secs()),
            true,
        ),
        Ending::Cancelled => {
            WireResult::failure(codes::CANCELLED, format!("{} was cancelled.", readable(work.function)), false)
        }
        // A call is never handed over.
        Ending::Interrupted | Ending::Left(_) => interrupted(work.function),
    }
}

/// The answer of a call or task whose process stopped.
pub(super) fn interrupted(name: &str) -> WireResult {
    WireResult::failure(
        codes::INTERRUPTED,
        format!("{} was interrupted: the process running it stopped. You can run it again.", readable(name)),
        true,
    )
}

/// The rows of a task's end: outcome turn and audit row, written in one transaction.
pub(super) fn task_end(work: WorkRef<'_>, name: &str, ending: Ending, limits: &Limits) -> TaskEnd {
    let mut outcome = AuditOutcome::Done;
    let (state, result) = match ending {
        Ending::Answered(result) if result.is_success() => (TaskState::Succeeded, *result),
        Ending::Answered(result) => (TaskState::Failed, *result),
        Ending::Failed(error) => (TaskState::Failed, failure(work, error)),
        Ending::Panicked(text) => {
            outcome = AuditOutcome::Critical;
            (TaskState::Failed, panicked(work, &text))
        }
        Ending::Cancelled => (
            TaskState::Cancelled,
            WireResult::failure(codes::CANCELLED, format!("{} was cancelled.", readable(name)), false),
        ),
        Ending::TimedOut => (
            TaskState::TimedOut,
            WireResult::failure(
                codes::BACKEND_TIMEOUT,
                format!("{} did not finish within {} s and was stopped.", readable(name), limits.cap.as_secs()),
                true,
            ),
        ),
        Ending::Silent => (
            TaskState::Reclaimed,
            WireResult::failure(
                codes::TASK_SILENT,
                format!("{} gave no sign of life for {} s and was stopped.", readable(name), limits.liveness.as_secs()),
                true,
            ),
        ),
        // A handed-over task has no outcome yet; its run does not come here.
        Ending::Interrupted | Ending::Left(_) => (TaskState::Reclaimed, interrupted(name)),
    };
    delivery(work, state, result, outcome)
}

/// The rows of the end of a task whose process is gone.
pub(super) fn reclaimed(work: WorkRef<'_>, task: &Task) -> TaskEnd {
    if task.cancel_requested_at.is_some() {
        // The user asked the task to stop, and it has stopped.
        return cancelled_unheld(work, &task.name);
    }
    delivery(work, TaskState::Reclaimed, interrupted(&task.name), AuditOutcome::Done)
}

/// The rows of the end of a cancelled task that nothing runs.
pub(super) fn cancelled_unheld(work: WorkRef<'_>, name: &str) -> TaskEnd {
    let result = WireResult::failure(codes::CANCELLED, format!("{} was cancelled.", readable(name)), false);
    delivery(work, TaskState::Cancelled, result, AuditOutcome::Done)
}

/// The rows of the end of a durable task that does not get on.
pub(super) fn crashed(work: WorkRef<'_>, name: &str, crashes: u32) -> TaskEnd {
    let why = if crashes > 1 {
        format!("{} was stopped: the processes that ran it crashed {crashes} times in a row.", readable(name))
    } else {
        format!("{} was stopped: many attempts made no progress.", readable(name))
    };
    let result = WireResult::failure(codes::TASK_CRASHED, why, false);
    delivery(work, TaskState::Reclaimed, result, AuditOutcome::Critical)
}

/// The rows of the end of a durable task that no program could continue for so long.
pub(super) fn stuck(work: WorkRef<'_>, name: &str, time: Duration) -> TaskEnd {
    let (name, time) = (readable(name), in_words(time));
    let text = format!("{name} was stopped: no running version of the program could continue it for {time}.");
    let result = WireResult::failure(codes::TASK_STUCK, text, true);
    delivery(work, TaskState::Reclaimed, result, AuditOutcome::Critical)
}

/// A length of time in the largest unit that it is a whole number of.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(24 * 3600, "a day", "days"), (3600, "an hour", "hours"), (60, "a minute", "minutes")];
    match units.into_iter().find(|(unit, ..)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, one, _)) if seconds == unit => one.to_owned(),
        Some((unit, _, many)) => format!("{} {many}", seconds / unit),
        None => format!("{seconds} s"),
    }
}

/// Adds to an end that it is not known whether these effects were done: `open` of them, and the names that are known.
pub(super) fn speak_of_effects(end: &mut TaskEnd, names: &[String], open: u32) {
    end.open_effects = open;
    if open == 0 {
        return;
    }
    let text = unknown_effects(names, open);
    format!("{} {text}", end.turn.text).trim_start().clone_into(&mut end.turn.text);
    if let Some(result) = &mut end.turn.result {
        let text = format!("{} {text}", result.text()).trim_start().to_owned();
        result.set_text(&text);
    }
    let detail = end.audit.detail.get_or_insert_default();
    *detail = if detail.is_empty() { text } else { format!("{detail}; {text}") };
    if end.audit.outcome == AuditOutcome::Done {
        end.audit.outcome = AuditOutcome::Critical;
    }
}

/// Most effects that an end names.
const NAMED_EFFECTS: usize = 8;

fn unknown_effects(names: &[String], open: u32) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED_EFFECTS.min(open as usize))
        .map(|name| format!("`{}`", &name[..name.floor_char_boundary(120)]))
        .collect();
    let more = (open as usize).saturating_sub(shown.len());
    match (&shown[..], more) {
        ([name], 0) => format!("It is not known whether {name} was done."),
        ([], 1) => "It is not known whether an effect of the task was done.".to_owned(),
        ([], more) => format!("It is not known whether {more} effects of the task were done."),
        (_, 0) => format!("It is not known whether these were done: {}.", shown.join(", ")),
        (_, more) => format!("It is not known whether these were done: {} and {more} more.", shown.join(", ")),
    }
}

fn delivery(work: WorkRef<'_>, state: TaskState, result: WireResult, outcome: AuditOutcome) -> TaskEnd {
    let turn = answer_turn(work, result);
    let mut audit = audit(work, "chat.inject", outcome);
    audit.target = Some(turn.turn_id.to_string());
    audit.detail = Some(match work.task_id {
        Some(task_id) => format!("outcome of task {task_id}: {}", state.in_words()),
        None => format!("outcome: {}", state.in_words()),
    });
    TaskEnd::new(state, turn, audit)
}

/// An audit row about what the platform did for an extension's work.
pub(super) fn audit(work: WorkRef<'_>, action: &str, outcome: AuditOutcome) -> NewAudit {
    NewAudit {
        tenant_id: work.tenant_id.to_owned(),
        user_id: work.user_id.to_owned(),
        actor: format!("extension:{}", work.app_id),
        app_id: Some(work.app_id.to_owned()),
        action: action.to_owned(),
        target: None,
        outcome,
        detail: None,
    }
}

fn failure(work: WorkRef<'_>, error: Error) -> WireResult {
    let text = cut_for_log(error.to_string());
    if error.kind() == ErrorKind::Internal {
        tracing::error!(app = work.app_id, function = work.function, error = text, "the extension failed");
    } else {
        tracing::info!(
            app = work.app_id,
            function = work.function,
            error = text,
            "the extension answered with an error"
        );
    }
    error.into_wire()
}

fn panicked(work: WorkRef<'_>, text: &str) -> WireResult {
    let text = cut_for_log(text.to_owned());
    tracing::error!(app = work.app_id, function = work.function, panic = text, "the extension panicked");
    WireResult::failure(codes::INTERNAL, crate::error::INTERNAL_TEXT, false)
}

/// Most bytes of an author's text in one log line.
const LOG_LIMIT: usize = 8192;

fn cut_for_log(mut text: String) -> String {
    if text.len() > LOG_LIMIT {
        text.truncate(text.floor_char_boundary(LOG_LIMIT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_one_unit() {
        let words = [86_400, 259_200, 3600, 43_200, 60, 5400, 90].map(Duration::from_secs).map(in_words);
        assert_eq!(words, ["a day", "3 days", "an hour", "12 hours", "a minute", "90 minutes", "90 s"]);
    }

    #[test]
    fn an_end_names_the_effects_that_may_have_happened() {
        let names = |count: usize| (1..=count).map(|n| format!("pay/{n}")).collect::<Vec<_>>();
        assert_eq!(unknown_effects(&names(1), 1), "It is not known whether `pay/1` was done.");
        assert_eq!(unknown_effects(&names(2), 2), "It is not known whether these were done: `pay/1`, `pay/2`.");
        assert!(unknown_effects(&names(10), 10).ends_with("`pay/8` and 2 more."));
        // Rows that were damaged: the ledger counts others than could be read.
        assert_eq!(unknown_effects(&[], 2), "It is not known whether 2 effects of the task were done.");
        assert_eq!(unknown_effects(&names(2), 1), "It is not known whether `pay/1` was done.");
        let long = unknown_effects(&["ü".repeat(300)], 1);
        assert!(long.len() < 200, "{long}");
    }
}
