//! Durable tasks: their start, claims and releases. `step` has the rows of their history.

use std::time::Duration;

use jiff::Timestamp;

use super::{AttemptEnding, Follows, QueueLimit, TaskRecord};
use crate::ids::TaskId;

/// The part of a new task that makes it durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDurable {
    /// The name of the durable task within its extension: the fn's, or `name =`.
    pub task_name: String,
    /// Its input, as JSON.
    pub input: String,
    /// The [`User`](crate::User) that it runs for, as JSON: as the user was at the start.
    pub user: String,
    /// The task whose steps its idempotency keys come from: its own id, or that of the task it goes on from.
    pub root_task: TaskId,
    /// The version of the program that starts it, for people; empty if it is not known.
    pub program: String,
    /// The queue of its extension that it waits in, and whose slot it holds while it runs.
    pub queue: Option<String>,
    /// The ended task of its owner that it goes on from or runs again. It inherits rows of that one, and it waits for a
    /// process.
    pub follows: Option<Follows>,
}

impl NewDurable {
    /// A durable task that continues no other.
    pub fn new(
        task_id: TaskId,
        task_name: impl Into<String>,
        input: impl Into<String>,
        user: impl Into<String>,
    ) -> Self {
        let (task_name, input, user) = (task_name.into(), input.into(), user.into());
        let program = String::new();
        Self { task_name, input, user, root_task: task_id, program, queue: None, follows: None }
    }

    /// Sets the version of the program that starts it.
    #[must_use]
    pub fn program(self, program: impl Into<String>) -> Self {
        Self { program: program.into(), ..self }
    }

    /// Sets the queue.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        Self { queue: Some(queue.into()), ..self }
    }

    /// Sets the ended task that it follows.
    #[must_use]
    pub fn follows(self, follows: Follows) -> Self {
        Self { follows: Some(follows), ..self }
    }

    /// Sets the task that its idempotency keys come from.
    #[must_use]
    pub fn root_task(self, root_task: TaskId) -> Self {
        Self { root_task, ..self }
    }
}

/// A durable task that this program has: what a claim may return.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DurableName {
    /// The extension.
    pub app_id: String,
    /// The name of the durable task within it.
    pub task_name: String,
}

impl DurableName {
    /// A name from its parts.
    pub fn new(app_id: impl Into<String>, task_name: impl Into<String>) -> Self {
        Self { app_id: app_id.into(), task_name: task_name.into() }
    }
}

/// A program's durable tasks, as its node registers them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableProgram {
    /// The program's version. Not empty.
    pub version: String,
    /// The durable tasks that it has.
    pub names: Vec<DurableName>,
}

impl DurableProgram {
    /// A program from its parts.
    pub fn new(version: impl Into<String>, names: Vec<DurableName>) -> Self {
        Self { version: version.into(), names }
    }
}

/// The request of a node that claims tasks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// The durable tasks that its program has.
    pub names: Vec<DurableName>,
    /// Its program's version. A task that this version has refused is not returned.
    pub program: String,
    /// At most this many tasks.
    pub limit: u32,
    /// Whether a suspect may be among them: a task whose attempts crashed twice or more without progress. At
    /// most one is returned, so that the next crash names the task that causes it.
    pub suspect: bool,
    /// No task of an owner who has this many running tasks.
    pub max_running: u32,
    /// The queues that its program declares. Of any other queue one task runs at once.
    pub queues: Vec<QueueLimit>,
    /// Only tasks that the claiming incarnation started or held last.
    pub only_own: bool,
}

impl ClaimRequest {
    /// A request for tasks of these names, suspects among them.
    pub fn new(names: Vec<DurableName>, program: impl Into<String>, limit: u32) -> Self {
        let (program, queues) = (program.into(), Vec::new());
        Self { names, program, limit, suspect: true, max_running: u32::MAX, queues, only_own: false }
    }

    /// Sets the queues that its program declares.
    #[must_use]
    pub fn queues(self, queues: Vec<QueueLimit>) -> Self {
        Self { queues, ..self }
    }

    /// Sets whether only tasks are returned that the claiming incarnation started or held last.
    #[must_use]
    pub fn only_own(self, only_own: bool) -> Self {
        Self { only_own, ..self }
    }

    /// The limits of a queue: for all owners together, and for one owner.
    pub(crate) fn limits_of(&self, app_id: &str, queue: &str) -> (u32, u32) {
        let declared = self.queues.iter().find(|limit| limit.app_id == app_id && limit.queue == queue);
        declared.map_or((1, 1), |limit| (limit.at_most, limit.per_user))
    }

    /// Sets whether a suspect may be among them.
    #[must_use]
    pub fn suspect(self, suspect: bool) -> Self {
        Self { suspect, ..self }
    }

    /// Sets the limit on the running tasks of an owner.
    #[must_use]
    pub fn max_running(self, max_running: u32) -> Self {
        Self { max_running, ..self }
    }
}

/// A claimed task: the incarnation holds it, in a new attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClaimedTask {
    /// The task, with its owner and the new attempt.
    pub record: TaskRecord,
    /// The name of the durable task within its extension.
    pub task_name: String,
    /// Its input, as JSON.
    pub input: String,
    /// Its user, as JSON.
    pub user: String,
    /// See [`NewDurable::root_task`].
    pub root_task: TaskId,
    /// Running time of earlier attempts that counts towards the cap.
    pub ran: Duration,
    /// Attempts in a row that ended by a crash, without progress.
    pub crashes: u32,
    /// Attempts in a row that made no progress, this one not counted.
    pub fruitless: u32,
    /// When it was claimed, by the ledger's clock.
    pub claimed_at: Timestamp,
    /// From when on a claim could take it. `None` if the ledger does not know.
    pub ready_at: Option<Timestamp>,
    /// Whether it has stored rows of steps. A task that has none needs no read of them.
    pub has_steps: bool,
}

/// The durable tasks that wait for a process, in numbers: for the metrics of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Backlog {
    /// Tasks that are stuck, counted up to [`Backlog::MOST_STUCK`].
    pub stuck: u64,
    /// How long the oldest task has been ready that no process has taken. Stuck tasks are left out. `None` if no task
    /// is ready.
    pub oldest_ready: Option<Duration>,
    /// Effects that may have happened or not, of tasks that no process holds: they wait for their user or a process.
    /// Those of up to [`Backlog::MOST_STUCK`] tasks are counted.
    pub unknown_effects: u64,
}

impl Backlog {
    /// Tasks are counted up to this number, so that a metric stays cheap.
    pub const MOST_STUCK: u32 = 10_000;

    /// A backlog from its parts.
    pub fn new(stuck: u64, oldest_ready: Option<Duration>) -> Self {
        Self { stuck, oldest_ready, unknown_effects: 0 }
    }

    /// Sets the number of unknown effects.
    #[must_use]
    pub fn unknown_effects(self, unknown_effects: u64) -> Self {
        Self { unknown_effects, ..self }
    }
}

/// Why the holder of a durable task gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new release must not compile")]
pub enum Release {
    /// The process stops. Any process may take the task at once.
    HandOver,
    /// This version of the program cannot run the task: its input or a stored value does not fit. Other
    /// versions may try at once, this one not again.
    Refused {
        /// The program's version.
        program: String,
    },
    /// The task waits for a time or an answer: no process is needed until then.
    Park(Park),
}

impl Release {
    /// How the attempt ends.
    pub const fn ending(&self) -> AttemptEnding {
        match self {
            Self::HandOver => AttemptEnding::HandedOver,
            Self::Refused { .. } => AttemptEnding::Refused,
            Self::Park(_) => AttemptEnding::Parked,
        }
    }
}

/// The waits of a parked task: the first that is over wakes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Park {
    /// The earliest time of its waits. A question's is the end of its time.
    pub wake_at: Option<Timestamp>,
    /// The questions that it waits for, by their ordinals.
    pub questions: Vec<u16>,
}

impl Park {
    /// Waits for these questions, and for this time at most.
    pub fn new(wake_at: impl Into<Option<Timestamp>>, questions: Vec<u16>) -> Self {
        Self { wake_at: wake_at.into(), questions }
    }
}
