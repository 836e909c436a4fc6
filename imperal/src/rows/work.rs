//! Owners, pieces of work and the right to write for them, events.

use std::fmt;
use std::sync::Arc;

use super::{Task, TaskRecord, Turn, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::user::User;

/// Whose chat, tasks and audit rows: a user of a tenant. Every read and write is scoped by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// The user within the tenant.
    pub user_id: Arc<str>,
}

impl Owner {
    /// An owner by its two names.
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

/// One life of a node: its name and the epoch that fences earlier lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Incarnation {
    /// The node's name, the same over restarts.
    pub node: Arc<str>,
    /// Grows with every life; a write under an older one is refused.
    pub number: i64,
}

/// One numbered change among a user's turns and tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number: 1, 2, 3 .. for each user.
    pub seq: u64,
    /// What changed.
    pub body: EventBody,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum EventBody {
    /// A turn was added.
    Turn(Turn),
    /// A task started, was asked to stop, or ended; as it was right then.
    Task(Task),
}

/// Which piece of work a write comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A call's handler.
    Call(CallId),
    /// A background task.
    Task(TaskId),
}

/// The right under which a piece of work writes: its node's life, and being unsettled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The life of the node that runs it.
    pub incarnation: Incarnation,
    /// The work.
    pub work: Work,
}

/// Who puts a message into a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A call or task at work for the chat's user.
    Work(Fence),
    /// Somebody outside.
    Outside {
        /// Refuse when the owner's turns of today would have more bytes than this.
        max_stored: Option<u64>,
    },
}

impl Sender {
    /// Somebody outside, without a limit.
    pub const OUTSIDE: Self = Self::Outside { max_stored: None };
}

/// Work whose node's life is over.
#[derive(Debug, Clone, PartialEq)]
pub enum Orphan {
    /// A call without its reply.
    Call {
        /// The call.
        call_id: CallId,
        /// Who called.
        owner: Owner,
        /// The life that held it.
        incarnation: Incarnation,
        /// The user's turn.
        turn: TurnBody,
    },
    /// A running task.
    Task(TaskRecord),
}
