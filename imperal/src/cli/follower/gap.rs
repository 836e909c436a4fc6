//! A gap in the live stream, because retention removed events: the follower reads the tasks and the chat instead.

use serde::Deserialize;

use super::Follower;
use crate::cli::client::Client;
use crate::cli::event_stream::RETRY_PAUSE;
use crate::cli::exit::{CliError, Exit};
use crate::cli::out::{self, OutputStyle};
use crate::cli::turns::{self, TurnPage};
use crate::codes;
use crate::ledger::Task;

/// Attempts to read what a gap in the stream left out. Ctrl-C is not handled meanwhile.
const GAP_ATTEMPTS: u32 = 10;

/// The data of the event `pruned`, which replaces events that retention removed.
#[derive(Debug, Deserialize)]
pub(super) struct Gap {
    /// The last number before the gap.
    after: u64,
}

impl Follower {
    /// Reads from the tasks and the chat what the stream left out, in particular which tasks have ended.
    /// Retention keeps the events of running tasks, so nothing else is missing.
    pub(super) async fn close_gap(&mut self, client: &Client) -> Result<(), CliError> {
        let Some(Gap { after }) = self.gap.take() else { return Ok(()) };
        let mut attempt = 1;
        loop {
            match self.read_gap(after, client).await {
                Err(error) if attempt < GAP_ATTEMPTS && error.is_transient() => tokio::time::sleep(RETRY_PAUSE).await,
                read => return read,
            }
            attempt += 1;
        }
    }

    async fn read_gap(&mut self, mut after: u64, client: &Client) -> Result<(), CliError> {
        // Tasks first: the outcome turn of a task that has ended by now is in the chat, unless it was pruned.
        let mut ended = Vec::new();
        for task_id in self.open.keys() {
            match client.get::<Task>(&format!("/v1/tasks/{task_id}")).await {
                Ok(task) if task.state.is_open() => {}
                Ok(task) => ended.push((*task_id, Some(task))),
                Err(error) if error.has_code(&codes::NOT_FOUND) => ended.push((*task_id, None)),
                Err(error) => return Err(error),
            }
        }
        loop {
            let TurnPage { turns, next } = client.get(&format!("/v1/chat/turns?after={after}&limit=500")).await?;
            for turn in &turns {
                self.handle_turn(turn);
            }
            self.printed = turns.last().map_or(self.printed, |turn| turn.seq);
            let Some(next) = next else { break };
            after = next;
        }
        for (task_id, task) in ended {
            let Some(watched) = self.open.remove(&task_id) else { continue };
            self.bars.remove(task_id);
            let as_json = self.as_json;
            let exit = self.print(|| match task {
                Some(task) => turns::print_ended_task(&task, as_json),
                None => print_pruned_task(&watched.name),
            });
            self.exit = self.exit.combine(exit);
        }
        Ok(())
    }
}

/// A task that ended and was removed by retention. Whether it succeeded is unknown, so this counts as a failure.
fn print_pruned_task(name: &str) -> Exit {
    let name = OutputStyle::of_stderr().sanitize_line(name);
    out::print_note(&format!("{name} has ended; its outcome was removed by retention"));
    Exit::Failure
}
