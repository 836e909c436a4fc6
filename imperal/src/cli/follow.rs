//! Watches tasks until their outcome: for `call --follow` and `follow`.
//!
//! Owns what is watched and how it ended. Events come from `feed.rs`, bars are drawn by `bars.rs`,
//! Ctrl-C is heard by `interrupt.rs`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::args::ConnectArgs;
use super::bars::ProgressBars;
use super::client::Client;
use super::exit::{CliError, Exit};
use super::interrupt::{Input, InterruptPrompt};
use super::sse::SseMessage;
use super::task_id::{self, TaskList};
use super::turns::{self, TurnPage};
use super::{feed, out, rows};
use crate::app::App;
use crate::codes;
use crate::function::Registry;
use crate::ids::{CallId, TaskId};
use crate::ledger::{Progress, Task, TaskState, Turn};

/// `follow [TASK]`.
pub(super) async fn follow(
    app: App,
    registry: Registry,
    named: Option<&str>,
    connect: &ConnectArgs,
) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, connect).await?;
    if client.is_embedded() {
        // Joining the ledger has settled what a dead process left; nothing can be running.
        let ended = settled(&client, named, connect.json).await;
        client.close().await;
        return ended;
    }
    // The latest number first: an outcome that comes after the look at the tasks is in the stream.
    let TurnPage { turns, .. } = client.get("/v1/chat/turns?latest=1").await?;
    let seen = turns.last().map_or(0, |turn| turn.seq);
    let tasks = match named {
        Some(named) => {
            let task_id = task_id::resolve_task(&client, named).await?;
            vec![client.get::<Task>(&format!("/v1/tasks/{task_id}")).await?]
        }
        None => client.get::<TaskList>("/v1/tasks/active").await?.tasks,
    };
    if tasks.is_empty() {
        return Ok(nothing_runs(connect.json));
    }
    if let [ended] = tasks.as_slice()
        && ended.state != TaskState::Running
    {
        return Ok(show_ended(ended, connect.json));
    }
    let follower = Follower::new(None, &tasks, connect.json, false)?;
    follower.until_done(&client, seen).await
}

async fn settled(client: &Client, named: Option<&str>, as_json: bool) -> Result<Exit, CliError> {
    let Some(named) = named else { return Ok(nothing_runs(as_json)) };
    let task_id = task_id::resolve_task(client, named).await?;
    Ok(show_ended(&client.get::<Task>(&format!("/v1/tasks/{task_id}")).await?, as_json))
}

fn nothing_runs(as_json: bool) -> Exit {
    if !as_json {
        out::print_line("No task is running. `tasks` shows those that have ended.");
    }
    Exit::Success
}

fn show_ended(task: &Task, as_json: bool) -> Exit {
    if as_json {
        out::print_json(task);
    } else {
        out::print_line(&format!(
            "{} has ended already: {}.",
            out::OutputStyle::of_stdout().sanitize_line(&task.name),
            task.state.as_str()
        ));
        if let Some(result) = &task.result {
            turns::show_result(result);
        }
    }
    exit_of(task.state)
}

/// A task that has ended, so long ago that nobody can say how.
fn gone(name: &str) -> Exit {
    out::print_note(&format!(
        "{} has ended; how is not kept any more",
        out::OutputStyle::of_stderr().sanitize_line(name)
    ));
    Exit::Failure
}

fn exit_of(state: TaskState) -> Exit {
    match state {
        TaskState::Running | TaskState::Succeeded => Exit::Success,
        TaskState::Cancelled => Exit::Cancelled,
        TaskState::Failed | TaskState::TimedOut | TaskState::Reclaimed => Exit::Failure,
    }
}

/// How often a gap is read when the platform does not answer; meanwhile nobody hears a Ctrl-C.
const GAP_TRIES: u32 = 10;

/// The event that comes instead of those that are not kept any more.
#[derive(Debug, Deserialize)]
struct Gap {
    /// Nothing after this number was heard.
    after: u64,
}

/// Tasks until their outcome.
#[derive(Debug)]
pub(super) struct Follower {
    /// Tasks that this call starts later are watched too.
    call_id: Option<CallId>,
    as_json: bool,
    bars: ProgressBars,
    open: HashMap<TaskId, String>,
    exit: Exit,
    cancelling: bool,
    embedded: bool,
    interrupts: InterruptPrompt,
    /// Turns up to this number were read from the chat, and are not shown again.
    read: u64,
    gap: Option<Gap>,
}

impl Follower {
    /// `embedded`: the platform is this process, and leaving ends the work.
    pub(super) fn new(
        call_id: Option<CallId>,
        tasks: &[Task],
        as_json: bool,
        embedded: bool,
    ) -> Result<Self, CliError> {
        // Before anything is shown that might make somebody press it.
        let interrupts = InterruptPrompt::listen(embedded)?;
        let bars = ProgressBars::new(!as_json && out::OutputStyle::of_stderr().terminal);
        let (open, exit) = (HashMap::new(), Exit::Success);
        let (cancelling, read, gap) = (false, 0, None);
        let mut follower = Self { call_id, as_json, bars, open, exit, cancelling, embedded, interrupts, read, gap };
        // Also those that have ended by now: their outcome comes with the stream.
        for task in tasks {
            follower.watch(task);
        }
        Ok(follower)
    }

    fn watch(&mut self, task: &Task) {
        self.open.insert(task.task_id, task.name.clone());
        self.bars.open(task);
    }

    /// Hears events after a number until every task has its outcome, or the person leaves.
    pub(super) async fn until_done(mut self, client: &Client, after: u64) -> Result<Exit, CliError> {
        let mut events = feed::open(client.api().clone(), after);
        while !self.open.is_empty() {
            let left = tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { break };
                    self.hear(&event?);
                    self.close_gap(client).await?;
                    false
                }
                wish = self.interrupts.next() => self.carry_out(wish, client).await?,
            };
            if left {
                self.bars.clear();
                self.say_how_to_come_back();
                return Ok(Exit::Interrupted);
            }
        }
        if self.interrupts.asking() && !self.as_json {
            eprintln!("it has ended");
        }
        self.bars.clear();
        Ok(self.exit)
    }

    /// Whether that was it.
    fn interrupted(&mut self) -> bool {
        if self.interrupts.asking() || self.cancelling || self.as_json || !InterruptPrompt::can_ask() {
            return true;
        }
        self.bars.pause();
        self.interrupts.ask(self.open.len());
        false
    }

    /// Whether that was it.
    async fn carry_out(&mut self, wish: Input, client: &Client) -> Result<bool, CliError> {
        match wish {
            Input::Interrupt => return Ok(self.interrupted()),
            Input::Detach => return Ok(true),
            Input::Invalid => {
                self.interrupts.ask(self.open.len());
                return Ok(false);
            }
            Input::Continue => {}
            Input::Cancel => {
                self.cancelling = true;
                for task_id in self.open.keys() {
                    let _: Task = client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await?;
                }
                out::print_note("asked to stop; Ctrl-C leaves it to that");
            }
        }
        self.bars.resume();
        Ok(false)
    }

    fn say_how_to_come_back(&self) {
        if self.embedded {
            out::print_note("interrupted: the work ran in this process. The chat says so, and it can be run again");
            return;
        }
        let bin = super::bin();
        let ids: Vec<_> = self.open.keys().map(|id| task_id::short_id(*id)).collect();
        let watch = if ids.len() == 1 { format!(" {}", ids[0]) } else { String::new() };
        out::print_note("not watching any more; the work goes on");
        out::print_note(&format!("  {bin} follow{watch}    watches it again"));
        for id in &ids {
            out::print_note(&format!("  {bin} cancel {id}    stops it"));
        }
    }

    /// An event that cannot be read is named and left out: the others are worth showing.
    fn hear(&mut self, message: &SseMessage) {
        let Err(error) = self.understand(message) else { return };
        self.bars.aside(|| {
            out::print_note(&format!("an event of the live stream was left out, it cannot be read: {error}"))
        });
        // An outcome is one all the same, or this would wait for ever.
        let data = message.data.as_bytes();
        let task_id = rows::field(data, "task_id").and_then(|text| text.parse().ok());
        if message.event == "turn"
            && rows::field(data, "result").is_some()
            && let Some((task_id, name)) = task_id.and_then(|task_id: TaskId| self.open.remove_entry(&task_id))
        {
            self.bars.end(task_id);
            let name = out::OutputStyle::of_stderr().sanitize_line(&name);
            self.bars.aside(|| out::print_note(&format!("{name} has ended; its outcome cannot be shown here")));
            self.exit = self.exit.combine(Exit::Failure);
        }
    }

    fn understand(&mut self, message: &SseMessage) -> serde_json::Result<()> {
        match message.event.as_str() {
            "progress" => {
                let progress: Progress = crate::json::read(message.data.as_bytes())?;
                if self.open.contains_key(&progress.task_id) {
                    self.progress(&progress);
                }
            }
            "task" => {
                let task: Task = crate::json::read(message.data.as_bytes())?;
                let embedded = self.open.contains_key(&task.task_id) || Some(task.call_id) == self.call_id;
                if task.state == TaskState::Running {
                    if embedded && !self.open.contains_key(&task.task_id) {
                        self.watch(&task);
                    }
                } else if self.open.contains_key(&task.task_id) {
                    self.exit = self.exit.combine(exit_of(task.state));
                }
            }
            "turn" => self.hear_turn(&crate::json::read(message.data.as_bytes())?),
            "pruned" => {
                const TOLD: &str = "the live stream left out what is not kept any more: looking it up";
                self.bars.aside(|| out::print_note(TOLD));
                self.gap = Some(crate::json::read(message.data.as_bytes())?);
            }
            _ => {}
        }
        Ok(())
    }

    fn hear_turn(&mut self, turn: &Turn) {
        if turn.seq <= self.read {
            return;
        }
        let embedded = turn.body.task_id.is_some_and(|task_id| self.open.contains_key(&task_id));
        if embedded || (self.call_id.is_some() && turn.body.call_id == self.call_id) {
            self.take_turn(turn);
        }
    }

    /// Learns from the tasks and the chat what the stream could not tell, most of all which tasks
    /// have ended. Their calls' events are kept while they run, so that nothing else can be missing.
    async fn close_gap(&mut self, client: &Client) -> Result<(), CliError> {
        let Some(Gap { after }) = self.gap.take() else { return Ok(()) };
        let mut tries = 1;
        loop {
            match self.read_gap(after, client).await {
                Err(error) if tries < GAP_TRIES && error.may_pass() => tokio::time::sleep(feed::PAUSE).await,
                read => return read,
            }
            tries += 1;
        }
    }

    async fn read_gap(&mut self, mut after: u64, client: &Client) -> Result<(), CliError> {
        // The tasks first: the outcome of one that has ended by now is in the chat, if it is kept.
        let mut ended = Vec::new();
        for task_id in self.open.keys() {
            match client.get::<Task>(&format!("/v1/tasks/{task_id}")).await {
                Ok(task) if task.state == TaskState::Running => {}
                Ok(task) => ended.push((*task_id, Some(task))),
                Err(error) if error.is(&codes::NOT_FOUND) => ended.push((*task_id, None)),
                Err(error) => return Err(error),
            }
        }
        loop {
            let TurnPage { turns, next } = client.get(&format!("/v1/chat/turns?after={after}&limit=500")).await?;
            for turn in &turns {
                self.hear_turn(turn);
            }
            self.read = turns.last().map_or(self.read, |turn| turn.seq);
            let Some(next) = next else { break };
            after = next;
        }
        for (task_id, task) in ended {
            let Some(name) = self.open.remove(&task_id) else { continue };
            self.bars.end(task_id);
            let as_json = self.as_json;
            let exit = self.bars.aside(|| task.map_or_else(|| gone(&name), |task| show_ended(&task, as_json)));
            self.exit = self.exit.combine(exit);
        }
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        if self.as_json {
            out::print_json(progress);
        } else if self.bars.are_shown() {
            self.bars.advance(progress.task_id, progress.percent, &progress.message);
        } else {
            let several = self.open.len() > 1;
            let name = if several { self.open.get(&progress.task_id) } else { None };
            let name = name.map_or_else(String::new, |name| format!("{name}: "));
            let said = out::OutputStyle::of_stderr().sanitize_line(&format!("{name}{}", progress.message));
            eprintln!("{:>3.0}%  {said}", progress.percent);
        }
    }

    fn take_turn(&mut self, turn: &Turn) {
        let ended = turn.body.task_id.filter(|_| turn.body.result.is_some());
        if let Some(task_id) = ended {
            self.bars.end(task_id);
        }
        let as_json = self.as_json;
        self.bars.aside(|| turns::show(turn, as_json));
        // An outcome has a result; an announcement midway has none.
        if let (Some(task_id), Some(result)) = (ended, &turn.body.result) {
            self.open.remove(&task_id);
            self.exit = self.exit.combine(turns::exit_of(result));
        }
    }
}
