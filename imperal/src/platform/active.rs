//! What this node has at work right now: open calls and running tasks.
//!
//! Owns the right under which a surface writes: work that is not in here any more is over, and its
//! surfaces refuse. Also the latch that keeps an outcome behind its call's reply.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::context::{Context, Origin};
use crate::ids::TaskId;
use crate::ledger::{Fence, Incarnation, Work};
use crate::sync::{Mutex, MutexGuard};

/// A life of this node, as its work sees it.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) incarnation: Arc<Incarnation>,
    /// Ends all of its work without a turn: another node has taken it. Work that begins or ends at
    /// that moment, and is not in the map, hears of it by this alone.
    pub(super) lost: CancellationToken,
}

impl From<Incarnation> for Lease {
    fn from(incarnation: Incarnation) -> Self {
        Self { incarnation: Arc::new(incarnation), lost: CancellationToken::new() }
    }
}

/// One open call or running task.
#[derive(Debug, Clone)]
pub(super) struct ActiveWork {
    pub(super) lease: Lease,
    pub(super) ctx: Context,
    /// Cancelled, in the token's word, when the call's reply is in the ledger.
    pub(super) replied: CancellationToken,
}

/// Everything at work on this node.
#[derive(Debug, Default)]
pub(super) struct ActiveWorkRegistry(Mutex<HashMap<Work, ActiveWork>>);

fn work_of(origin: &Origin) -> Work {
    match origin.task_id {
        Some(task_id) => Work::Task(task_id),
        None => Work::Call(origin.call_id),
    }
}

impl ActiveWorkRegistry {
    fn map(&self) -> MutexGuard<'_, HashMap<Work, ActiveWork>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, active: ActiveWork) {
        let (ctx, lost) = (active.ctx.clone(), active.lease.lost.clone());
        self.map().insert(work_of(ctx.origin()), active);
        // Whoever loses the life says so before it looks into the map.
        if lost.is_cancelled() {
            ctx.signal().close();
        }
    }

    pub(super) fn close(&self, origin: &Origin) {
        self.map().remove(&work_of(origin));
    }

    /// The entry of the work that a context belongs to; none when it is over.
    pub(super) fn of(&self, origin: &Origin) -> Option<ActiveWork> {
        self.map().get(&work_of(origin)).cloned()
    }

    /// The right under which that work writes.
    pub(super) fn fence(&self, origin: &Origin) -> Option<Fence> {
        let work = work_of(origin);
        self.map().get(&work).map(|active| Fence { incarnation: (*active.lease.incarnation).clone(), work })
    }

    /// Tells a task that its user cancelled it. False when it does not run here.
    pub(super) fn cancel(&self, task_id: TaskId) -> bool {
        let active = self.map().get(&Work::Task(task_id)).cloned();
        active.is_some_and(|active| active.ctx.signal().cancel())
    }

    /// Calls and tasks at work.
    pub(super) fn count(&self) -> (u64, u64) {
        let map = self.map();
        let tasks = map.keys().filter(|work| matches!(work, Work::Task(_))).count();
        (to_u64(map.len() - tasks), to_u64(tasks))
    }

    /// Ends everything that a lost life held.
    pub(super) fn lose(&self, lease: &Lease) {
        lease.lost.cancel();
        let map = self.map();
        let lost: Vec<Context> = map
            .values()
            .filter(|active| active.lease.incarnation == lease.incarnation)
            .map(|active| active.ctx.clone())
            .collect();
        drop(map);
        for ctx in lost {
            ctx.signal().close();
        }
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
