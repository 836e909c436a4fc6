//! The work of one call: where it stands, and waiting for its end.
//!
//! Everything is read from the ledger by the call's id, so that any node answers, also after a crash.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResult, ContentBlock, DetailedTask, InputRequests, JsonObject, ProgressNotificationParam, Task as McpTask,
    TaskPayload, TaskStatus,
};
use rmcp::service::RequestContext;
use serde_json::Value;
use tokio::time::Instant;

use super::{answer, images};
use crate::codes;
use crate::error::Error;
use crate::ids::CallId;
use crate::ledger::{FeedSignal, RetentionPolicy, Task, TaskState, WaitsFor};
use crate::platform::{Access, CallWork};
use crate::result::Result;

/// Shortest time between two reads of one waiting request. Each event of the user asks for a read.
const READ_PAUSE: Duration = Duration::from_millis(100);
/// Poll intervals that clients are asked to keep, in milliseconds.
const POLL: (u64, u64) = (1_000, 30_000);

/// The state of a call and of the tasks that it started.
pub(super) enum Standing {
    /// Not done, with a sentence on it.
    Working(String),
    /// Done.
    Done(CallToolResult),
    /// Stopped by its user.
    Cancelled,
}

impl CallWork {
    /// Where the work stands.
    pub(super) fn standing(&self, page: &str) -> Standing {
        let reply = self.record.reply.as_ref().and_then(|turn| turn.body.result.as_ref());
        let Some(reply) = reply.filter(|_| self.is_done()) else { return Standing::Working(self.sentence(page)) };
        let cancelled = match self.tasks.as_slice() {
            [] => reply.error_code.as_ref() == Some(&codes::CANCELLED),
            tasks => tasks.iter().all(|task| task.state == TaskState::Cancelled),
        };
        if cancelled {
            return Standing::Cancelled;
        }
        Standing::Done(match self.tasks.as_slice() {
            [] => answer::of_result(reply, page),
            tasks => answer::of_outcomes(reply, tasks, page),
        })
    }

    /// The data that it has led to: of its tasks, else of its reply.
    fn data(&self) -> impl Iterator<Item = &Value> {
        let reply = self.record.reply.as_ref().and_then(|turn| turn.body.result.as_ref());
        let reply = reply.filter(|_| self.tasks.is_empty());
        self.tasks.iter().filter_map(|task| task.result.as_ref()).chain(reply).map(|result| &result.data)
    }

    /// The pictures of ended work.
    pub(super) async fn images(&self, access: &Access) -> Vec<ContentBlock> {
        if self.is_done() { images::of(access, self.data()).await } else { Vec::new() }
    }

    /// A sentence on the open work, for a person or a model.
    pub(super) fn sentence(&self, page: &str) -> String {
        let mut open = self.tasks.iter().filter(|task| task.state.is_open());
        let Some(task) = open.next() else {
            return if self.record.reply.is_some() { "done".to_owned() } else { "the function runs".to_owned() };
        };
        let more = match open.count() {
            0 => String::new(),
            more => format!(" ({more} more tasks are open)"),
        };
        format!("{}{more}", state_of(task, page))
    }

    /// The reply's text, if the call has one.
    pub(super) fn ack(&self) -> Option<&str> {
        self.record.reply.as_ref().map(|turn| turn.body.text.as_str())
    }

    /// The work as a task of the tasks extension, whose id is the call's. `inputs` is what the client can answer, `images`
    /// what ended work shows.
    pub(super) fn as_task(
        &self,
        call_id: CallId,
        page: &str,
        keep: &RetentionPolicy,
        inputs: InputRequests,
        images: Vec<ContentBlock>,
    ) -> DetailedTask {
        let asked = &self.record.asked;
        let ends = self.tasks.iter().map(|task| task.finished_at.unwrap_or(task.created_at));
        let updated = ends.chain(self.record.reply.as_ref().map(|turn| turn.at)).max().unwrap_or(asked.at);
        let mut task =
            McpTask::new(call_id.to_string(), TaskStatus::Working, asked.at.to_string(), updated.to_string());
        let payload = match self.standing(page) {
            Standing::Working(sentence) => {
                task.status_message = Some(sentence);
                task.poll_interval_ms = Some(self.poll_interval());
                if inputs.is_empty() {
                    TaskPayload::Working
                } else {
                    TaskPayload::InputRequired { input_requests: inputs }
                }
            }
            Standing::Cancelled => TaskPayload::Cancelled,
            Standing::Done(mut result) => {
                result.content.extend(images);
                TaskPayload::Completed { result: as_object(&result) }
            }
        };
        if payload.status().is_terminal() {
            let kept = [keep.turns, keep.tasks].into_iter().flatten().min();
            task.ttl_ms = kept.map(|kept| {
                let lived = updated.duration_since(asked.at);
                u64::try_from(kept.as_millis())
                    .unwrap_or(u64::MAX)
                    .saturating_add(u64::try_from(lived.as_millis()).unwrap_or(0))
            });
        }
        DetailedTask::new(task, payload)
    }

    /// How long a client should wait before it asks again: longer where nothing happens by itself.
    fn poll_interval(&self) -> u64 {
        let mut open = self.tasks.iter().filter(|task| task.state.is_open()).peekable();
        if open.peek().is_some() && open.all(|task| !task.state.is_held()) { POLL.1 } else { POLL.0 }
    }
}

/// The state of an open task in a sentence.
fn state_of(task: &Task, page: &str) -> String {
    if task.open_questions > 0 {
        return format!("{} waits for an answer of the user, in the chat: {page}", task.name);
    }
    let waits = match task.waits_for {
        Some(WaitsFor::Version) => Some("no running program can continue it yet"),
        Some(WaitsFor::Time) => Some("it waits for the time that it chose"),
        Some(WaitsFor::Paused) => Some("an operator has paused it"),
        Some(WaitsFor::Slot) => Some("it waits for its turn"),
        Some(WaitsFor::Retry) => Some("it waits for its next attempt"),
        Some(WaitsFor::Process | WaitsFor::Answer) | None => None,
    };
    let said = task.message.as_deref().filter(|text| !text.is_empty());
    let percent = task.percent.map(|percent| format!("{percent:.0} %"));
    let parts = [percent.as_deref(), said, waits].into_iter().flatten().collect::<Vec<_>>();
    if parts.is_empty() {
        return format!("{} is {}", task.name, task.state.in_words());
    }
    format!("{}: {}", task.name, parts.join(", "))
}

fn as_object(result: &CallToolResult) -> JsonObject {
    match serde_json::to_value(result) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    }
}

/// Reads the work of a call until it is done or the time is over, and reports progress to a client that asked for it.
/// `None` for an unknown call. Cancel safe.
pub(super) async fn wait_for_work(
    access: &Access,
    call_id: CallId,
    until: Instant,
    client: &RequestContext<RoleServer>,
) -> Result<Option<CallWork>> {
    // Subscribed before the first read, so that no event is missed in between.
    let mut signals = access.subscribe();
    let mut reporter = Reporter { client, sent: None };
    loop {
        let Some(work) = access.call_work(call_id).await? else { return Ok(None) };
        if work.is_done() || Instant::now() >= until {
            return Ok(Some(work));
        }
        // A task may have reported before this subscribed.
        for task in work.tasks.iter().filter(|task| task.state.is_open()) {
            reporter.report(task.percent, task.message.as_deref()).await;
        }
        let news = async {
            loop {
                match signals.next().await {
                    FeedSignal::Events | FeedSignal::Missed => return,
                    FeedSignal::Draft(_) => {}
                    FeedSignal::Progress(progress) => {
                        if work.tasks.iter().any(|task| task.task_id == progress.task_id) {
                            reporter.report(progress.percent, progress.message.as_deref()).await;
                        }
                    }
                }
            }
        };
        let _ = tokio::time::timeout_at(until, news).await;
        tokio::time::sleep(READ_PAUSE).await;
    }
}

/// Sends progress to a client that asked for it.
struct Reporter<'a> {
    client: &'a RequestContext<RoleServer>,
    /// The latest percentage that was sent.
    sent: Option<f64>,
}

impl Reporter<'_> {
    /// Sends a percentage that is higher than the last one: the protocol allows no other.
    async fn report(&mut self, percent: Option<f64>, message: Option<&str>) {
        let (Some(token), Some(percent)) = (self.client.meta.get_progress_token(), percent) else { return };
        if self.sent.is_some_and(|sent| percent <= sent) {
            return;
        }
        self.sent = Some(percent);
        let mut said = ProgressNotificationParam::new(token, percent).with_total(100.0);
        said.message = message.map(str::to_owned);
        // A client that has hung up gets nothing.
        let _ = Box::pin(self.client.peer.notify_progress(said)).await;
    }
}

/// Stops a call and every task that it started. Work that has ended stays as it is.
///
/// # Errors
/// `UNAVAILABLE`, or `NOT_FOUND` for an unknown call.
pub(super) async fn stop(access: &Access, call_id: CallId) -> Result<()> {
    let Some(work) = access.call_work(call_id).await? else {
        return Err(Error::user(codes::NOT_FOUND, format!("There is no work {call_id}.")));
    };
    if work.record.reply.is_none() {
        access.cancel_call(call_id).await?;
    }
    for task in work.tasks.iter().filter(|task| task.state.is_open()) {
        access.cancel(task.task_id).await?;
    }
    Ok(())
}
