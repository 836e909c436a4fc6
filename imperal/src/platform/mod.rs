//! Wires registry, ledger and surfaces: dispatch, supervision, recovery, shutdown.
//!
//! Owns a node's life from joining the ledger to leaving it. Users reach it only through
//! [`Access`], which checks whose it is before anything is read or written.

mod access;
mod active;
mod admission;
mod chat;
mod dispatch;
mod durable_write;
mod http_meter;
mod idempotency;
mod injection;
mod lease;
mod messages;
mod meters;
mod progress;
mod recovery;
mod refusals;
mod retention;
mod settings;
mod tasks;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::codes;
use crate::context::{HttpPool, Ports, ProgressListener, States};
use crate::error::Error;
use crate::function::{FunctionDef, ParamsCheck, Registry};
use crate::ids::CallId;
use crate::keyed_semaphore::KeyedSemaphore;
use crate::ledger::{Ledger, LedgerError, Owner};
use crate::loops::{Loops, Need};
use crate::result::Result;
use crate::task::{Limits, Watchdog};

pub use access::Access;
pub(crate) use access::EventsSince;
pub(crate) use admission::CallPermit;
pub use dispatch::CallReply;
pub(crate) use injection::RefusedMessage;
pub use injection::{Injected, Injection};
pub use settings::Settings;
pub(crate) use settings::outside;

use active::{ActiveWorkRegistry, Lease};
use admission::CallsAtWork;
use http_meter::MeteredTransport;
use lease::LeaseAge;
pub(crate) use meters::{Cut, Meters, Sent};
use progress::ProgressHub;
use refusals::Refusals;

/// How long the maintenance loops may take to end.
const LOOPS_END: Duration = Duration::from_secs(3);

/// A running node: extensions, ledger, and everything at work.
#[derive(Clone)]
pub struct Platform {
    node: Arc<Node>,
    ports: Arc<Ports>,
}

/// What every part of the platform shares.
struct Node {
    ledger: Arc<dyn Ledger>,
    registry: Registry,
    checks: HashMap<(&'static str, &'static str), ParamsCheck>,
    settings: Settings,
    lease: RwLock<Lease>,
    active: ActiveWorkRegistry,
    calls_at_work: Arc<CallsAtWork>,
    refusals: Refusals,
    /// Waiters for the reply to a call. Only one of them polls the ledger.
    reply_pollers: KeyedSemaphore<CallId>,
    lease_age: LeaseAge,
    /// Each user's reads, so that one user's do not hold up the others'.
    reads: KeyedSemaphore<Owner>,
    /// Until then other nodes' lapsed leases are let be.
    grace_until: RwLock<Option<Instant>>,
    meters: Arc<Meters>,
    progress: Arc<ProgressHub>,
    watchdog: Watchdog,
    /// This node's maintenance loops; the ledger has its own.
    loops: Loops,
    tracker: TaskTracker,
    /// No new calls and tasks.
    stopping: CancellationToken,
    /// What still runs is interrupted.
    killing: CancellationToken,
    /// The maintenance loops end.
    ended: CancellationToken,
}

/// Why a platform did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlatformError {
    /// Extensions or functions that cannot be served; one sentence each, with file and line.
    Functions(Vec<String>),
    /// Settings that a platform does not start with; one sentence each, with the option's name.
    Settings(Vec<String>),
    /// The ledger refused.
    Ledger(LedgerError),
    /// The outgoing HTTP client could not be made.
    Http(crate::context::HttpError),
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions(faults) | Self::Settings(faults) => f.write_str(&faults.join("\n")),
            Self::Ledger(error) => error.fmt(f),
            Self::Http(error) => write!(f, "the HTTP client could not be made: {error}"),
        }
    }
}

impl std::error::Error for PlatformError {}

impl From<LedgerError> for PlatformError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Platform {
    /// Joins the ledger, settles what earlier lives left behind, and accepts calls.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub(crate) async fn start(
        registry: Registry,
        ledger: Arc<dyn Ledger>,
        states: States,
        settings: Settings,
    ) -> std::result::Result<Self, PlatformError> {
        let http = HttpPool::new().map_err(PlatformError::Http)?;
        Self::start_with(registry, ledger, Arc::new(states), settings, http, None).await
    }

    /// The same with what a test stands in for: the way of outgoing calls, and somebody who hears
    /// every report of progress.
    pub(crate) async fn start_with(
        registry: Registry,
        ledger: Arc<dyn Ledger>,
        states: Arc<States>,
        settings: Settings,
        http: HttpPool,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> std::result::Result<Self, PlatformError> {
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(PlatformError::Settings(faults));
        }
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        let checks = compile_checks(&registry)?;
        let meters = Arc::new(Meters::new(&registry));
        let http = http.through(|way| Arc::new(MeteredTransport::new(way, meters.clone())));
        let loops = Loops::default();
        let asked = Instant::now();
        let incarnation = ledger.join(&settings.node, settings.lease).await?;
        let node = Arc::new(Node {
            meters,
            progress: Arc::new(ProgressHub::heard_by(listener)),
            ledger,
            registry,
            checks,
            calls_at_work: Arc::new(CallsAtWork::new(&settings)),
            refusals: Refusals::default(),
            settings,
            lease: RwLock::new(incarnation.into()),
            active: ActiveWorkRegistry::default(),
            reply_pollers: KeyedSemaphore::new(1),
            lease_age: LeaseAge::requested_at(asked),
            loops: loops.clone(),
            reads: KeyedSemaphore::new(access::READS),
            grace_until: RwLock::default(),
            watchdog: Watchdog::start(&loops),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killing: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        node.maintain("renewal", Need::Essential, Node::keep_alive);
        if let Err(error) = node.settle_left().await {
            node.ended.cancel();
            return Err(error.into());
        }
        let ports =
            Arc::new(Ports { tasks: node.clone(), progress: node.progress.clone(), chat: node.clone(), http, states });
        node.maintain("recovery", Need::Essential, Node::keep_recovering);
        if !node.settings.keep.is_forever() {
            node.maintain("retention", Need::Helpful, Node::keep_pruning);
        }
        node.maintain("progress", Need::Helpful, |node| async move {
            node.ended.run_until_cancelled(node.progress.run(&*node.ledger)).await;
        });
        Ok(Self { node, ports })
    }

    /// The extensions it serves.
    pub fn registry(&self) -> &Registry {
        &self.node.registry
    }

    /// The parameter schema of a function, as the check uses it.
    pub(crate) fn params_schema(&self, app_id: &str, function: &'static FunctionDef) -> Option<&serde_json::Value> {
        let extension = self.node.registry.extension(app_id)?;
        self.node.checks.get(&(extension.app_id(), function.name)).map(ParamsCheck::schema)
    }

    /// Whether calls are accepted right now; otherwise why not.
    ///
    /// # Errors
    /// `UNAVAILABLE` with the reason, for an operator.
    pub async fn ready(&self) -> Result<()> {
        let node = &self.node;
        node.accepting()?;
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

    /// Stops in two phases: no new calls and tasks from now on; what runs may go on for the grace
    /// period, then ends with an "interrupted" turn. Returns when everything is in the ledger.
    pub async fn shutdown(&self, grace: Duration) {
        let node = &self.node;
        node.stopping.cancel();
        node.tracker.close();
        if tokio::time::timeout(grace, node.tracker.wait()).await.is_err() {
            tracing::info!(left = node.tracker.len(), "grace period over, interrupting what still runs");
            node.killing.cancel();
            // Only a ledger that cannot write keeps this from ending; recovery settles the rest.
            if tokio::time::timeout(Duration::from_secs(5), node.tracker.wait()).await.is_err() {
                tracing::warn!(left = node.tracker.len(), "left to recovery at the next start");
            }
        }
        node.ended.cancel();
        // The renewal was started first and ends last: nothing of this node outlives its lease.
        node.loops.join(LOOPS_END).await;
        let lease = node.lease();
        if let Err(error) = node.ledger.leave(&lease.incarnation).await {
            tracing::debug!(%error, "did not sign off");
        }
    }

    /// Ends as a killed process does: what was at work writes nothing more, and nobody signs off.
    #[cfg(feature = "testing")]
    pub(crate) fn die(&self) {
        let node = &self.node;
        node.stopping.cancel();
        node.ended.cancel();
        node.active.lose(&node.lease());
    }

    /// The node's maintenance loops, for those of the rooms above.
    pub(crate) fn loops(&self) -> &Loops {
        &self.node.loops
    }

    /// Where the rooms above count.
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.node.meters
    }

    /// Everything that is counted, as Prometheus reads it.
    pub(crate) fn metrics(&self) -> String {
        let node = &self.node;
        node.meters.text(node.active.count(), node.ledger.meters(), &node.loops)
    }
}

fn compile_checks(
    registry: &Registry,
) -> std::result::Result<HashMap<(&'static str, &'static str), ParamsCheck>, PlatformError> {
    let mut checks = HashMap::new();
    let mut faults = Vec::new();
    for extension in registry.extensions() {
        for function in extension.functions() {
            match ParamsCheck::compile(function) {
                Ok(check) => {
                    checks.insert((extension.app_id(), function.name), check);
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    if faults.is_empty() { Ok(checks) } else { Err(PlatformError::Functions(faults)) }
}

impl Node {
    /// Starts a maintenance loop, which returns once the platform has ended.
    fn maintain<F>(
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

    fn lease(&self) -> Lease {
        self.lease.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a user may store a day, in the ledger's words.
    fn max_stored(&self) -> Option<u64> {
        Some(self.settings.stored_per_user_and_day).filter(|limit| *limit > 0)
    }

    fn accepting(&self) -> Result<()> {
        if self.stopping.is_cancelled() { Err(stopping()) } else { Ok(()) }
    }

    fn call_limits(&self) -> Limits {
        // A handler is not asked for signs of life: its cap is short enough.
        Limits { cap: self.settings.call_cap, liveness: self.settings.call_cap * 2, grace: self.settings.cancel_grace }
    }

    fn task_limits(&self, long_running: bool) -> Limits {
        let cap = if long_running { self.settings.long_task_cap } else { self.settings.task_cap };
        Limits { cap, liveness: self.settings.liveness, grace: self.settings.cancel_grace }
    }
}

fn stopping() -> Error {
    Error::platform(codes::UNAVAILABLE, "The platform is stopping. Try again in a moment.")
}

fn unreadable(error: &LedgerError) -> Error {
    tracing::error!(%error, "the ledger could not be read");
    Error::platform(codes::UNAVAILABLE, "The platform cannot read its ledger right now. Nothing is lost; try again.")
        .with_source(error.to_string())
}

fn unavailable(error: &LedgerError) -> Error {
    if let LedgerError::QuotaExceeded(limit) = error {
        return Error::user(
            codes::QUOTA_EXCEEDED,
            format!(
                "With this the chat would take more than the {} that one user may store a day. Send less, or go on \
                 after midnight UTC.",
                mebibytes(*limit)
            ),
        );
    }
    tracing::error!(%error, "the ledger refused");
    let text = if matches!(error, LedgerError::Indeterminate(_)) {
        "The platform lost its ledger while it was writing. It may have been accepted: the chat will say."
    } else {
        "The platform cannot write right now. Nothing was accepted; try again."
    };
    Error::platform(codes::UNAVAILABLE, text).with_source(error.to_string())
}

fn mebibytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("incarnation", &self.node.lease().incarnation).finish_non_exhaustive()
    }
}
