//! The texts of turns and audit rows that the platform writes for ended work.
//!
//! One ending reads the same whether the work ended on this node, was recovered after a crash, or was taken over
//! from another node.

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

/// The rows of the end of a durable task that no program could continue.
pub(super) fn stuck(work: WorkRef<'_>, name: &str) -> TaskEnd {
    let text =
        format!("{} was stopped: no running version of the program could continue it for a day.", readable(name));
    let result = WireResult::failure(codes::TASK_STUCK, text, true);
    delivery(work, TaskState::Reclaimed, result, AuditOutcome::Critical)
}

fn delivery(work: WorkRef<'_>, state: TaskState, result: WireResult, outcome: AuditOutcome) -> TaskEnd {
    let turn = answer_turn(work, result);
    let mut audit = audit(work, "chat.inject", outcome);
    audit.target = Some(turn.turn_id.to_string());
    audit.detail = Some(match work.task_id {
        Some(task_id) => format!("outcome of task {task_id}: {}", state.in_words()),
        None => format!("outcome: {}", state.in_words()),
    });
    TaskEnd { state, turn, audit }
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
