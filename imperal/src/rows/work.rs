//! Owners, calls and tasks as pieces of work, the right to write for them, and events.

use std::fmt;
use std::sync::Arc;

use super::{Task, TaskRecord, Turn, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::user::User;

/// A user of a tenant: the owner of a chat, its tasks and its audit rows. Every read and write is scoped by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
pub struct Incarnation {
    /// The node's name, which stays the same over restarts.
    pub node: Arc<str>,
    /// Grows with each incarnation. A write under an earlier number is refused.
    pub number: i64,
}

/// One numbered change among a user's turns and tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The number: 1, 2, 3 .. for each owner, without gaps.
    pub seq: u64,
    /// The change.
    pub body: EventBody,
}

/// The change that an event reports.
#[derive(Debug, Clone, PartialEq)]
pub enum EventBody {
    /// A turn was added.
    Turn(Turn),
    /// A task started, was asked to cancel, or ended; as it was at that moment.
    Task(Task),
}

/// The piece of work that a write comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A call's handler.
    Call(CallId),
    /// A background task.
    Task(TaskId),
}

/// The right to write for a piece of work: its incarnation is current, and it is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The incarnation that runs it.
    pub incarnation: Incarnation,
    /// The work.
    pub work: Work,
}

/// The source of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSource {
    /// An unsettled call or task of the chat's user.
    Work(Fence),
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
    /// A running task.
    Task(TaskRecord),
}
