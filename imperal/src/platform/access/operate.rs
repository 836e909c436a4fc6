//! The rights of an operator: open tasks of all users, cancels and retries of many, paused durable tasks, queues.
//!
//! The scope `tasks:operate` gives them for the user's own tenant, `tasks:operate:all` for all tenants. A durable task
//! and a queue belong to all tenants, so queues and pauses, also their lists, need the second. A change by an operator
//! is audited under the task's user, with the operator as the actor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::ids::TaskId;
use crate::ledger::{
    AuditOutcome, DurableName, LedgerError, NewAudit, OpenTask, Owner, PausedTask, SUSPECT, Task, TaskPlace,
    TaskRecord, TaskState, WaitsFor,
};
use crate::platform::ledger_errors::{unavailable, unreadable};
use crate::result::Result;

/// Most tasks of one page, and of one request that changes tasks.
const MOST: usize = 100;
/// Open tasks that are looked at for one page: a filter may match few of many.
const LOOKED_AT: usize = 5_000;
/// Open tasks that are read at once.
const READ: u32 = 500;

/// Selects open tasks: those that match every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TaskFilter {
    /// The extension.
    pub app: Option<String>,
    /// The function that started them.
    pub function: Option<String>,
    /// The name of the durable task.
    pub task: Option<String>,
    /// The state.
    pub state: Option<TaskState>,
    /// The reason why no process runs them.
    pub waits_for: Option<WaitsFor>,
    /// The queue.
    pub queue: Option<String>,
    /// The tenant of their user.
    pub tenant: Option<String>,
    /// The id of their user within a tenant. Several tenants may have one of this id.
    pub user: Option<String>,
    /// Only those whose attempts crashed their processes twice or more in a row.
    pub suspect: Option<bool>,
}

impl TaskFilter {
    fn matches(&self, open: &OpenTask) -> bool {
        fn is<T: PartialEq + ?Sized>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let Task { app_id, function, state, waits_for, queue, .. } = &open.record.task;
        is(self.app.as_deref(), Some(app_id.as_str()))
            && is(self.function.as_deref(), Some(function.as_str()))
            && is(self.task.as_deref(), open.task_name.as_deref())
            && is(self.state.as_ref(), Some(state))
            && is(self.waits_for.as_ref(), waits_for.as_ref())
            && is(self.queue.as_deref(), queue.as_deref())
            && is(self.tenant.as_deref(), Some(&*open.record.owner.tenant_id))
            && is(self.user.as_deref(), Some(&*open.record.owner.user_id))
            && self.suspect.is_none_or(|wanted| wanted == (open.crashes >= SUSPECT))
    }
}

/// An open task of any user, as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorTask {
    /// Its user's tenant.
    pub tenant_id: String,
    /// Its user.
    pub user_id: String,
    /// The node that runs it, or ran it last.
    pub node: String,
    /// The name of the durable task; absent for a background task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// Attempts in a row that crashed their processes.
    #[serde(default)]
    pub crashes: u32,
    /// The task.
    pub task: Task,
}

impl From<OpenTask> for OperatorTask {
    fn from(OpenTask { record, task_name, crashes, .. }: OpenTask) -> Self {
        let TaskRecord { owner, incarnation, task } = record;
        let (tenant_id, user_id) = (owner.tenant_id.to_string(), owner.user_id.to_string());
        Self { tenant_id, user_id, node: incarnation.node.to_string(), task_name, crashes, task }
    }
}

/// Open tasks, in the order of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorPage {
    /// The tasks. A page may have none although there is a next one.
    pub tasks: Vec<OperatorTask>,
    /// There may be more: ask again with this text as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What became of one task of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operated {
    /// It is cancelled: no process ran it.
    Cancelled,
    /// It was asked to stop.
    Asked,
    /// It can be claimed at once.
    Retried,
    /// It is as it was: it had ended, or is neither stuck nor a suspect.
    Unchanged,
    /// There is no such task, or none that this operator may change.
    NotFound,
}

/// A task of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatedTask {
    /// The task.
    pub task_id: TaskId,
    /// What became of it.
    pub outcome: Operated,
}

/// A queue: what it has now, and its limits on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct QueueState {
    /// The extension.
    pub app_id: String,
    /// The name.
    pub queue: String,
    /// Tasks that hold a slot.
    pub running: u64,
    /// Tasks that are ready and wait for one, counted up to 10,000.
    pub ready: u64,
    /// Since when the first of them is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub oldest_ready_at: Option<jiff::Timestamp>,
    /// Slots; absent if this program does not declare the queue, whose tasks then run one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Slots of one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_user: Option<u32>,
}

/// The platform as an operator can see and change it. Made by [`Access::operator`].
#[derive(Debug, Clone)]
pub struct Operator {
    access: Access,
    /// The tenant that the operator is limited to.
    tenant: Option<String>,
}

impl Access {
    /// The rights of an operator, if the user's scopes give them.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, without the scope `tasks:operate` or `tasks:operate:all`.
    pub async fn operator(&self) -> Result<Operator> {
        let tenant = if self.user.has_scope("tasks:operate:all") {
            None
        } else if self.user.has_scope("tasks:operate") {
            Some(self.owner.tenant_id.to_string())
        } else {
            let why = "This needs the scope `tasks:operate` or `tasks:operate:all`.";
            return Err(self.refuse("task.operate", &self.owner.user_id, why).await);
        };
        Ok(Operator { access: self.clone(), tenant })
    }
}

impl Operator {
    /// Open tasks that match, after a place: at most 100, and as many as are found among the next 5,000 open ones.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot read.
    pub async fn tasks(&self, filter: &TaskFilter, after: TaskPlace, limit: usize) -> Result<OperatorPage> {
        let limit = limit.clamp(1, MOST);
        let (mut place, mut looked_at, mut tasks) = (after, 0, Vec::new());
        loop {
            let page = self.access.read(self.access.ledger().open_work(place, READ)).await?;
            let is_last = page.len() < READ as usize;
            for open in page {
                if tasks.len() >= limit || looked_at >= LOOKED_AT {
                    return Ok(OperatorPage { tasks, next: Some(place.to_string()) });
                }
                (place, looked_at) = (open.place, looked_at + 1);
                if self.may_see(&open.record) && filter.matches(&open) {
                    tasks.push(OperatorTask::from(open));
                }
            }
            if is_last {
                return Ok(OperatorPage { tasks, next: None });
            }
        }
    }

    /// Asks tasks to stop, as [`Access::cancel`] does; at most 100.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot write. Tasks before that one are cancelled; cancel them again.
    pub async fn cancel(&self, tasks: &[TaskId]) -> Result<Vec<OperatedTask>> {
        check_count(tasks)?;
        let mut operated = Vec::with_capacity(tasks.len());
        for &task_id in tasks {
            let outcome = match self.find(task_id, "task.cancel").await? {
                None => Operated::NotFound,
                Some(record) if !record.task.state.is_open() => Operated::Unchanged,
                Some(record) => {
                    let audit = self.audit_of(&record, "task.cancel");
                    match self.access.cancel_record(record, audit).await.map(|task| task.state) {
                        Ok(TaskState::Cancelled) => Operated::Cancelled,
                        Ok(state) if state.is_open() => Operated::Asked,
                        Ok(_) => Operated::Unchanged,
                        // Retention has removed it since.
                        Err(LedgerError::NotFound) => Operated::NotFound,
                        Err(error) => return Err(unavailable(&error)),
                    }
                }
            };
            operated.push(OperatedTask { task_id, outcome });
        }
        Ok(operated)
    }

    /// Lets tasks that are stuck, or wait after crashes, be claimed at once; at most 100.
    ///
    /// # Errors
    /// As [`Operator::cancel`].
    pub async fn retry(&self, tasks: &[TaskId]) -> Result<Vec<OperatedTask>> {
        check_count(tasks)?;
        let mut operated = Vec::with_capacity(tasks.len());
        for &task_id in tasks {
            let outcome = match self.find(task_id, "task.retry").await? {
                None => Operated::NotFound,
                Some(before) => {
                    match self.access.ledger().retry_task(task_id, self.audit_of(&before, "task.retry")).await {
                        Ok(TaskRecord { task, .. })
                            if task.state == TaskState::Queued && task.ready_at != before.task.ready_at =>
                        {
                            Operated::Retried
                        }
                        Ok(_) => Operated::Unchanged,
                        // Retention has removed it since.
                        Err(LedgerError::NotFound) => Operated::NotFound,
                        Err(error) => return Err(unavailable(&error)),
                    }
                }
            };
            operated.push(OperatedTask { task_id, outcome });
        }
        Ok(operated)
    }

    /// The durable tasks that are paused.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for an operator of one tenant; `UNAVAILABLE` when the ledger cannot read.
    pub async fn paused(&self) -> Result<Vec<PausedTask>> {
        self.check_all_tenants("task.paused").await?;
        self.access.read(self.access.ledger().paused_tasks()).await
    }

    /// Pauses a durable task on all nodes, or resumes it. Returns whether that changed anything.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for an operator of one tenant; `NOT_FOUND` when it is to be paused and this program
    /// does not have it. One that the program no longer has can still be resumed. `UNAVAILABLE` when the ledger cannot
    /// write.
    pub async fn set_paused(&self, name: DurableName, paused: bool) -> Result<bool> {
        let action = if paused { "task.pause" } else { "task.resume" };
        self.check_all_tenants(action).await?;
        let registry = self.access.platform.registry();
        let is_known = registry
            .extension(&name.app_id)
            .is_some_and(|extension| extension.durable_tasks().iter().any(|task| task.name == name.task_name));
        if paused && !is_known {
            let known = registry.extensions().flat_map(|extension| {
                extension.durable_tasks().iter().map(|task| format!("`{}/{}`", extension.app_id(), task.name))
            });
            let known: Vec<_> = known.collect();
            let list = if known.is_empty() { "no durable task".to_owned() } else { known.join(", ") };
            let text = format!("This program has no durable task `{}/{}`; it has {list}.", name.app_id, name.task_name);
            return Err(Error::user(codes::NOT_FOUND, text));
        }
        let target = format!("{}/{}", name.app_id, name.task_name);
        let audit = NewAudit { actor: self.actor(), ..self.access.audit_row(action, target, AuditOutcome::Done) };
        self.access.ledger().set_paused(name, paused, audit).await.map_err(|error| unavailable(&error))
    }

    /// The queues that have had a task.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for an operator of one tenant; `UNAVAILABLE` when the ledger cannot read.
    pub async fn queues(&self) -> Result<Vec<QueueState>> {
        self.check_all_tenants("task.queues").await?;
        let loads = self.access.read(self.access.ledger().queue_loads()).await?;
        let limits = self.access.platform.node.queue_limits();
        let state = |load: crate::ledger::QueueLoad| {
            let limit = limits.iter().find(|limit| limit.app_id == load.app_id && limit.queue == load.queue);
            QueueState {
                at_most: limit.map(|limit| limit.at_most),
                per_user: limit.map(|limit| limit.per_user),
                app_id: load.app_id,
                queue: load.queue,
                running: load.running,
                ready: load.ready,
                oldest_ready_at: load.oldest_ready_at,
            }
        };
        Ok(loads.into_iter().map(state).collect())
    }

    fn may_see(&self, record: &TaskRecord) -> bool {
        self.tenant.as_deref().is_none_or(|tenant| *tenant == *record.owner.tenant_id)
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// # Errors
    /// `PERMISSION_DENIED`, audited, for a user of a tenant that is not the operator's.
    pub(super) async fn check_owner(&self, owner: &Owner, action: &str) -> Result<()> {
        if self.tenant.as_deref().is_none_or(|tenant| *tenant == *owner.tenant_id) {
            return Ok(());
        }
        let why = "This user belongs to another tenant: it needs the scope `tasks:operate:all`.";
        Err(self.access.refuse(action, &owner.user_id, why).await)
    }

    pub(super) async fn check_all_tenants(&self, action: &str) -> Result<()> {
        if self.tenant.is_none() {
            return Ok(());
        }
        let why = "This concerns all tenants: it needs the scope `tasks:operate:all`.";
        Err(self.access.refuse(action, &self.access.owner.user_id, why).await)
    }

    /// A task that the operator may see. One of another tenant is none for them, and the try is audited.
    async fn find(&self, task_id: TaskId, action: &str) -> Result<Option<TaskRecord>> {
        let found = {
            let _permit = self.access.read_permit().await;
            self.access.ledger().find_task(task_id).await
        };
        match found {
            Ok(Some(record)) if !self.may_see(&record) => {
                let row = self.access.audit_row(action, task_id.to_string(), AuditOutcome::Refused);
                self.access.platform.audit_refusal(NewAudit { actor: self.actor(), ..row }).await?;
                Ok(None)
            }
            Ok(record) => Ok(record),
            Err(LedgerError::NotFound) => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The operator, as the audit trail names them.
    pub(super) fn actor(&self) -> String {
        let owner = &self.access.owner;
        format!("operator:{}/{}", owner.tenant_id, owner.user_id)
    }

    /// The audit row of a change of a user's task: in the user's trail, with the operator as the actor.
    fn audit_of(&self, record: &TaskRecord, action: &str) -> NewAudit {
        let access = &self.access;
        NewAudit {
            tenant_id: record.owner.tenant_id.to_string(),
            user_id: record.owner.user_id.to_string(),
            actor: self.actor(),
            app_id: Some(record.task.app_id.clone()),
            ..access.audit_row(action, record.task.task_id.to_string(), AuditOutcome::Done)
        }
    }
}

/// Refuses a request for too many tasks.
fn check_count(tasks: &[TaskId]) -> Result<()> {
    if tasks.len() <= MOST {
        return Ok(());
    }
    let text = format!("One request changes at most {MOST} tasks, not {}.", tasks.len());
    Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("task_ids"))
}
