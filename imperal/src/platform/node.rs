//! The state that every part of one node shares: ledger, registry, settings, and its work.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::active::{ActiveWorkRegistry, Lease};
use super::admission::ActiveCalls;
use super::answer_types::AnswerTypes;
use super::error::PlatformError;
use super::file_store::FileStore;
use super::hazards::Hazards;
use super::lease_age::LeaseAge;
use super::ledger_errors::stopping;
use super::meters::Meters;
use super::progress::ProgressHub;
use super::refusals::RefusalLimiter;
use super::seen::SeenUsers;
use super::step_quota::StepQuota;
use crate::context::OfferedFunction;
use crate::function::{ParamsCheck, Registry};
use crate::ids::CallId;
use crate::keyed_semaphore::KeyedSemaphore;
use crate::ledger::{Ledger, Owner};
use crate::loops::{Loops, Need};
use crate::result::Result;
use crate::task::{Limits, Watchdog};

/// One running node.
pub(super) struct Node {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) registry: Registry,
    pub(super) checks: ParamsChecks,
    pub(super) settings: Settings,
    pub(super) task_limits: TaskLimits,
    pub(super) lease: RwLock<Lease>,
    pub(super) lease_age: LeaseAge,
    /// Until then this node does not expire its peers' leases.
    pub(super) grace_until: RwLock<Option<Instant>>,
    pub(super) active: ActiveWorkRegistry,
    pub(super) active_calls: Arc<ActiveCalls>,
    pub(super) refusals: RefusalLimiter,
    /// Waiters for the reply to a call. Only one of them polls the ledger.
    pub(super) reply_pollers: KeyedSemaphore<CallId>,
    /// Concurrent reads per user, so that one user's reads do not delay the others'.
    pub(super) reads: KeyedSemaphore<Owner>,
    pub(super) meters: Arc<Meters>,
    pub(super) progress: Arc<ProgressHub>,
    pub(super) watchdog: Watchdog,
    /// This node's maintenance loops. The ledger has its own.
    pub(super) loops: Loops,
    /// Resumed durable tasks that may still begin here.
    pub(super) resumes: Arc<Semaphore>,
    /// Whether a suspect may begin here.
    pub(super) suspects: Arc<Semaphore>,
    pub(super) step_quota: StepQuota,
    pub(super) answer_types: AnswerTypes,
    pub(super) hazards: Hazards,
    /// The functions as a model is offered them, made when they are first asked for.
    pub(super) offered: OnceLock<Arc<[OfferedFunction]>>,
    pub(super) files: Arc<FileStore>,
    /// Whether work of this process has started a task in a queue.
    pub(super) has_queued: AtomicBool,
    /// Scheduled calls that may still begin here.
    pub(super) schedule_slots: Arc<Semaphore>,
    /// Jobs of extensions that may still begin here.
    pub(super) job_slots: Arc<Semaphore>,
    /// Wakes the loop of the schedules: one of them has another time, or a user was seen.
    pub(super) schedules_changed: Notify,
    /// Users whose requests are still to be noted.
    pub(super) seen: SeenUsers,
    /// Every call and task that runs here.
    pub(super) tracker: TaskTracker,
    /// Cancelled when the node accepts no new calls and tasks.
    pub(super) stopping: CancellationToken,
    /// Cancelled when work that still runs is interrupted.
    pub(super) killing: CancellationToken,
    /// Cancelled when the maintenance loops end.
    pub(super) ended: CancellationToken,
}

impl Node {
    /// Starts a maintenance loop, which returns once the platform has ended.
    pub(super) fn spawn_loop<F>(
        self: &Arc<Self>,
        name: &'static str,
        need: Need,
        body: impl Fn(Arc<Self>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let node = self.clone();
        self.loops.spawn(name, need, self.ended.clone(), move || body(node.clone()));
    }

    /// The lease under which this node writes now.
    pub(super) fn lease(&self) -> Lease {
        self.lease.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes that one user may store a day; `None` for no limit.
    pub(super) fn max_stored(&self) -> Option<u64> {
        Some(self.settings.stored_per_user_and_day).filter(|limit| *limit > 0)
    }

    /// # Errors
    /// `UNAVAILABLE` when this node stops.
    pub(super) fn check_accepting(&self) -> Result<()> {
        if self.stopping.is_cancelled() { Err(stopping()) } else { Ok(()) }
    }

    pub(super) fn call_limits(&self) -> Limits {
        // A call's cap is short: no liveness check.
        Limits { cap: self.settings.call_cap, liveness: self.settings.call_cap * 2, grace: self.settings.cancel_grace }
    }

    pub(super) fn task_limits(&self, long_running: bool) -> &Limits {
        if long_running { &self.task_limits.long } else { &self.task_limits.short }
    }
}

/// The limits of tasks. Their runs borrow them.
pub(super) struct TaskLimits {
    short: Limits,
    long: Limits,
}

impl From<&Settings> for TaskLimits {
    fn from(settings: &Settings) -> Self {
        let of = |cap| Limits { cap, liveness: settings.liveness, grace: settings.cancel_grace };
        Self { short: of(settings.task_cap), long: of(settings.long_task_cap) }
    }
}

/// The compiled parameter checks of all functions, by `app_id` and function name.
pub(super) struct ParamsChecks(HashMap<(&'static str, &'static str), ParamsCheck>);

impl ParamsChecks {
    /// # Errors
    /// Every function whose schema cannot be checked, one sentence each.
    pub(super) fn compile(registry: &Registry) -> std::result::Result<Self, PlatformError> {
        let mut checks = HashMap::new();
        let mut faults = Vec::new();
        for extension in registry.extensions() {
            for function in extension.functions() {
                match ParamsCheck::compile(function) {
                    Ok(check) => {
                        checks.insert((extension.app_id(), function.name), check);
                    }
                    Err(fault) => faults.push(fault.to_string()),
                }
            }
        }
        if faults.is_empty() { Ok(Self(checks)) } else { Err(PlatformError::Functions(faults)) }
    }

    pub(super) fn find(&self, app_id: &'static str, function: &'static str) -> Option<&ParamsCheck> {
        self.0.get(&(app_id, function))
    }
}
