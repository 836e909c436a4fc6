//! The start of a task.
//!
//! [`NewTask`] is what the platform asks for; [`NewTask::into_task`] is the task as the ledger then stores it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Follows, NewAudit, NewDurable, Owner, Task, TaskState, WaitsFor, Work};
use crate::ids::{CallId, TaskId};

/// A task to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
    /// The call that it belongs to: the one that starts it, or the one that the starting task belongs to.
    pub call_id: CallId,
    /// The work that starts it: `call_id`'s handler, or an attempt of another task.
    pub parent: Work,
    /// The owner.
    pub owner: Owner,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Refuse if the owner has an open task of the same extension with the same key.
    pub key: Option<String>,
    /// Whether the cap is the long one, 1800 s.
    pub long_running: bool,
    /// The cap. The deadline is the ledger's current time plus this.
    pub cap: Duration,
    /// How many running tasks the owner may have. Over it a background task is refused; a durable task is
    /// stored as `Queued` and waits for a slot.
    pub max_running: u32,
    /// Refuse if the owner has this many open tasks already.
    pub max_open: u32,
    /// The data that another process needs to run it; `None` for a background task, whose closure dies with its process.
    pub durable: Option<NewDurable>,
    /// An audit row that is written with it.
    pub audit: Option<NewAudit>,
}

impl NewTask {
    /// The cap of a task that is not long-running.
    pub const CAP: Duration = Duration::from_secs(180);

    /// A task under a new id: named after its function, without a key, with [`CAP`](Self::CAP) and without
    /// limits. `call_id`'s handler starts it.
    pub fn new(call_id: CallId, owner: Owner, app_id: impl Into<String>, function: impl Into<String>) -> Self {
        let function = function.into();
        Self {
            task_id: TaskId::generate(),
            call_id,
            parent: Work::Call(call_id),
            owner,
            app_id: app_id.into(),
            name: function.clone(),
            function,
            key: None,
            long_running: false,
            cap: Self::CAP,
            max_running: u32::MAX,
            max_open: u32::MAX,
            durable: None,
            audit: None,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sets the cap, and whether it is the long one.
    #[must_use]
    pub fn cap(self, cap: Duration, long_running: bool) -> Self {
        Self { long_running, cap, ..self }
    }

    /// Sets the limit on the owner's running tasks.
    #[must_use]
    pub fn max_running(self, max_running: u32) -> Self {
        Self { max_running, ..self }
    }

    /// Sets the limit on the owner's open tasks.
    #[must_use]
    pub fn max_open(self, max_open: u32) -> Self {
        Self { max_open, ..self }
    }

    /// Sets the attempt of another task that starts it.
    #[must_use]
    pub fn parent(self, parent: Work) -> Self {
        Self { parent, ..self }
    }

    /// Makes it durable.
    #[must_use]
    pub fn durable(self, durable: NewDurable) -> Self {
        Self { durable: Some(durable), ..self }
    }

    /// Sets the audit row that is written with it.
    #[must_use]
    pub fn audit(self, audit: NewAudit) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// The ended task that it follows.
    pub fn follows(&self) -> Option<Follows> {
        self.durable.as_ref().and_then(|durable| durable.follows)
    }

    /// The queue that it waits in.
    pub fn queue(&self) -> Option<&str> {
        self.durable.as_ref().and_then(|durable| durable.queue.as_deref())
    }

    /// The task at its start; for backends. `waits_for` says why a durable task does not run at once. Effects that it
    /// inherits are not counted.
    pub fn into_task(self, now: Timestamp, deadline_at: Timestamp, waits_for: Option<WaitsFor>) -> Task {
        let (queue, follows) = (self.queue().map(str::to_owned), self.follows());
        let starts = waits_for.is_none();
        Task {
            queue,
            follows,
            followed_by: None,
            before: None,
            task_id: self.task_id,
            call_id: self.call_id,
            app_id: self.app_id,
            function: self.function,
            name: self.name,
            key: self.key,
            state: if starts { TaskState::Running } else { TaskState::Queued },
            long_running: self.long_running,
            percent: None,
            message: None,
            durable: self.durable.is_some(),
            // A claim adds one.
            attempt: u32::from(starts),
            waits_for,
            ready_at: (!starts).then_some(now),
            steps: None,
            open_questions: 0,
            open_effects: 0,
            created_at: now,
            deadline_at: starts.then_some(deadline_at),
            cancel_requested_at: None,
            interrupted_at: None,
            finished_at: None,
            result: None,
        }
    }
}
