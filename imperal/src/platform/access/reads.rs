//! The reads of one user: turns, events, lists of tasks.
//!
//! Each user has at most [`READS_PER_USER`] reads at once. Further reads wait here, where they delay no other
//! user, and end with their caller.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::ids::{CallId, TaskId};
use crate::keyed_semaphore::Permit;
use crate::ledger::{Event, Fut, LedgerError, Owner, Page, PageLimit, StepKind, StoredStep, Subscription, Task, Turn};
use crate::platform::ledger_errors::unreadable;
use crate::platform::timeline::{self, OVERLAP, Parts, Timeline};
use crate::result::Result;

/// Most rows of one response.
pub(super) const PAGE_ROWS: u32 = 500;

/// Concurrent reads of one user: fewer than any ledger has readers.
pub(in crate::platform) const READS_PER_USER: usize = 2;

/// The events after a number.
#[derive(Debug)]
pub(crate) enum EventsSince {
    /// The next events, in order.
    Events(Page<Event>),
    /// Events up to this number are no longer kept.
    Pruned(u64),
}

impl Access {
    /// The user's turns after a number, in order: at most 500 and 2 MiB.
    pub async fn turns(&self, after: u64, limit: u32) -> Result<Page<Turn>> {
        self.read(self.ledger().turns(&self.owner, after, PageLimit::rows(limit.min(PAGE_ROWS)))).await
    }

    /// The user's latest turns before a number, in order: at most 500 and 2 MiB.
    pub async fn latest_turns(&self, before: Option<u64>, limit: u32) -> Result<Page<Turn>> {
        self.read(self.ledger().latest_turns(&self.owner, before, PageLimit::rows(limit.min(PAGE_ROWS)))).await
    }

    /// The user's events after a number, in order: at most 500 and 2 MiB. A task's event has no result; the
    /// outcome turn after it has.
    ///
    /// # Errors
    /// `NOT_FOUND` when the next of them are no longer kept.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Page<Event>> {
        match self.events_since(after, PageLimit::rows(limit.min(PAGE_ROWS))).await? {
            EventsSince::Events(events) => Ok(events),
            EventsSince::Pruned(floor) => {
                Err(Error::user(codes::NOT_FOUND, format!("Events up to {floor} are no longer kept.")))
            }
        }
    }

    /// The user's events after a number, or that they are no longer kept.
    pub(crate) async fn events_since(&self, after: u64, limit: PageLimit) -> Result<EventsSince> {
        let _permit = self.read_permit().await;
        match self.ledger().events(&self.owner, after, limit).await {
            Ok(events) => Ok(EventsSince::Events(events)),
            Err(LedgerError::Pruned(floor)) => Ok(EventsSince::Pruned(floor)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The number of the user's latest event.
    pub async fn head(&self) -> Result<u64> {
        self.read(self.ledger().head(&self.owner)).await
    }

    /// Watches the user's events.
    pub fn subscribe(&self) -> Subscription {
        self.ledger().feed().subscribe(&self.owner)
    }

    /// Grows with each signal of new events: see [`Feed::published`](crate::ledger::Feed::published).
    #[cfg(feature = "platform")]
    pub(crate) fn published_events(&self) -> u64 {
        self.ledger().feed().published()
    }

    /// The user's running tasks.
    pub async fn running_tasks(&self) -> Result<Vec<Task>> {
        let mut tasks = self.read(self.ledger().open_tasks(&self.owner)).await?;
        self.add_places(&mut tasks).await?;
        Ok(tasks)
    }

    /// The user's tasks in any state, newest first, without their results. [`Access::task`] returns one task
    /// with its result, and its outcome turn has it too.
    pub async fn recent_tasks(&self, limit: u32) -> Result<Vec<Task>> {
        let mut tasks = self.read(self.ledger().recent_tasks(&self.owner, limit.min(PAGE_ROWS))).await?;
        self.add_places(&mut tasks).await?;
        Ok(tasks)
    }

    /// The tasks that one of the user's calls started, oldest first, without their results.
    pub async fn tasks_of_call(&self, call_id: CallId) -> Result<Vec<Task>> {
        let mut tasks = self.read(self.ledger().tasks_of_call(&self.owner, call_id)).await?;
        self.add_places(&mut tasks).await?;
        Ok(tasks)
    }

    /// The stored steps of one of the user's durable tasks after an ordinal, in order. A background task has none.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn steps(&self, task_id: TaskId, after: u16, limit: u32) -> Result<Page<StoredStep>> {
        self.own_task(task_id, "task.read").await?;
        self.read(self.ledger().steps(task_id, after, PageLimit::rows(limit.min(PAGE_ROWS)))).await
    }

    /// A page of the timeline of one of the user's tasks: the stored rows after an ordinal, at most 500, and all
    /// events between them, in order. Its rows have at most 2 MiB, and its questions another 2 MiB.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn timeline(&self, task_id: TaskId, after: u16, limit: u32) -> Result<Timeline> {
        let mut task = self.own_task(task_id, "task.read").await?.task;
        self.add_follower(&mut task).await?;
        let from = after.saturating_sub(OVERLAP);
        let rows = limit.clamp(1, PAGE_ROWS) + u32::from(after - from);
        let steps = self.read(self.ledger().steps(task_id, from, PageLimit::rows(rows))).await?;
        let asked = steps.rows.iter().filter(|step| step.kind == StepKind::Question).count();
        let questions = match u32::try_from(asked) {
            Ok(0) | Err(_) => Page { rows: Vec::new(), more: false },
            Ok(asked) => self.read(self.ledger().questions_after(task_id, from, PageLimit::rows(asked))).await?,
        };
        let attempts = self.read(self.ledger().attempts(task_id)).await?;
        let trace_url = self.platform.node.settings.trace_url_of(task_id);
        Ok(timeline::build(Parts { task, attempts, questions, steps, after, trace_url, now: Timestamp::now() }))
    }

    /// Adds the places of tasks that wait in a queue. Lists without such tasks cost nothing.
    pub(super) async fn add_places(&self, tasks: &mut [Task]) -> Result<()> {
        let waits = |task: &Task| task.queue.is_some() && task.state.is_open() && !task.state.is_held();
        if !tasks.iter().any(waits) {
            return Ok(());
        }
        let places = self.read(self.ledger().queue_places(&self.owner)).await?;
        let places: HashMap<_, _> = places.into_iter().map(|place| (place.task_id, place.before)).collect();
        for task in tasks {
            task.before = places.get(&task.task_id).copied();
        }
        Ok(())
    }

    /// Waits for one of the user's concurrent reads. Cancel safe.
    pub(super) async fn read_permit(&self) -> Permit<'_, Owner> {
        self.platform.node.reads.acquire(self.owner.clone()).await
    }

    pub(super) async fn read<T>(&self, read: Fut<'_, T>) -> Result<T> {
        let _permit = self.read_permit().await;
        read.await.map_err(|error| unreadable(&error))
    }
}
