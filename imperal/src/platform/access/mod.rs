//! The rights of one user: the only door through which users reach the platform.
//!
//! The gateway and the commands hold an [`Access`], never a ledger. [`Access`] checks the owner of everything
//! it reads or changes. It refuses what belongs to another user with 403 and audits the attempt under the
//! user who made it.

mod allowed;
mod answer;
mod audit;
#[cfg(feature = "mcp")]
mod call_work;
mod documents;
mod drafts;
#[cfg(feature = "platform")]
mod export;
mod files;
mod follow;
mod kept_rows;
mod operate;
mod reads;
mod say;
mod schedules;
mod secrets;
mod stop_call;

use std::time::Duration;

use serde_json::Value;

#[cfg(feature = "mcp")]
use super::StartedCall;
use super::durable_digest::BoundEnd;
use super::ledger_errors::{unavailable, unreadable};
use super::messages::{self, WorkRef};
use super::{CallPermit, CallReply, CallRequest, Platform};
use crate::codes;
use crate::error::Error;
use crate::failpoint;
use crate::ids::{RequestKey, TaskId};
use crate::ledger::{AuditOutcome, CancelOutcome, LedgerError, LedgerResult, NewAudit, Owner, Task, TaskRecord};
use crate::result::Result;
use crate::user::User;

pub use self::allowed::AllowedFunction;
pub use self::answer::Answered;
#[cfg(feature = "mcp")]
pub(crate) use self::call_work::CallWork;
pub use self::documents::{DocumentOperator, OperatorCollection, OperatorDocument, OperatorDocuments};
pub use self::files::{FileInfo, FilePage, Upload};
pub use self::follow::FollowedUp;
pub use self::operate::{Operated, OperatedTask, Operator, OperatorPage, OperatorTask, QueueState, TaskFilter};
#[cfg(feature = "platform")]
pub(crate) use self::reads::EventsSince;
pub(super) use self::reads::READS_PER_USER;
pub use self::say::SaidMessage;
pub use self::schedules::{
    NewSchedule, NextRun, OperatorJob, Preview, PreviewRequest, RecentRun, Schedule, ScheduleAccess, ScheduleChanges,
    UserSchedules,
};
pub use self::secrets::{Rotation, SecretAccess, SecretState, SecretStatus};
pub use self::stop_call::{CallState, StoppedCall};

/// The platform as one user can use and see it.
#[derive(Debug, Clone)]
pub struct Access {
    platform: Platform,
    user: User,
    owner: Owner,
    /// The actor in the audit trail: the user, or a service for the user.
    actor: String,
    /// Whether a program that acts for the user asks, such as an MCP client. It approves nothing.
    by_program: bool,
}

/// The actor of a service, in the audit trail.
const SERVICE: &str = "service";

impl Platform {
    /// The platform as this user can use and see it.
    pub fn access(&self, user: User) -> Access {
        if self.node.seen.note(&user, "") {
            self.node.schedules_changed.notify_one();
        }
        self.access_unseen(user)
    }

    /// The same for a request that is not the user's own.
    fn access_unseen(&self, user: User) -> Access {
        let actor = format!("user:{}", user.id);
        Access { platform: self.clone(), owner: Owner::from(&user), user, actor, by_program: false }
    }

    /// The platform as a service can use it for this user.
    #[cfg(feature = "platform")]
    pub(crate) fn access_of_service(&self, user: User) -> Access {
        Access { actor: SERVICE.to_owned(), by_program: true, ..self.access_unseen(user) }
    }
}

impl Access {
    /// Whether a service acts for the user.
    fn is_service(&self) -> bool {
        self.actor == SERVICE
    }

    /// The same for a program that acts for the user: it cannot approve what the assistant wants.
    #[cfg(feature = "mcp")]
    pub(crate) fn of_program(self) -> Self {
        Self { by_program: true, ..self }
    }

    /// The user.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The owner of everything that the user has.
    #[cfg(feature = "platform")]
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Runs a chat function as the user.
    ///
    /// # Errors
    /// `UNKNOWN_TOOL`, `UNKNOWN_SUB_FUNCTION`, `VALIDATION_MISSING_FIELD`, `VALIDATION_TYPE_ERROR` before
    /// anything is written; `RATE_LIMITED` when the user has as many open calls as the settings allow;
    /// `UNAVAILABLE` when the ledger cannot write. A failure of the function itself is an answer, not an
    /// error.
    pub async fn call(&self, app_id: &str, function: &str, params: Value) -> Result<CallReply> {
        self.call_with(self.begin_call()?, None, app_id, function, params).await
    }

    /// Runs a chat function at most once per key, however often and on whichever nodes it is asked for. Every
    /// request gets the first call's reply, so a client that lost a response sends its request again. The
    /// key lasts as long as the call's turn is kept. Two requests are the same when their function and the
    /// parameters that the chat keeps are equal.
    ///
    /// # Errors
    /// As [`Access::call`]; also `UNAVAILABLE` when this node stops while another node runs the call,
    /// `KEY_REUSED` when the key belongs to a call with another function or other parameters, `NOT_FOUND`
    /// when retention removes that call's turn at this moment.
    pub async fn call_once(&self, key: &RequestKey, app_id: &str, function: &str, params: Value) -> Result<CallReply> {
        self.call_with(self.begin_call()?, Some(key), app_id, function, params).await
    }

    /// Counts a call from now on, before its parameters are read.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user has as many open calls as the settings allow.
    pub(crate) fn begin_call(&self) -> Result<CallPermit> {
        self.platform.node.active_calls.begin(&self.owner)
    }

    /// Runs a call that is counted already.
    pub(crate) async fn call_with(
        &self,
        permit: CallPermit,
        key: Option<&RequestKey>,
        app_id: &str,
        function: &str,
        params: Value,
    ) -> Result<CallReply> {
        let request = CallRequest { app_id, function, params, key, client: None };
        self.platform.call_function(&self.user, request, permit).await
    }

    /// Begins a call whose id the caller needs before the reply.
    ///
    /// # Errors
    /// As [`Access::call`], before anything is written.
    #[cfg(feature = "mcp")]
    pub(crate) async fn start_call(&self, request: CallRequest<'_>, permit: CallPermit) -> Result<StartedCall> {
        self.platform.start_call(&self.user, request, permit).await
    }

    /// The platform behind this access.
    #[cfg(feature = "mcp")]
    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// One of the user's tasks, with its result when it has ended.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for another user's task; [`Access::not_found`] for an unknown one.
    pub async fn task(&self, task_id: TaskId) -> Result<Task> {
        let mut tasks = [self.own_task(task_id, "task.read").await?.task];
        self.add_places(&mut tasks).await?;
        let [mut task] = tasks;
        self.add_follower(&mut task).await?;
        Ok(task)
    }

    /// Asks one of the user's tasks to stop, and returns the task as it then is. A second cancel, or one after
    /// the task's end, is no error.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn cancel(&self, task_id: TaskId) -> Result<Task> {
        let record = self.own_task(task_id, "task.cancel").await?;
        let audit = self.audit_row("task.cancel", task_id.to_string(), AuditOutcome::Done);
        self.cancel_record(record, audit).await.map_err(|error| match error {
            // Retention has removed it since.
            LedgerError::NotFound => Self::not_found(task_id),
            error => unavailable(&error),
        })
    }

    /// Asks a task to stop. The caller has checked that the user may.
    async fn cancel_record(&self, record: TaskRecord, audit: NewAudit) -> LedgerResult<Task> {
        let task_id = record.task.task_id;
        let end = messages::cancelled_unheld(WorkRef::of_record(&record), &record.task.name);
        let end = if record.task.state.is_open() && !record.task.state.is_held() {
            // A task that begins to run meanwhile is not ended by this.
            let _permit = self.read_permit().await;
            self.platform.node.bind_end(task_id, end).await?
        } else {
            BoundEnd::plain(end)
        };
        let write = |end| self.ledger().request_cancel(task_id, audit.clone(), end);
        match self.platform.node.write_unheld_end(task_id, end, write).await? {
            CancelOutcome::Requested(record) => {
                failpoint::hit("cancel-noted");
                self.platform.node.active.cancel_task(task_id);
                Ok(record.task)
            }
            CancelOutcome::Ended(record) => {
                self.platform.node.meters.task(record.task.state, Duration::ZERO);
                Ok(record.task)
            }
            CancelOutcome::AlreadyEnded(record) => Ok(record.task),
        }
    }

    async fn own_task(&self, task_id: TaskId, action: &str) -> Result<TaskRecord> {
        let found = {
            let _permit = self.read_permit().await;
            self.ledger().find_task(task_id).await
        };
        match found {
            Ok(Some(record)) if record.owner == self.owner => Ok(record),
            Ok(Some(_)) => Err(self.refuse(action, &task_id.to_string(), "This task belongs to another user.").await),
            Ok(None) | Err(LedgerError::NotFound) => Err(Self::not_found(task_id)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The error for a task that is not in the ledger.
    pub fn not_found(task_id: TaskId) -> Error {
        Error::user(codes::NOT_FOUND, format!("There is no task {task_id}."))
    }

    fn ledger(&self) -> &dyn crate::ledger::Ledger {
        &*self.platform.node.ledger
    }
}
