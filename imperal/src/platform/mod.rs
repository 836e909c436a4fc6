//! The platform: runs calls and tasks on a ledger.
//!
//! A [`Platform`] is one node from joining the ledger to leaving it. It dispatches calls, supervises their
//! work, settles what dead nodes left, and shuts down in two phases. Users reach it only through [`Access`],
//! which checks the owner before it reads or writes.

mod acceptance;
mod access;
mod active;
mod admission;
mod answer_types;
mod assistant_meters;
mod call_reply;
mod call_run;
mod call_writes;
mod chat;
mod dispatch;
mod documents;
mod drafts;
mod durable;
mod durable_digest;
mod durable_write;
mod error;
mod export;
mod file_store;
mod files;
mod first_tasks;
mod follow_up;
mod hazard_checks;
mod hazards;
mod host;
mod http_meter;
mod idempotency;
mod injection;
mod lease;
mod lease_age;
mod ledger_errors;
mod messages;
mod meters;
mod node;
mod progress;
mod questions;
mod queue;
mod readable_name;
mod recovery;
mod refusals;
mod resume;
mod retention;
mod schedules;
mod secrets;
mod seen;
mod settings;
mod settling;
mod step_quota;
mod task_run;
mod tasks;
mod timeline;
mod tool_calls;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assistant;
use crate::codes;
use crate::context::{EFFECT_GRACE, HttpPool, Services, States, WorkListener};
use crate::error::Error;
use crate::function::Registry;
#[cfg(feature = "platform")]
use crate::function::{FunctionDef, ParamsCheck};
use crate::keyed_semaphore::KeyedSemaphore;
use crate::ledger::Ledger;
#[cfg(feature = "mcp")]
use crate::ledger::RetentionPolicy;
#[cfg(feature = "platform")]
use crate::ledger::Work;
use crate::loops::{Loops, Need};
use crate::result::Result;
use crate::task::Watchdog;

#[cfg(feature = "mcp")]
pub(crate) use access::CallWork;
#[cfg(feature = "platform")]
pub(crate) use access::EventsSince;
pub use access::{
    Access, AllowedFunction, Answered, CallState, DocumentOperator, FileInfo, FilePage, FollowedUp, NewSchedule,
    NextRun, Operated, OperatedTask, Operator, OperatorCollection, OperatorDocument, OperatorDocuments, OperatorJob,
    OperatorPage, OperatorTask, Preview, PreviewRequest, QueueState, RecentRun, Rotation, SaidMessage, Schedule,
    ScheduleAccess, ScheduleChanges, SecretAccess, SecretState, SecretStatus, StoppedCall, TaskFilter, Upload,
    UserSchedules,
};
pub(crate) use admission::CallPermit;
pub use call_reply::CallReply;
pub(crate) use dispatch::CallRequest;
#[cfg(feature = "mcp")]
pub(crate) use dispatch::StartedCall;
#[cfg(feature = "testing")]
pub(crate) use durable::durable_body;
pub use error::PlatformError;
pub use export::{ExportedStep, ExportedValue, TaskExport};
#[cfg(feature = "platform")]
pub(crate) use injection::RefusedMessage;
pub use injection::{Injected, Injection};
pub(crate) use meters::Meters;
#[cfg(feature = "platform")]
pub(crate) use meters::{Cut, Sent};
pub use queue::Queue;
pub use schedules::{Approval, Run, RunState, ScheduleCounts, ScheduleReason, ScheduleState};
pub use settings::Settings;
#[cfg(feature = "platform")]
pub(crate) use settings::outside;
pub use timeline::{Idle, Timeline, TimelineEntry, TimelineQuestion, TimelineStep};

pub use crate::vault::{KeysError, SecretKeys};

use active::ActiveWorkRegistry;
use admission::ActiveCalls;
use answer_types::AnswerTypes;
use file_store::FileStore;
use hazards::Hazards;
use http_meter::MeteredTransport;
use lease_age::LeaseAge;
use ledger_errors::unavailable;
use node::{Node, ParamsChecks};
use progress::ProgressHub;
use refusals::RefusalLimiter;
use seen::SeenUsers;
use step_quota::StepQuota;

/// How long a stop waits for the ledger to note it.
const DRAIN: Duration = Duration::from_secs(1);

/// How long the maintenance loops may take to end.
const LOOPS_END: Duration = Duration::from_secs(3);

/// A running node: extensions, ledger, and everything that runs on them.
#[derive(Clone)]
pub struct Platform {
    node: Arc<Node>,
    services: Arc<Services>,
}

impl Platform {
    /// Joins the ledger, settles the work that earlier incarnations left, and accepts calls.
    ///
    /// # Errors
    /// [`PlatformError`].
    #[cfg(feature = "platform")]
    pub(crate) async fn start(
        registry: Registry,
        ledger: Arc<dyn Ledger>,
        states: States,
        settings: Settings,
    ) -> std::result::Result<Self, PlatformError> {
        let http = HttpPool::new().map_err(PlatformError::Http)?;
        Self::start_with(registry, ledger, Arc::new(states), settings, http, None).await
    }

    /// As [`Platform::start`], with what tests replace: the transport of outgoing calls, and a listener that
    /// gets every progress report.
    pub(crate) async fn start_with(
        registry: Registry,
        ledger: Arc<dyn Ledger>,
        states: Arc<States>,
        settings: Settings,
        http: HttpPool,
        listener: Option<Arc<dyn WorkListener>>,
    ) -> std::result::Result<Self, PlatformError> {
        settings.check()?;
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        let (registry, states) = with_assistant(registry, states, &settings);
        let checks = ParamsChecks::compile(&registry)?;
        let meters = Arc::new(Meters::new(&registry));
        let http = http.through(|transport| Arc::new(MeteredTransport::new(transport, meters.clone())));
        secrets::check_keys(&*ledger, &registry, settings.secret_keys.as_ref()).await?;
        let loops = Loops::default();
        let requested_at = Instant::now();
        let incarnation = ledger.join(&settings.node, settings.lease).await?;
        let node = Arc::new(Node {
            meters,
            progress: Arc::new(ProgressHub::with_listener(listener)),
            ledger,
            registry,
            checks,
            active_calls: Arc::new(ActiveCalls::new(&settings)),
            refusals: RefusalLimiter::default(),
            files: Arc::new(FileStore::new(settings.blobs.clone())),
            task_limits: (&settings).into(),
            settings,
            lease: RwLock::new(incarnation.into()),
            active: ActiveWorkRegistry::default(),
            reply_pollers: KeyedSemaphore::new(1),
            lease_age: LeaseAge::requested_at(requested_at),
            loops: loops.clone(),
            reads: KeyedSemaphore::new(access::READS_PER_USER),
            grace_until: RwLock::default(),
            watchdog: Watchdog::start(&loops),
            resumes: Arc::new(Semaphore::new(resume::RESUMED_AT_ONCE)),
            suspects: Arc::new(Semaphore::new(1)),
            schedule_slots: Arc::new(Semaphore::new(schedules::AT_ONCE)),
            job_slots: Arc::new(Semaphore::new(schedules::JOBS_AT_ONCE)),
            schedules_changed: Notify::new(),
            seen: SeenUsers::default(),
            step_quota: StepQuota::default(),
            answer_types: AnswerTypes::default(),
            hazards: Hazards::default(),
            offered: OnceLock::new(),
            has_queued: AtomicBool::new(false),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killing: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        node.spawn_loop("renewal", Need::Essential, Node::renewal_loop);
        if let Err(error) = node.settle_at_start().await {
            node.ended.cancel();
            return Err(error.into());
        }
        let services = Services::new(node.clone(), http, states);
        node.spawn_loop("recovery", Need::Essential, Node::recovery_loop);
        let resumed = services.clone();
        node.spawn_loop("resume", Need::Essential, move |node| node.resume_loop(resumed.clone()));
        let scheduled = services.clone();
        node.spawn_loop("schedules", Need::Essential, move |node| node.schedule_loop(scheduled.clone()));
        let has_jobs = node.registry.extensions().any(|extension| !extension.jobs().is_empty());
        if has_jobs && node.settings.takes_up_tasks {
            node.spawn_loop("jobs", Need::Helpful, Node::enlist_loop);
        }
        node.spawn_loop("retention", Need::Helpful, Node::retention_loop);
        node.spawn_loop("progress", Need::Helpful, |node| async move {
            node.ended.run_until_cancelled(node.progress.run(&*node.ledger)).await;
        });
        Ok(Self { node, services })
    }

    /// The extensions it serves.
    pub fn registry(&self) -> &Registry {
        &self.node.registry
    }

    /// The parameter schema of a function, as the check uses it.
    #[cfg(feature = "platform")]
    pub(crate) fn params_schema(&self, app_id: &str, function: &'static FunctionDef) -> Option<&serde_json::Value> {
        let extension = self.node.registry.extension(app_id)?;
        self.node.checks.find(extension.app_id(), function.name).map(ParamsCheck::schema)
    }

    /// The most bytes of one file.
    #[cfg(feature = "platform")]
    pub(crate) fn most_file_bytes(&self) -> u64 {
        self.node.settings.file_bytes
    }

    /// How long turns and tasks are kept.
    #[cfg(feature = "mcp")]
    pub(crate) fn retention_policy(&self) -> &RetentionPolicy {
        &self.node.settings.keep
    }

    /// Whether calls are accepted right now.
    ///
    /// # Errors
    /// `UNAVAILABLE` with the reason, for an operator.
    pub async fn ready(&self) -> Result<()> {
        let node = &self.node;
        node.check_accepting()?;
        if let Some(name) = node.loops.missing().or_else(|| node.ledger.meters().loops().missing()) {
            return Err(Error::platform(codes::UNAVAILABLE, format!("{name} is not at work")));
        }
        if node.may_have_lapsed() {
            let text = format!("the lease was last renewed {} s ago", node.lease_age.get().as_secs());
            return Err(Error::platform(codes::UNAVAILABLE, text));
        }
        node.ledger.check_writable().await.map_err(|error| unavailable(&error))
    }

    /// How many stored rows this process could not read. The log names each of them.
    pub fn unreadable_rows(&self) -> u64 {
        self.node.ledger.meters().unreadable_rows()
    }

    /// The calls and tasks that run on this node now, for an operator who stops it.
    #[cfg(feature = "platform")]
    pub(crate) async fn running_work(&self) -> RunningWork {
        let node = &self.node;
        let mut running = RunningWork::default();
        for ctx in node.active.contexts() {
            let function = ctx.origin().function;
            let Work::Task(attempt) = ctx.origin().work() else {
                running.calls.push(function.to_owned());
                continue;
            };
            // The function stands for a task whose row cannot be read.
            let name = node.ledger.find_task(attempt.task_id).await.ok().flatten().map(|record| record.task.name);
            let tasks = if ctx.durable_run().is_some() { &mut running.durable_tasks } else { &mut running.tasks };
            tasks.push(name.unwrap_or_else(|| function.to_owned()));
        }
        running
    }

    /// Stops in two phases. At once, no new calls and tasks are accepted, durable tasks are handed over as soon
    /// as nothing of theirs is in flight, and other running work may go on for the grace period; while the closure of
    /// an effect runs, for up to 30 s. Then what still runs ends with an "interrupted" turn; a durable task is handed
    /// over. Returns when everything is in the ledger. A second stop waits for nothing but its own grace period.
    pub async fn shutdown(&self, grace: Duration) {
        let node = &self.node;
        let effects_until = (!node.stopping.is_cancelled()).then(|| Instant::now() + EFFECT_GRACE);
        node.stopping.cancel();
        // An end of this process from here on is no crash of its durable tasks.
        let incarnation = node.lease().incarnation.clone();
        match tokio::time::timeout(DRAIN, node.ledger.drain(&incarnation)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the ledger does not know that this node stops"),
            Err(_) => tracing::debug!("the ledger was slow to note that this node stops"),
        }
        node.hand_over_durable();
        node.tracker.close();
        if tokio::time::timeout(grace, node.tracker.wait()).await.is_err() {
            if let Some(until) = effects_until {
                node.wait_for_effects(until).await;
            }
            tracing::info!(left = node.tracker.len(), "grace period over, interrupting what still runs");
            node.killing.cancel();
            node.active.wake_supervisors();
            // This ends unless the ledger cannot write. Recovery settles the rest then.
            if tokio::time::timeout(Duration::from_secs(5), node.tracker.wait()).await.is_err() {
                tracing::warn!(left = node.tracker.len(), "left to recovery at the next start");
            }
        }
        node.ended.cancel();
        // The renewal was started first and ends last: no work of this node outlives its lease.
        node.loops.join(LOOPS_END).await;
        let lease = node.lease();
        if let Err(error) = node.ledger.leave(&lease.incarnation).await {
            tracing::debug!(%error, "the node could not leave the ledger");
        }
    }

    /// Ends as a killed process does: running work writes nothing more, and the node does not leave the ledger.
    #[cfg(feature = "testing")]
    pub(crate) fn die(&self) {
        let node = &self.node;
        node.stopping.cancel();
        node.ended.cancel();
        node.active.end_lease(&node.lease());
    }

    /// The node's maintenance loops; the layers above register theirs here too.
    #[cfg(feature = "platform")]
    pub(crate) fn loops(&self) -> &Loops {
        &self.node.loops
    }

    /// The node's meters; the layers above count here too.
    #[cfg(feature = "platform")]
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.node.meters
    }

    /// All metrics in Prometheus' text format.
    #[cfg(feature = "platform")]
    pub(crate) fn metrics(&self) -> String {
        let node = &self.node;
        let (calls, tasks) = node.active.count();
        let suspects = u64::from(node.suspects.available_permits() == 0);
        node.meters.text((calls, tasks, suspects), node.ledger.meters(), &node.loops)
    }
}

/// Adds the assistant, if a model is configured: its loop to the registry, the model to the states.
fn with_assistant(registry: Registry, states: Arc<States>, settings: &Settings) -> (Registry, Arc<States>) {
    let Some(settings) = settings.assistant.clone() else { return (registry, states) };
    let mut states = States::clone(&states);
    states.insert(assistant::Assistant::new(settings));
    (registry.with_builtin(&assistant::EXTENSION, vec![&assistant::ANSWER]), Arc::new(states))
}

/// The work on a node.
#[cfg(feature = "platform")]
#[derive(Debug, Default)]
pub(crate) struct RunningWork {
    /// The functions of the calls.
    pub(crate) calls: Vec<String>,
    /// The names of the tasks that end with this process.
    pub(crate) tasks: Vec<String>,
    /// The names of the durable tasks.
    pub(crate) durable_tasks: Vec<String>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("incarnation", &self.node.lease().incarnation).finish_non_exhaustive()
    }
}
