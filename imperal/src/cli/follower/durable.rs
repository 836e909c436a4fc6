//! Durable tasks while they are watched: steps that are done stay as lines, and the bar has the ones that run.
//!
//! A task goes on in another process after a crash or a deploy, so a lost connection is no end: what reports said
//! meanwhile is read once the connection is open again.

use std::time::Duration;

use jiff::Timestamp;

use super::Follower;
use crate::cli::client::Client;
use crate::cli::durable_watch::{DurableLine, DurableWatch};
use crate::cli::exit::{CliError, Exit};
use crate::cli::out::{self, OutputStyle};
use crate::cli::sse::SseMessage;
use crate::cli::{durable_words, lenient_list, program_name, task_id};
use crate::ids::TaskId;
use crate::ledger::{Task, WaitsFor};

/// Longest wait for one read. Ctrl-C is not handled meanwhile.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads that the events make necessary.
#[derive(Debug, Default)]
pub(super) struct SyncState {
    connection: Connection,
    /// A durable task changed its state: its steps are read before the next event is handled.
    pub(super) has_changed: bool,
}

/// The connection to the platform.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Connection {
    #[default]
    Open,
    Lost,
    /// Open again. Reports of the time between were not read yet.
    Reopened,
}

impl Follower {
    pub(super) fn has_durable(&self) -> bool {
        self.open.values().any(|watched| watched.durable.is_some())
    }

    pub(super) fn durable_mut(&mut self, task_id: TaskId) -> Option<&mut DurableWatch> {
        self.open.get_mut(&task_id)?.durable.as_mut()
    }

    fn durable_ids(&self) -> Vec<TaskId> {
        let durable = self.open.iter().filter(|(_, watched)| watched.durable.is_some());
        durable.map(|(task_id, _)| *task_id).collect()
    }

    /// Takes a newer state of a watched task.
    pub(super) fn update_durable(&mut self, task: &Task) {
        let Some(durable) = self.durable_mut(task.task_id) else { return };
        durable.update(task);
        self.sync.has_changed = true;
        if self.as_json && self.shows_progress {
            out::print_json(task);
        }
        self.leave_if_not_run_here(task);
    }

    /// Stops watching a task that waits, if the platform is this process: it takes up no task, except for one that it
    /// has just started in a queue.
    pub(super) fn leave_if_not_run_here(&mut self, task: &Task) {
        let begins_here = task.queue.is_some() && task.attempt == 0 && task.waits_for == Some(WaitsFor::Slot);
        if !self.prompt.is_embedded() || !task.state.is_open() || task.state.is_held() || begins_here {
            return;
        }
        self.open.remove(&task.task_id);
        self.bars.remove(task.task_id);
        let name = OutputStyle::of_stderr().sanitize_line(&task.name);
        let why = durable_words::why_it_waits(task, Timestamp::now()).unwrap_or_default();
        let bin = program_name::command_line();
        let (answers, exit) = match task.waits_for {
            Some(WaitsFor::Answer) => {
                (format!("`{bin} answer {}` answers it, and ", task_id::short_id(task.task_id)), Exit::Asks)
            }
            _ => (String::new(), Exit::Unavailable),
        };
        self.print(|| out::print_note(&format!("{name} {why}; {answers}`{bin} dev` goes on with it")));
        self.exit = self.exit.combine(exit);
    }

    pub(super) fn lose_connection(&mut self) {
        self.sync.connection = Connection::Lost;
        self.print(|| out::print_note("the connection to the platform is lost; trying to connect again"));
    }

    pub(super) fn reopen_connection(&mut self) {
        if self.sync.connection == Connection::Lost {
            self.sync.connection = Connection::Reopened;
            self.sync.has_changed = true;
            self.print(|| out::print_note("connected again"));
        }
    }

    /// Ends the watching before the outcome. The work goes on.
    pub(super) fn stop_watching(&mut self, error: CliError) -> CliError {
        self.asking.close();
        self.prompt.close();
        self.bars.clear();
        if error.hint.is_some() {
            return error;
        }
        let ids: Vec<_> = self.open.keys().map(|id| task_id::short_id(*id)).collect();
        let named = if let [id] = ids.as_slice() { format!(" {id}") } else { String::new() };
        error.hint(format!("`{} follow{named}` watches again; the outcome is not known", program_name::command_line()))
    }

    /// Reads what the events only hint at, and shows it.
    pub(super) async fn catch_up(&mut self, client: &Client) {
        self.sync.has_changed = false;
        if self.sync.connection == Connection::Reopened {
            self.read_tasks(client).await;
        }
        for task_id in self.durable_ids() {
            if self.shows_steps() && self.sync.connection == Connection::Open {
                self.read_steps(task_id, client).await;
            }
            if self.bars.are_shown() {
                self.show_in_bar(task_id);
            } else if self.shows_steps()
                && let Some(durable) = self.durable_mut(task_id)
            {
                let news = durable.news(Timestamp::now());
                self.print_lines(task_id, &news);
            }
            self.look_for_questions(task_id, client).await;
        }
        self.end_prompt_of_ended_task();
    }

    fn shows_steps(&self) -> bool {
        self.shows_progress && !self.as_json
    }

    /// Before the outcome of a durable task is printed: its last steps.
    pub(super) async fn read_last_steps(&mut self, message: &SseMessage, client: &Client) {
        let data = message.data.as_bytes();
        if message.event != "turn" || !self.shows_steps() || !self.has_durable() {
            return;
        }
        let task_id = lenient_list::scalar_field(data, "task_id").and_then(|text| text.parse().ok());
        if lenient_list::scalar_field(data, "result").is_some()
            && let Some(task_id) = task_id
            && let Some(durable) = self.durable_mut(task_id)
        {
            durable.expect_steps();
            self.read_steps(task_id, client).await;
        }
    }

    /// Reads the states that the events of a lost connection do not have: no process may have taken a task up.
    async fn read_tasks(&mut self, client: &Client) {
        self.sync.connection = Connection::Open;
        for task_id in self.durable_ids() {
            let path = format!("/v1/tasks/{task_id}");
            match tokio::time::timeout(READ_TIMEOUT, client.get::<Task>(&path)).await {
                // The outcome comes with its events.
                Ok(Ok(task)) if !task.state.is_open() => {}
                Ok(Ok(task)) => {
                    if let Some(durable) = self.durable_mut(task_id) {
                        durable.update(&task);
                    }
                }
                Ok(Err(error)) if !error.is_transient() => {}
                Ok(Err(_)) | Err(_) => self.sync.connection = Connection::Reopened,
            }
        }
    }

    async fn read_steps(&mut self, task_id: TaskId, client: &Client) {
        let Some(durable) = self.durable_mut(task_id).filter(|durable| durable.is_stale()) else { return };
        // The next tick repeats a failed read.
        if let Ok(Ok(lines)) = tokio::time::timeout(READ_TIMEOUT, durable.read_steps(client)).await {
            self.print_lines(task_id, &lines);
        }
    }

    /// Prints lines on standard error, above the bars.
    fn print_lines(&mut self, task_id: TaskId, lines: &[DurableLine]) {
        if lines.is_empty() {
            return;
        }
        let style = OutputStyle::of_stderr();
        let label = match self.open.get(&task_id) {
            Some(watched) if self.watched > 1 => self.label(task_id, &watched.name, style),
            _ => String::new(),
        };
        self.print(|| lines.iter().for_each(|line| print_line(line, &label, style)));
    }

    /// Shows in the bar what a task said last, and why it waits or which steps it is at.
    pub(super) fn show_in_bar(&self, task_id: TaskId) {
        let Some(watched) = self.open.get(&task_id) else { return };
        let stage = watched.durable.as_ref().map_or_else(String::new, |durable| durable.stage(Timestamp::now()));
        let parts = [watched.message.as_str(), &stage];
        let shown: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.bars.update(task_id, watched.percent, &shown.join(" · "));
    }
}

fn print_line(line: &DurableLine, label: &str, style: OutputStyle) {
    let text = style.sanitize_line(&line.text);
    if style.terminal {
        eprintln!("{} {label}{text}", style.paint(line.paint, line.mark));
    } else {
        let word = if line.word.is_empty() { String::new() } else { format!("{}  ", line.word) };
        // Columns are for people.
        let text = text.split("  ").filter(|part| !part.is_empty()).map(str::trim).collect::<Vec<_>>().join("  ");
        eprintln!("{label}{word}{text}");
    }
}
