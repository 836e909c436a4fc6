//! How a run is: read from its call and the tasks of the call.

use jiff::Timestamp;

use super::{Run, RunState};
use crate::codes;
use crate::context::cut_text;
use crate::ledger::{CallRecord, LedgerResult, Owner, Task, TaskState, Turn};
use crate::platform::Node;

/// Characters of a run's text.
const TEXT: usize = 200;

impl Node {
    /// The run as it is now.
    pub(in crate::platform) async fn outcome_of(&self, owner: &Owner, run: &Run) -> LedgerResult<Run> {
        let Some(call_id) = run.call_id else { return Ok(run.clone()) };
        let Some(CallRecord { reply, asked }) = self.ledger.find_call(owner, call_id).await? else {
            let text = Some("Its turns are no longer kept; its outcome is unknown.".to_owned());
            return Ok(Run { state: RunState::Cancelled, ended_at: Some(run.at), text, ..run.clone() });
        };
        let Some(reply) = reply else { return Ok(Run { state: RunState::Running, ..run.clone() }) };
        let tasks = self.ledger.tasks_of_call(owner, call_id).await?;
        Ok(ended_run(run, &asked, &reply, &tasks))
    }
}

fn ended_run(run: &Run, asked: &Turn, reply: &Turn, tasks: &[Task]) -> Run {
    let task_ids = tasks.iter().map(|task| task.task_id).collect();
    if let Some(open) = tasks.iter().find(|task| task.state.is_open()) {
        let waits = tasks.iter().find(|task| task.state.is_open() && task.open_questions > 0);
        let (state, text) = match waits {
            Some(task) => (RunState::Waiting, format!("{} waits for your answer.", task.name)),
            None => (RunState::Running, format!("{} is running.", open.name)),
        };
        return Run { state, task_ids, text: Some(short(&text)), ..run.clone() };
    }
    let mut state = match &reply.body.result {
        Some(result) if !result.is_success() => match &result.error_code {
            Some(code) if *code == codes::INTERRUPTED => RunState::Interrupted,
            Some(code) if *code == codes::CANCELLED => RunState::Cancelled,
            _ => RunState::Failed,
        },
        _ => RunState::Succeeded,
    };
    let mut text = reply.body.text.clone();
    for task in tasks {
        let (of_task, verb) = match task.state {
            TaskState::Failed => (RunState::Failed, "failed"),
            TaskState::TimedOut => (RunState::Failed, "took too long and was stopped"),
            TaskState::Reclaimed => (RunState::Interrupted, "was interrupted"),
            TaskState::Cancelled => (RunState::Cancelled, "was cancelled"),
            _ => continue,
        };
        if state == RunState::Succeeded || (state == RunState::Cancelled && of_task != RunState::Cancelled) {
            state = of_task;
            text = format!("{} {verb}.", task.name);
        }
    }
    let ends = tasks.iter().filter_map(|task| task.finished_at).chain([reply.at]);
    let ended_at: Option<Timestamp> = ends.max().map(|end| end.max(asked.at));
    Run { state, task_ids, ended_at, text: Some(short(&text)), ..run.clone() }
}

/// The start of a text, on one line.
pub(super) fn short(text: &str) -> String {
    let (text, _) = cut_text(text.to_owned());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TEXT {
        return line;
    }
    line.chars().take(TEXT - 1).chain(['…']).collect()
}
