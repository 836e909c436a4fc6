//! Naming a task at the terminal: by its id, or by the end of it.
//!
//! The start of an id is its time, the same for tasks of one minute; the end is what tells them apart.

use serde::Deserialize;

use super::client::Client;
use super::exit::CliError;
use crate::ids::TaskId;
use crate::ledger::Task;

/// Characters of the end that are shown on a terminal.
const SHOWN: usize = 8;
/// Fewer are more likely a slip than a task.
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

/// The task that was named.
pub(super) async fn resolve_task(client: &Client, named: &str) -> Result<TaskId, CliError> {
    if let Ok(task_id) = named.parse() {
        return Ok(task_id);
    }
    let end = named.to_ascii_lowercase();
    let form = end.len() >= FEWEST && end.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !form {
        return Err(CliError::refused(format!("`{named}` is no task id; `tasks` shows them")));
    }
    let TaskList { tasks } = client.get("/v1/tasks?limit=500").await?;
    let mut found = tasks.iter().filter(|task| task.task_id.to_string().ends_with(&end));
    match (found.next(), found.next()) {
        (Some(task), None) => Ok(task.task_id),
        (None, _) => {
            Err(CliError::refused(format!("there is no task whose id ends with `{named}`; `tasks` shows them")))
        }
        (Some(_), Some(_)) => Err(CliError::refused(format!("several tasks' ids end with `{named}`: give more of it"))),
    }
}
