//! Owners, calls and tasks as pieces of work, the right to write for them, and events.

use std::fmt;
use std::sync::Arc;

use super::{NewStep, Task, TaskRecord, Turn, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::user::User;

/// A user of a tenant: the owner of a chat, its tasks and its audit rows. Every read and write is scoped by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Owner {
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// The user within the tenant.
    pub user_id: Arc<str>,
}

impl Owner {
    /// An owner from its two names.
    pub fn new(tenant_id: &str, user_id: &str) -> Self {
        Self { tenant_id: tenant_id.into(), user_id: user_id.into() }
    }
}

impl From<&User> for Owner {
    fn from(user: &User) -> Self {
        Self::new(&user.tenant_id, &user.id)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant_id, self.user_id)
    }
}

/// One run of a node. Its number fences earlier runs of the same node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Incarnation {
    /// The node's name, which stays the same over restarts.
    pub node: Arc<str>,
    /// Grows with each incarnation. A write under an earlier number is refused.
    pub number: i64,
}

impl Incarnation {
    /// An incarnation from its parts, for backends.
    pub fn new(node: impl Into<Arc<str>>, number: i64) -> Self {
        Self { node: node.into(), number }
    }
}

/// The news that a renewal brings a node of its work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenewalNews {
    /// Running tasks of the incarnation that were asked to cancel.
    pub cancelled_tasks: Vec<TaskId>,
    /// Open calls of the incarnation that were asked to stop.
    pub cancelled_calls: Vec<CallId>,
}

/// The answer to a request to stop a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallCancel {
    /// The request is stored, by this call or an earlier one. The holder of the call will be told; a call whose
    /// holder has gone gets its reply from recovery.
    Requested,
    /// The call has its reply.
    Replied,
}

/// One numbered change among a user's turns and tasks.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The number: 1, 2, 3 .. for each owner, without gaps.
    pub seq: u64,
    /// The change.
    pub body: EventBody,
}

impl Event {
    /// An event from its parts, for backends.
    pub fn new(seq: u64, body: EventBody) -> Self {
        Self { seq, body }
    }
}

/// The change that an event reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventBody {
    /// A turn was added.
    Turn(Turn),
    /// A task started, was asked to cancel, or ended; as it was at that moment.
    Task(Task),
}

/// One run of a task's body. A background task has one; a durable task has one more each time a process takes
/// it. Two attempts of a task never overlap, and the ledger refuses every write of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is these two values, as an id is one")]
pub struct Attempt {
    /// The task.
    pub task_id: TaskId,
    /// 1, 2, 3 ..
    pub number: u32,
}

impl Attempt {
    /// The only attempt of a background task, and the first of a durable one.
    pub const fn first(task_id: TaskId) -> Self {
        Self { task_id, number: 1 }
    }
}

/// The piece of work that a write comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new kind of work must not compile")]
pub enum Work {
    /// A call's handler.
    Call(CallId),
    /// An attempt of a task.
    Task(Attempt),
}

impl Work {
    /// The same value for all attempts of a task.
    pub(crate) fn of_any_attempt(self) -> Self {
        match self {
            Self::Call(_) => self,
            Self::Task(attempt) => Self::Task(Attempt::first(attempt.task_id)),
        }
    }
}

/// The right to write for a piece of work: its incarnation is current, and it is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fence {
    /// The incarnation that runs it.
    pub incarnation: Incarnation,
    /// The work.
    pub work: Work,
}

impl Fence {
    /// A fence from its parts.
    pub fn new(incarnation: Incarnation, work: Work) -> Self {
        Self { incarnation, work }
    }
}

/// The source of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new source must not compile")]
pub enum MessageSource {
    /// An unsettled call or task of the chat's user.
    Work(Fence),
    /// An attempt of a durable task of the chat's user. The step is stored in the same transaction, so that a
    /// later attempt knows that the message was delivered.
    Step(Fence, NewStep),
    /// A service or user outside of any call or task.
    Outside {
        /// Refuse if the bytes of the owner's turns of today would exceed this.
        max_stored: Option<u64>,
    },
}

impl MessageSource {
    /// A source outside of any call or task, without a limit.
    pub const OUTSIDE: Self = Self::Outside { max_stored: None };
}

/// Unsettled work whose incarnation has ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "recovery that ignores a new kind of work must not compile")]
pub enum Orphan {
    /// A call without its reply.
    Call {
        /// The call.
        call_id: CallId,
        /// The caller.
        owner: Owner,
        /// The incarnation that accepted it.
        incarnation: Incarnation,
        /// The user's turn.
        turn: TurnBody,
    },
    /// A running background task.
    Task(TaskRecord),
}
