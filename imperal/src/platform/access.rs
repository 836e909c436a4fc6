//! The one door for users: whose it is, is checked here and nowhere else.
//!
//! The gateway and the commands hold an [`Access`], never a ledger. What belongs to somebody else
//! is refused with 403 and audited under whoever tried. Each user has a share of the ledger's readers: so many
//! reads at once, and the others wait here, where they hold up nobody else and leave with their caller.

use serde_json::Value;

use super::{CallPermit, CallReply, Platform, unavailable, unreadable};
use crate::codes;
use crate::error::Error;
use crate::failpoint;
use crate::ids::{CallId, RequestKey, TaskId};
use crate::keyed_semaphore::Permit;
use crate::ledger::{
    AuditCheck, AuditFilter, AuditOutcome, AuditRow, AuditScope, CancelOutcome, Event, Fut, LedgerError, NewAudit,
    Owner, Page, PageLimit, Subscription, Task, TaskRecord, Turn,
};
use crate::result::Result;
use crate::user::User;

/// Most rows of one answer.
const PAGE: u32 = 500;

/// Reads of one user at once: fewer than any ledger can do.
pub(super) const READS: usize = 2;

/// What follows a number.
#[derive(Debug)]
pub(crate) enum EventsSince {
    /// The next events, in order.
    Events(Page<Event>),
    /// Events up to this number are not kept any more.
    Pruned(u64),
}

/// What one user can do and see.
#[derive(Debug, Clone)]
pub struct Access {
    platform: Platform,
    user: User,
    owner: Owner,
}

impl Platform {
    /// What this user can do and see.
    pub fn access(&self, user: User) -> Access {
        Access { platform: self.clone(), owner: Owner::from(&user), user }
    }

    /// Audit rows in order.
    pub(crate) async fn audit_rows(&self, scope: AuditScope, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        let filter = AuditFilter { scope, after, limit: PageLimit::rows(limit.min(PAGE)) };
        self.node.ledger.audit_rows(filter).await.map_err(|error| unreadable(&error))
    }

    /// Whether audit rows are as they were written.
    pub(crate) async fn check_audit(&self, scope: AuditScope) -> Result<AuditCheck> {
        AuditCheck::run(&*self.node.ledger, scope).await.map_err(|error| unreadable(&error))
    }

    /// Writes a refusal down, unless the actor has been refused too often lately: then it is only counted.
    pub(super) async fn audit_refusal(&self, row: NewAudit) -> Result<()> {
        let Some(row) = self.node.refusals.admit(row) else {
            self.node.meters.refusals_only_counted.inc();
            return Ok(());
        };
        tracing::warn!(actor = row.actor, action = row.action, target = row.target, detail = row.detail, "refused");
        self.node.ledger.write_audit(row).await.map_err(|error| unavailable(&error))
    }
}

impl Access {
    /// Who this is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Runs a chat function as the user.
    ///
    /// # Errors
    /// `UNKNOWN_TOOL`, `UNKNOWN_SUB_FUNCTION`, `VALIDATION_MISSING_FIELD`, `VALIDATION_TYPE_ERROR`
    /// before anything is written; `RATE_LIMITED` when the user has as many calls at work as there may be;
    /// `UNAVAILABLE` when the ledger cannot write. A failure of the
    /// function itself is an answer, not an error.
    pub async fn call(&self, app_id: &str, function: &str, params: Value) -> Result<CallReply> {
        self.call_with(self.begin_call()?, None, app_id, function, params).await
    }

    /// The same under a key: however often it is asked, on whichever nodes and at once, it is run once, and
    /// every request has that one's reply. Who lost an answer asks again. The key lasts as long as the call's turn is
    /// kept; it compares the function and what the chat keeps of the parameters.
    ///
    /// # Errors
    /// As [`Access::call`], also when this node stops while another is at work on the call; `KEY_REUSED` when the key
    /// belongs to a call with another function or other parameters; `NOT_FOUND` when that call's turn goes just now.
    pub async fn call_once(&self, key: &RequestKey, app_id: &str, function: &str, params: Value) -> Result<CallReply> {
        self.call_with(self.begin_call()?, Some(key), app_id, function, params).await
    }

    /// Counts a call from now on, before its parameters are read.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user has as many calls at work as there may be.
    pub(crate) fn begin_call(&self) -> Result<CallPermit> {
        self.platform.node.calls_at_work.begin(&self.owner)
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
        self.platform.call(&self.user, app_id, function, params, key, permit).await
    }

    /// The user's turns after a number, in order: at most 500 and 2 MiB.
    pub async fn turns(&self, after: u64, limit: u32) -> Result<Page<Turn>> {
        self.read(self.ledger().turns(&self.owner, after, PageLimit::rows(limit.min(PAGE)))).await
    }

    /// The user's latest turns before a number, in order: at most 500 and 2 MiB.
    pub async fn latest_turns(&self, before: Option<u64>, limit: u32) -> Result<Page<Turn>> {
        self.read(self.ledger().latest_turns(&self.owner, before, PageLimit::rows(limit.min(PAGE)))).await
    }

    /// The user's events after a number, in order: at most 500 and 2 MiB. A task's event has no result; the
    /// outcome turn behind it does.
    ///
    /// # Errors
    /// `NOT_FOUND` when the next of them are not kept any more.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Page<Event>> {
        match self.events_since(after, PageLimit::rows(limit.min(PAGE))).await? {
            EventsSince::Events(events) => Ok(events),
            EventsSince::Pruned(floor) => {
                Err(Error::user(codes::NOT_FOUND, format!("Events up to {floor} are not kept any more.")))
            }
        }
    }

    /// The user's events after a number, or that they are not kept any more.
    pub(crate) async fn events_since(&self, after: u64, limit: PageLimit) -> Result<EventsSince> {
        let _permit = self.share().await;
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
        self.read(self.ledger().running_tasks(&self.owner)).await
    }

    /// The user's tasks in any state, newest first, without their results: [`Access::task`] has one's, and so
    /// has its outcome turn.
    pub async fn recent_tasks(&self, limit: u32) -> Result<Vec<Task>> {
        self.read(self.ledger().recent_tasks(&self.owner, limit.min(PAGE))).await
    }

    /// The tasks that one of the user's calls started, oldest first, without their results.
    pub async fn tasks_of_call(&self, call_id: CallId) -> Result<Vec<Task>> {
        self.read(self.ledger().tasks_of_call(&self.owner, call_id)).await
    }

    /// One of the user's tasks, with its result when it has ended.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for another user's; [`Access::not_found`] for an unknown one.
    pub async fn task(&self, task_id: TaskId) -> Result<Task> {
        Ok(self.own_task(task_id, "task.read").await?.task)
    }

    /// Asks one of the user's tasks to stop. Returns it as it then stands: asking twice, or after
    /// its end, is no error.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn cancel(&self, task_id: TaskId) -> Result<Task> {
        self.own_task(task_id, "task.cancel").await?;
        let audit = self.audit_row("task.cancel", task_id.to_string(), AuditOutcome::Done);
        let answer = self.ledger().request_cancel(task_id, audit).await.map_err(|error| unavailable(&error))?;
        match answer {
            CancelOutcome::Requested(record) => {
                failpoint::hit("cancel-noted");
                self.platform.node.active.cancel(task_id);
                Ok(record.task)
            }
            CancelOutcome::AlreadyEnded(record) => Ok(record.task),
        }
    }

    /// The user's own audit rows.
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        self.audit_in(AuditScope::Owner(self.owner.clone()), after, limit).await
    }

    /// More audit rows, for a user who may see them.
    pub(crate) async fn audit_in(&self, scope: AuditScope, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        let _permit = self.share().await;
        self.platform.audit_rows(scope, after, limit).await
    }

    /// Whether the user's audit rows are as they were written.
    pub async fn check_audit(&self) -> Result<AuditCheck> {
        self.check_audit_in(AuditScope::Owner(self.owner.clone())).await
    }

    /// The same for a user who may see more. It reads page after page: for as long as it takes, the user has
    /// one read less for other things.
    pub(crate) async fn check_audit_in(&self, scope: AuditScope) -> Result<AuditCheck> {
        let _permit = self.share().await;
        self.platform.check_audit(scope).await
    }

    /// Refuses what only a service may do: the error for it, once the attempt is audited.
    pub(crate) async fn refuse_injection(&self, target: &str) -> Error {
        self.refuse("chat.inject", target, "Only a service may put a message into a chat.").await
    }

    /// Refuses what only the terminal on this machine may do.
    pub(crate) async fn refuse_link(&self) -> Error {
        self.refuse("page.link", &self.owner.user_id, "Only the `link` command on this machine makes links.").await
    }

    /// Writes down who tried what; a refusal that cannot be audited says so instead.
    async fn refuse(&self, action: &str, target: &str, why: &str) -> Error {
        let row = self.audit_row(action, target.to_owned(), AuditOutcome::Refused);
        match self.platform.audit_refusal(row).await {
            Ok(()) => Error::user(codes::PERMISSION_DENIED, why),
            Err(unwritten) => unwritten,
        }
    }

    async fn own_task(&self, task_id: TaskId, action: &str) -> Result<TaskRecord> {
        let found = {
            let _permit = self.share().await;
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

    fn audit_row(&self, action: &str, target: String, outcome: AuditOutcome) -> NewAudit {
        NewAudit {
            tenant_id: self.owner.tenant_id.to_string(),
            user_id: self.owner.user_id.to_string(),
            actor: format!("user:{}", self.owner.user_id),
            app_id: None,
            action: action.to_owned(),
            target: Some(target),
            outcome,
            detail: None,
        }
    }

    /// Backoff for a place among the user's reads. Dropped with its caller, it leaves the line.
    async fn share(&self) -> Permit<'_, Owner> {
        self.platform.node.reads.acquire(self.owner.clone()).await
    }

    /// A read within the user's share.
    async fn read<T>(&self, read: Fut<'_, T>) -> Result<T> {
        let _permit = self.share().await;
        read.await.map_err(|error| unreadable(&error))
    }

    fn ledger(&self) -> &dyn crate::ledger::Ledger {
        &*self.platform.node.ledger
    }
}
