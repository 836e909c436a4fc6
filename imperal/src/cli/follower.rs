//! Watches tasks until their outcome, for `call --follow` and `follow`.
//!
//! Owns which tasks are watched, what is printed about them and how they ended. Events come from
//! `event_stream.rs`, bars are drawn by `bars.rs`, `interrupt.rs` asks what Ctrl-C means. `durable.rs` has what is
//! shown of durable tasks, `gap.rs` what is read when events are missing.

mod asking;
mod durable;
mod gap;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::MissedTickBehavior;

use self::asking::Asking;
use self::durable::SyncState;
use self::gap::Gap;
use super::bars::ProgressBars;
use super::client::Client;
use super::durable_watch::DurableWatch;
use super::event_stream::{ReceivedEvents, StreamEvent};
use super::exit::{CliError, Exit};
use super::interrupt::{Input, InterruptPrompt};
use super::keys::QuietInput;
use super::live_texts::LiveTexts;
use super::out::{OutputStyle, Paint};
use super::sse::SseMessage;
use super::turns;
use super::{lenient_list, out, program_name, task_id};
use crate::ids::{CallId, TaskId};
use crate::ledger::{DraftPiece, Progress, Task, Turn, Work};

/// How often the times in the bars of durable tasks are renewed, and steps looked for that could not be read.
const TICK: Duration = Duration::from_millis(500);

/// A task without an outcome yet.
#[derive(Debug)]
struct WatchedTask {
    name: String,
    percent: Option<f64>,
    message: String,
    durable: Option<DurableWatch>,
}

/// Tasks until their outcome.
#[derive(Debug)]
pub(super) struct Follower {
    /// Tasks that this call starts later are watched too.
    call_id: Option<CallId>,
    as_json: bool,
    bars: ProgressBars,
    open: HashMap<TaskId, WatchedTask>,
    /// Number of watched tasks. If there are several, each line names its task.
    watched: usize,
    exit: Exit,
    cancelling: bool,
    /// Without bars: progress lines on standard error, or as JSON.
    shows_progress: bool,
    prompt: InterruptPrompt,
    asking: Asking,
    /// Turns up to this number were printed already.
    printed: u64,
    gap: Option<Gap>,
    sync: SyncState,
    texts: LiveTexts,
    /// What is typed while bars are drawn would move them.
    _quiet: Option<QuietInput>,
}

impl Follower {
    /// From here on Ctrl-C does not end the process. `embedded`: the platform is this process.
    pub(super) fn new(as_json: bool, embedded: bool) -> Result<Self, CliError> {
        let bars = ProgressBars::new(!as_json && OutputStyle::of_stderr().terminal);
        Ok(Self {
            call_id: None,
            as_json,
            prompt: InterruptPrompt::listen(embedded)?,
            _quiet: bars.are_shown().then(QuietInput::enter).flatten(),
            bars,
            open: HashMap::new(),
            asking: Asking::default(),
            watched: 0,
            shows_progress: true,
            exit: Exit::Success,
            cancelling: false,
            printed: 0,
            gap: None,
            sync: SyncState::default(),
            texts: LiveTexts::default(),
        })
    }

    /// Prints outcomes only. Bars stay.
    #[must_use]
    pub(super) fn without_progress_lines(mut self) -> Self {
        self.shows_progress = false;
        self
    }

    /// Watches the tasks of a call whose reply turn was printed. The events must start before the call.
    ///
    /// Tasks that ended already are watched too: their outcome is in the stream.
    pub(super) fn watch_call(&mut self, call_id: CallId, tasks: &[Task], reply_seq: u64) {
        self.call_id = Some(call_id);
        self.printed = reply_seq;
        for task in tasks {
            self.watch(task);
        }
    }

    /// Watches running tasks and prints how far they are.
    pub(super) fn watch_tasks(&mut self, tasks: &[Task]) {
        for task in tasks {
            self.watch(task);
        }
        if self.as_json || self.bars.are_shown() || !self.shows_progress {
            return;
        }
        for task in tasks {
            if let Some(percent) = task.percent {
                self.print_progress(task.task_id, percent, task.message.as_deref().unwrap_or_default());
            }
        }
    }

    fn watch(&mut self, task: &Task) {
        let watched = WatchedTask {
            name: task.name.clone(),
            percent: task.percent,
            message: task.message.clone().unwrap_or_default(),
            durable: task.durable.then(|| DurableWatch::new(task)),
        };
        if self.open.insert(task.task_id, watched).is_none() {
            self.watched += 1;
        }
        self.bars.add(task);
        self.leave_if_not_run_here(task);
    }

    /// Handles events until every task has its outcome, or the person leaves.
    pub(super) async fn until_done(mut self, client: &Client, mut events: ReceivedEvents) -> Result<Exit, CliError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.open.is_empty() {
            let left = tokio::select! {
                event = events.next() => {
                    match event {
                        Some(Ok(StreamEvent::Message(message))) => {
                            self.read_last_steps(&message, client).await;
                            self.handle_event(&message);
                        }
                        Some(Ok(StreamEvent::Lost)) => self.lose_connection(),
                        Some(Err(error)) => return Err(self.stop_watching(error)),
                        None => return Err(self.stop_watching(CliError::unavailable("the live stream has ended"))),
                    }
                    self.close_gap(client).await?;
                    if self.sync.has_changed {
                        self.catch_up(client).await;
                    }
                    false
                }
                _ = tick.tick() => {
                    self.catch_up(client).await;
                    false
                }
                input = self.prompt.next() => self.handle_input(input, client).await?,
                key = self.asking.next_key() => {
                    self.handle_answer_key(key, client).await;
                    false
                }
            };
            if left {
                self.asking.close();
                self.prompt.close();
                self.bars.clear();
                self.print_how_to_return();
                return Ok(Exit::Interrupted);
            }
        }
        self.asking.close();
        self.prompt.close();
        self.bars.clear();
        Ok(self.exit)
    }

    /// Returns whether watching ends.
    fn handle_interrupt(&mut self) -> Result<bool, CliError> {
        if self.prompt.is_open() || self.cancelling || self.as_json || !InterruptPrompt::can_ask() {
            return Ok(true);
        }
        // One question at a time reads the keys. The other one is asked again when this one is over.
        self.asking.close();
        self.bars.pause();
        self.prompt.ask(self.open.len())?;
        Ok(false)
    }

    /// Prints above the bars. An open question is erased before and asked again below.
    fn print<T>(&mut self, print: impl FnOnce() -> T) -> T {
        self.prompt.erase();
        self.asking.erase();
        let printed = self.bars.print_above(print);
        self.asking.draw();
        self.prompt.draw(self.open.len());
        printed
    }

    /// The task of a line: id and name. In a pipe only if there are several tasks.
    fn label(&self, task_id: TaskId, name: &str, style: OutputStyle) -> String {
        let name = style.sanitize_line(name);
        if style.terminal {
            format!("{} {name}: ", style.paint(Paint::Dim, &task_id::short_id(task_id)))
        } else if self.watched > 1 {
            format!("{task_id}  {name}: ")
        } else {
            String::new()
        }
    }

    /// Returns whether watching ends.
    async fn handle_input(&mut self, input: Input, client: &Client) -> Result<bool, CliError> {
        match input {
            Input::Interrupt => return self.handle_interrupt(),
            Input::Detach => return Ok(true),
            Input::Continue => {}
            Input::Cancel => {
                self.cancelling = true;
                for task_id in self.open.keys() {
                    let _: Task = client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await?;
                }
                out::print_note("asked to stop; Ctrl-C stops watching");
            }
        }
        self.bars.resume();
        Ok(false)
    }

    fn print_how_to_return(&self) {
        let bin = program_name::command_line();
        if self.prompt.is_embedded() {
            if self.open.values().any(|watched| watched.durable.is_none()) {
                let note = "interrupted: the work ran in this process. The chat says so; run it again if you need it";
                out::print_note(note);
            }
            if self.has_durable() {
                out::print_note(&format!("durable tasks go on when a process serves them: `{bin} dev` starts one"));
            }
            return;
        }
        let ids: Vec<_> = self.open.keys().map(|id| task_id::short_id(*id)).collect();
        let watch = if ids.len() == 1 { format!(" {}", ids[0]) } else { String::new() };
        out::print_note("not watching any more; the work goes on");
        out::print_note(&format!("  {bin} follow{watch}    watches it again"));
        for id in &ids {
            out::print_note(&format!("  {bin} cancel {id}    stops it"));
        }
    }

    /// Handles an event. One that cannot be read is named and skipped.
    fn handle_event(&mut self, message: &SseMessage) {
        let Err(error) = self.read_event(message) else { return };
        self.print(|| out::print_note(&format!("skipped an unreadable event of the live stream: {error}")));
        // An unreadable outcome still ends its task. Without this the command would wait forever.
        let data = message.data.as_bytes();
        let task_id = lenient_list::scalar_field(data, "task_id").and_then(|text| text.parse().ok());
        if message.event == "turn"
            && lenient_list::scalar_field(data, "result").is_some()
            && let Some((task_id, watched)) = task_id.and_then(|task_id: TaskId| self.open.remove_entry(&task_id))
        {
            self.bars.remove(task_id);
            let name = OutputStyle::of_stderr().sanitize_line(&watched.name);
            self.print(|| out::print_note(&format!("{name} has ended; its outcome cannot be shown here")));
            self.exit = self.exit.combine(Exit::Failure);
        }
    }

    fn read_event(&mut self, message: &SseMessage) -> serde_json::Result<()> {
        let data = message.data.as_bytes();
        match message.event.as_str() {
            "progress" => self.handle_progress(&crate::json::read(data)?),
            "draft" => self.handle_draft(crate::json::read(data)?),
            "task" => self.handle_task(&crate::json::read(data)?),
            "turn" => self.handle_turn(&crate::json::read(data)?),
            "hello" => self.reopen_connection(),
            "pruned" => {
                const NOTE: &str = "events of the live stream were removed by retention: reading the chat instead";
                self.print(|| out::print_note(NOTE));
                self.gap = Some(crate::json::read(data)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_progress(&mut self, progress: &Progress) {
        let Some(watched) = self.open.get_mut(&progress.task_id) else { return };
        watched.percent = progress.percent.or(watched.percent);
        if let Some(message) = &progress.message {
            watched.message.clone_from(message);
        }
        if let (Some(durable), Some(steps)) = (&mut watched.durable, &progress.steps) {
            durable.report(steps);
        }
        if self.bars.are_shown() {
            self.show_in_bar(progress.task_id);
        } else if self.shows_progress && self.as_json {
            out::print_json(progress);
        } else if let Some(percent) = progress.percent.filter(|_| self.shows_progress) {
            self.print_progress(progress.task_id, percent, progress.message.as_deref().unwrap_or_default());
        }
    }

    /// Prints the text that a watched task is writing.
    fn handle_draft(&mut self, piece: DraftPiece) {
        let is_watched = piece.task_id.is_some_and(|task_id| self.open.contains_key(&task_id));
        if !is_watched || !self.shows_progress {
            return;
        }
        let Some((news, lines)) = self.texts.take(piece, OutputStyle::of_stderr()) else { return };
        if self.as_json {
            out::print_json(&news);
        } else {
            self.print_text(news.task_id, &lines);
        }
    }

    fn print_text(&mut self, task_id: Option<TaskId>, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let watched = task_id.and_then(|task_id| Some((task_id, self.open.get(&task_id)?)));
        let label = watched.filter(|_| self.watched > 1);
        let label = label.map_or_else(String::new, |(id, of)| self.label(id, &of.name, OutputStyle::of_stderr()));
        self.print(|| lines.iter().for_each(|line| eprintln!("{label}{line}")));
    }

    /// A line on standard error.
    fn print_progress(&self, task_id: TaskId, percent: f64, message: &str) {
        let style = OutputStyle::of_stderr();
        let watched = self.open.get(&task_id);
        let label = watched.map_or_else(String::new, |watched| self.label(task_id, &watched.name, style));
        eprintln!("{percent:>3.0}%  {label}{}", style.sanitize_line(message));
    }

    fn handle_task(&mut self, task: &Task) {
        let is_watched = self.open.contains_key(&task.task_id);
        if !task.state.is_open() {
            if is_watched {
                self.exit = self.exit.combine(turns::exit_of_state(task.state));
            }
        } else if is_watched {
            self.update_durable(task);
        } else if Some(task.call_id) == self.call_id {
            self.watch(task);
            self.sync.has_changed |= task.durable;
        }
    }

    fn handle_turn(&mut self, turn: &Turn) {
        if turn.seq <= self.printed {
            return;
        }
        let of_task = turn.body.task_id.is_some_and(|task_id| self.open.contains_key(&task_id));
        let of_call = self.call_id.is_some() && turn.body.call_id == self.call_id;
        if of_task || of_call {
            self.print_turn(turn);
        }
    }

    fn print_turn(&mut self, turn: &Turn) {
        let task_id = turn.body.task_id;
        let label = task_id.and_then(|task_id| Some((task_id, self.open.get(&task_id)?)));
        let style = OutputStyle::of_stdout();
        let label = label.map_or_else(String::new, |(id, watched)| self.label(id, &watched.name, style));
        // An outcome turn has a result. A message midway has none.
        if let Some((task_id, result)) = task_id.zip(turn.body.result.as_ref()) {
            let is_of_task = |work| matches!(work, Work::Task(attempt) if attempt.task_id == task_id);
            let rest = self.texts.end(is_of_task, OutputStyle::of_stderr());
            if !self.as_json {
                self.print_text(Some(task_id), &rest);
            }
            self.bars.remove(task_id);
            self.open.remove(&task_id);
            self.exit = self.exit.combine(turns::exit_of(result));
        }
        let as_json = self.as_json;
        self.print(|| turns::print_turn(turn, &label, as_json));
    }
}
