//! The rows a ledger keeps, and what the platform hands it to make them.
//!
//! Rows that reach users serialise in the shape of the HTTP API. A type named `New..` or `..Body`
//! is what the platform writes; the ledger adds number and time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AuditHash;
use crate::context::{MsgType, User};
use crate::ids::{CallId, TaskId, TurnId};
use crate::result::WireResult;

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
    pub epoch: i64,
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user: a call they made.
    User,
    /// The platform or an extension.
    Bot,
}

/// What a turn says. The ledger adds number and time, see [`Turn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnBody {
    /// Its id.
    pub turn_id: TurnId,
    /// Who speaks.
    pub role: Role,
    /// How it is shown.
    #[serde(rename = "type")]
    pub msg_type: MsgType,
    /// The text.
    pub text: String,
    /// The extension.
    pub app_id: String,
    /// The function of a call, its reply or its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The parameters of a user's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// The call it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The task it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The answer it renders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
    /// Panels to refresh: absent means all, empty means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_panels: Option<Vec<String>>,
    /// Whether the text was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// One message in a user's chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Its number among the user's events; grows without gaps over turns and tasks together.
    pub seq: u64,
    /// When it was added.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: TurnBody,
}

/// Where a task stands. `Running` becomes exactly one of the others, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// At work.
    Running,
    /// Ended with a success.
    Succeeded,
    /// Ended with an error of its own.
    Failed,
    /// Ended because the user cancelled.
    Cancelled,
    /// Ran into its cap.
    TimedOut,
    /// Taken back by the platform: its process died, or it was silent.
    Reclaimed,
}

impl TaskState {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Reclaimed => "reclaimed",
        }
    }
}

/// A task as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// The call that started it.
    pub call_id: CallId,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// The author's name for it, or the function's.
    pub name: String,
    /// What only one running task of the user's may have, where the author gave a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// Whether its cap is the long one.
    pub long_running: bool,
    /// Latest progress, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Latest stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was started.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When its cap ends it.
    #[schemars(with = "String")]
    pub deadline_at: Timestamp,
    /// When its user first asked for it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
}

/// A task with whose it is and which node holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Whose it is.
    pub owner: Owner,
    /// The node's life that runs or ran it.
    pub holder: Incarnation,
    /// The task.
    pub task: Task,
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

/// Latest progress of a running task. Has no number: what matters is the latest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The task.
    pub task_id: TaskId,
    /// 0 to 100.
    pub percent: f64,
    /// The stage.
    pub message: String,
    /// When it was reported.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// Whether an audited act was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// The platform's contract was broken; an operator should look.
    Critical,
}

/// What an audit row says. The ledger adds number and time, see [`AuditRow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewAudit {
    /// Tenant of whoever the act touches.
    pub tenant_id: String,
    /// Whose chat or task the act touches. A refused act is filed under the actor: the row says
    /// what they tried, and the other user's rows stay their own.
    pub user_id: String,
    /// Who acted: `user:ID`, `service`, `extension:APP` or `platform`.
    pub actor: String,
    /// The extension, where one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// What was done or tried: `chat.inject`, `task.cancel`, `task.read`, ..
    pub action: String,
    /// To what: a task or turn id, a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// More, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One line of the audit trail. Never changed; removed by retention alone, and by default never.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRow {
    /// Its number in the ledger; later rows have higher ones.
    pub audit_id: u64,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: NewAudit,
    /// Links it to the owner's row before it.
    pub hash: AuditHash,
}

/// Which audit rows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only this owner's; all of them when absent.
    pub owner: Option<Owner>,
    /// Only rows with a higher number.
    pub after: u64,
    /// At most so many.
    pub limit: u32,
}

/// A call to be accepted.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its id.
    pub call_id: CallId,
    /// Who calls.
    pub owner: Owner,
    /// The user's turn; carries app, function and parameters.
    pub turn: TurnBody,
}

/// A task to be started.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
    /// The call that starts it.
    pub call_id: CallId,
    /// Whose it is.
    pub owner: Owner,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Refuse when the owner has a running task of the same extension with the same key.
    pub key: Option<String>,
    /// Whether its cap is the long one.
    pub long_running: bool,
    /// Its cap: the deadline is the ledger's now plus this.
    pub cap: Duration,
    /// Refuse when the owner already has so many running.
    pub max_running: u32,
}

impl NewTask {
    /// The task as it starts; for backends.
    pub fn into_task(self, now: Timestamp, deadline_at: Timestamp) -> Task {
        Task {
            task_id: self.task_id,
            call_id: self.call_id,
            app_id: self.app_id,
            function: self.function,
            name: self.name,
            key: self.key,
            state: TaskState::Running,
            long_running: self.long_running,
            percent: None,
            message: None,
            created_at: now,
            deadline_at,
            cancel_requested_at: None,
            finished_at: None,
            result: None,
        }
    }
}

/// How a task ends: everything of one transaction.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// The end state, never `Running`.
    pub state: TaskState,
    /// The outcome turn; its `result` is the task's.
    pub turn: TurnBody,
    /// The audit row of the delivery.
    pub audit: NewAudit,
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
    pub holder: Incarnation,
    /// The work.
    pub work: Work,
}

/// What came of asking for a cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelAnswer {
    /// Noted; the holder will be told. Also when it was asked before.
    Noted(TaskRecord),
    /// The task has ended already.
    Ended(TaskRecord),
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
        holder: Incarnation,
        /// The user's turn.
        turn: TurnBody,
    },
    /// A running task.
    Task(TaskRecord),
}
