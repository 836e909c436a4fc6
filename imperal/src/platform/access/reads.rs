//! The reads of one user: turns, events, lists of tasks.
//!
//! Each user has at most [`READS_PER_USER`] reads at once. Further reads wait here, where they delay no other
//! user, and end with their caller.

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::ids::{CallId, TaskId};
use crate::keyed_semaphore::Permit;
use crate::ledger::{Event, Fut, LedgerError, Owner, Page, PageLimit, StoredStep, Subscription, Task, Turn};
use crate::platform::ledger_errors::unreadable;
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

    /// The user's running tasks.
    pub async fn running_tasks(&self) -> Result<Vec<Task>> {
        self.read(self.ledger().open_tasks(&self.owner)).await
    }

    /// The user's tasks in any state, newest first, without their results. [`Access::task`] returns one task
    /// with its result, and its outcome turn has it too.
    pub async fn recent_tasks(&self, limit: u32) -> Result<Vec<Task>> {
        self.read(self.ledger().recent_tasks(&self.owner, limit.min(PAGE_ROWS))).await
    }

    /// The tasks that one of the user's calls started, oldest first, without their results.
    pub async fn tasks_of_call(&self, call_id: CallId) -> Result<Vec<Task>> {
        self.read(self.ledger().tasks_of_call(&self.owner, call_id)).await
    }

    /// The stored steps of one of the user's durable tasks after an ordinal, in order. A background task has none.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn steps(&self, task_id: TaskId, after: u16, limit: u32) -> Result<Page<StoredStep>> {
        self.own_task(task_id, "task.read").await?;
        self.read(self.ledger().steps(task_id, after, PageLimit::rows(limit.min(PAGE_ROWS)))).await
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
