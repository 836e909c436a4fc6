//! How a person names a task: by its id, or by the end of its id.
//!
//! An id starts with its time, which tasks of one minute share. The end is random.

use serde::Deserialize;

use super::client::Client;
use super::exit::CliError;
use crate::ids::TaskId;
use crate::ledger::Task;

/// Characters of the end that a terminal shows.
const SHOWN: usize = 8;
/// Shortest end that names a task.
const FEWEST: usize = 4;

#[derive(Deserialize)]
pub(super) struct TaskList {
    pub(super) tasks: Vec<Task>,
}

/// The end of an id, as a terminal shows it.
pub(super) fn short_id(task_id: TaskId) -> String {
    let text = task_id.to_string();
    text[text.len() - SHOWN..].to_owned()
}

/// The task with this id, or the only one whose id has this end.
pub(super) async fn resolve_task(client: &Client, named: &str) -> Result<TaskId, CliError> {
    if let Ok(task_id) = named.parse() {
        return Ok(task_id);
    }
    let end = named.to_ascii_lowercase();
    let is_id_end = end.len() >= FEWEST && end.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !is_id_end {
        return Err(CliError::refused(format!("`{named}` is not a task id; `tasks` shows the ids")));
    }
    let TaskList { tasks } = client.get("/v1/tasks?limit=500").await?;
    let mut found = tasks.iter().filter(|task| task.task_id.to_string().ends_with(&end));
    match (found.next(), found.next()) {
        (Some(task), None) => Ok(task.task_id),
        (None, _) => Err(CliError::refused(format!("no task's id ends with `{named}`; `tasks` shows the ids"))),
        (Some(_), Some(_)) => {
            Err(CliError::refused(format!("several tasks' ids end with `{named}`: type more of the id")))
        }
    }
}
