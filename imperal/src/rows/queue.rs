//! Queues of durable tasks: how many tasks of a queue run at once, and what waits in it.

use jiff::Timestamp;

use crate::ids::TaskId;

/// The limits of a queue, as a program declares them. They hold for all nodes together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimit {
    /// The extension.
    pub app_id: String,
    /// The name of the queue within it.
    pub queue: String,
    /// At most this many tasks of the queue run at once.
    pub at_most: u32,
    /// At most this many of them belong to one owner.
    pub per_user: u32,
}

impl QueueLimit {
    /// A queue without a limit of its own for an owner.
    pub fn new(app_id: impl Into<String>, queue: impl Into<String>, at_most: u32) -> Self {
        Self { app_id: app_id.into(), queue: queue.into(), at_most, per_user: at_most }
    }

    /// Sets the limit for one owner.
    #[must_use]
    pub fn per_user(self, per_user: u32) -> Self {
        Self { per_user, ..self }
    }
}

/// The place of a task that waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuePlace {
    /// The task.
    pub task_id: TaskId,
    /// How many tasks of the queue get a slot before it, if no task joins or leaves the queue.
    pub before: u32,
}

impl QueuePlace {
    /// A place from its parts, for backends.
    pub fn new(task_id: TaskId, before: u32) -> Self {
        Self { task_id, before }
    }
}

/// The tasks of a queue at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLoad {
    /// The extension.
    pub app_id: String,
    /// The name of the queue within it.
    pub queue: String,
    /// Tasks that hold a slot.
    pub running: u64,
    /// Tasks that are ready and wait for one, counted up to [`QueueLoad::MOST_READY`].
    pub ready: u64,
    /// Since when the first of them is ready.
    pub oldest_ready_at: Option<Timestamp>,
}

impl QueueLoad {
    /// Ready tasks are counted up to this number, so that a metric stays cheap.
    pub const MOST_READY: u32 = 10_000;

    /// An idle queue, for backends.
    pub fn new(app_id: impl Into<String>, queue: impl Into<String>) -> Self {
        Self { app_id: app_id.into(), queue: queue.into(), running: 0, ready: 0, oldest_ready_at: None }
    }
}
