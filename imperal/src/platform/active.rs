//! The calls and tasks that run on this node.
//!
//! A surface writes only for work that is registered here: work that has ended is removed, and its surfaces
//! refuse. Each entry also knows whether its call's reply is stored, which keeps outcomes and deliveries
//! behind the reply.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use super::acceptance::Acceptance;
use super::first_tasks::FirstTasks;
use crate::context::{Context, Origin, StopReason};
use crate::error::Error;
use crate::ids::{CallId, TaskId};
use crate::ledger::{Fence, Incarnation, Work};
use crate::result::Result;
use crate::sync::{Mutex, MutexGuard};

/// The lease of one incarnation of this node, as its work sees it. All work under it shares it.
#[derive(Debug, Clone)]
pub(super) struct Lease(Arc<LeaseState>);

#[derive(Debug)]
pub(super) struct LeaseState {
    pub(super) incarnation: Arc<Incarnation>,
    /// Cancelled when another node has taken the lease. All work under it then ends without a turn. Work
    /// that begins or ends at that moment, and is not registered, learns of it by this token alone.
    pub(super) lost: CancellationToken,
}

impl From<Incarnation> for Lease {
    fn from(incarnation: Incarnation) -> Self {
        Self(Arc::new(LeaseState { incarnation: Arc::new(incarnation), lost: CancellationToken::new() }))
    }
}

impl Deref for Lease {
    type Target = LeaseState;

    fn deref(&self) -> &LeaseState {
        &self.0
    }
}

/// One open call or running task.
#[derive(Debug, Clone)]
pub(super) struct ActiveWork {
    pub(super) lease: Lease,
    pub(super) ctx: Context,
    /// In a deferred call, which may not be in the ledger yet.
    pub(super) acceptance: Option<Arc<Acceptance>>,
    /// The call's reply, and its tasks until then.
    pub(super) tasks: Arc<FirstTasks>,
}

impl ActiveWork {
    /// The right under which this work writes.
    pub(super) fn fence(&self) -> Fence {
        Fence { incarnation: (*self.lease.incarnation).clone(), work: self.ctx.origin().work() }
    }
}

/// All calls and tasks that run on this node.
#[derive(Debug, Default)]
pub(super) struct ActiveWorkRegistry(Mutex<HashMap<Work, ActiveWork>>);

impl ActiveWorkRegistry {
    fn entries(&self) -> MutexGuard<'_, HashMap<Work, ActiveWork>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers work. Returns false, and registers nothing, if the same work runs here already. A deferred call that may not be
    /// in the ledger gives way to a call that is.
    pub(super) fn insert(&self, work: ActiveWork) -> bool {
        let (ctx, lost) = (work.ctx.clone(), work.lease.lost.clone());
        match self.entries().entry(ctx.origin().work()) {
            Entry::Occupied(mut place) if work.acceptance.is_none() && place.get().acceptance.is_some() => {
                drop(place.insert(work));
            }
            Entry::Occupied(_) => return false,
            Entry::Vacant(place) => drop(place.insert(work)),
        }
        // `end_lease` cancels the token before it reads the entries: one of the two closes this work.
        if lost.is_cancelled() {
            ctx.signal().close(StopReason::LeaseLost);
        }
        true
    }

    /// Whether a call runs here.
    pub(super) fn has_call(&self, call_id: CallId) -> bool {
        self.entries().contains_key(&Work::Call(call_id))
    }

    pub(super) fn remove(&self, origin: &Origin) {
        let removed = self.entries().remove(&origin.work());
        Self::close_lost(removed);
    }

    /// Removes a deferred call, unless another request under its key has taken its place.
    pub(super) fn remove_deferred(&self, read: &ActiveWork) {
        let mut entries = self.entries();
        let work = read.ctx.origin().work();
        let is_it = entries.get(&work).is_some_and(|held| held.ctx.is_same(&read.ctx));
        let removed = if is_it { entries.remove(&work) } else { None };
        drop(entries);
        Self::close_lost(removed);
    }

    fn close_lost(removed: Option<ActiveWork>) {
        // The token stops the work on other threads, which may come here before `end_lease` reads the entries.
        if let Some(work) = removed
            && work.lease.lost.is_cancelled()
        {
            work.ctx.signal().close(StopReason::LeaseLost);
        }
    }

    /// The work that a context belongs to; `None` once it has ended.
    pub(super) fn find(&self, origin: &Origin) -> Option<ActiveWork> {
        // The second run of a call takes the place of the first, and not its name.
        let is_it = |work: &&ActiveWork| work.ctx.origin().attempt == origin.attempt;
        self.entries().get(&origin.work()).filter(is_it).cloned()
    }

    /// The same for work that starts a task. A deferred call that gave way to another request under its key starts none.
    pub(super) fn find_starter(&self, ctx: &Context) -> Option<ActiveWork> {
        self.find(ctx.origin()).filter(|work| work.ctx.is_same(ctx))
    }

    /// The call with this id, while it runs here.
    pub(super) fn find_call(&self, call_id: CallId) -> Option<ActiveWork> {
        self.entries().get(&Work::Call(call_id)).cloned()
    }

    /// Completes once the work's call is in the ledger: at once, unless it is a deferred call that just began.
    ///
    /// # Errors
    /// When the call is over without having been written, or its handler runs again.
    pub(super) async fn wait_for_acceptance(&self, origin: &Origin) -> Result<()> {
        match self.find(origin).and_then(|work| work.acceptance) {
            Some(acceptance) if !acceptance.decided().await => Err(Error::cancelled()),
            _ => Ok(()),
        }
    }

    /// The same for work that may have heard of a task which is not in the ledger yet.
    pub(super) async fn wait_for_told_start(&self, origin: &Origin) -> Result<()> {
        match self.find(origin).and_then(|work| work.acceptance) {
            Some(acceptance) if acceptance.has_told() && !acceptance.decided().await => Err(Error::cancelled()),
            _ => Ok(()),
        }
    }

    /// Has the work's call written soon, without waiting for it. Returns whether the work still runs.
    pub(super) fn request_acceptance(&self, origin: &Origin) -> bool {
        let found = self.find(origin);
        if let Some(acceptance) = found.as_ref().and_then(|work| work.acceptance.as_ref()) {
            acceptance.request();
        }
        found.is_some()
    }

    /// Whether the call that runs here under this id is in the ledger. Waits until that is known.
    pub(super) async fn is_accepted(&self, origin: &Origin) -> bool {
        // Of the call, whichever run of its handler this is.
        match self.find_call(origin.call_id).map(|work| work.acceptance) {
            None => false,
            Some(None) => true,
            Some(Some(acceptance)) => acceptance.decided().await,
        }
    }

    /// Tells a task that its user cancelled it. Returns whether the task runs here.
    pub(super) fn cancel_task(&self, task_id: TaskId) -> bool {
        self.find_task(task_id).is_some_and(|task| task.ctx.signal().cancel())
    }

    /// The task with this id, in whichever attempt it runs here.
    pub(super) fn find_task(&self, task_id: TaskId) -> Option<ActiveWork> {
        let is_it = |work: &Work| matches!(work, Work::Task(attempt) if attempt.task_id == task_id);
        self.entries().iter().find(|(work, _)| is_it(work)).map(|(_, task)| task.clone())
    }

    /// Tells a call that its user stopped it. Returns whether the call runs here, or may run again.
    pub(super) fn cancel_call(&self, call_id: CallId) -> bool {
        self.find_call(call_id).is_some_and(|call| {
            call.ctx.signal().cancel() || call.acceptance.is_some_and(|acceptance| acceptance.note_stop())
        })
    }

    /// The contexts of all calls and tasks that run here.
    pub(super) fn contexts(&self) -> Vec<Context> {
        self.entries().values().map(|work| work.ctx.clone()).collect()
    }

    /// Has all work look at the token that interrupts it. Work that is registered later looks at it by itself.
    pub(super) fn wake_supervisors(&self) {
        for ctx in self.contexts() {
            ctx.signal().wake_supervisor();
        }
    }

    /// The numbers of calls and of tasks that run here.
    #[cfg(feature = "platform")]
    pub(super) fn count(&self) -> (u64, u64) {
        let entries = self.entries();
        let tasks = entries.keys().filter(|work| matches!(work, Work::Task(_))).count();
        (to_u64(entries.len() - tasks), to_u64(tasks))
    }

    /// Ends all work under a lost lease.
    pub(super) fn end_lease(&self, lease: &Lease) {
        lease.lost.cancel();
        let entries = self.entries();
        let lost: Vec<Context> = entries
            .values()
            .filter(|work| work.lease.incarnation == lease.incarnation)
            .map(|work| work.ctx.clone())
            .collect();
        drop(entries);
        for ctx in lost {
            ctx.signal().close(StopReason::LeaseLost);
        }
    }
}

#[cfg(feature = "platform")]
fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{States, WorkSpan};
    use crate::function::Registry;
    use crate::ids::CallId;
    use crate::ledger::MemoryLedger;
    use crate::platform::{Platform, Settings};
    use crate::secrets::SecretsInUse;
    use crate::user::User;

    fn lease(number: i64) -> Lease {
        Incarnation::new("a", number).into()
    }

    /// A call under a lease. Its context has the services of an idle platform.
    async fn call(lease: &Lease) -> ActiveWork {
        let ledger = Arc::new(MemoryLedger::default());
        let platform = Platform::start(Registry::empty(), ledger, States::default(), Settings::default());
        let services = platform.await.unwrap().services.clone();
        let origin = Origin {
            app_id: "app",
            function: "work",
            user: User::new("anna", "t"),
            call_id: CallId::generate(),
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        let ctx = Context::new(origin, services, WorkSpan::none());
        ActiveWork { lease: lease.clone(), ctx, acceptance: None, tasks: Arc::default() }
    }

    #[tokio::test]
    async fn lost_lease_closes_its_work_and_no_other() {
        let (active, lost, next) = (ActiveWorkRegistry::default(), lease(1), lease(2));
        let (old, new) = (call(&lost).await, call(&next).await);
        active.insert(old.clone());
        active.insert(new.clone());
        active.end_lease(&lost);
        assert_eq!(old.ctx.stop_reason(), Some(StopReason::LeaseLost));
        assert_eq!(new.ctx.stop_reason(), None);
    }

    #[tokio::test]
    async fn work_that_begins_under_a_lost_lease_is_closed() {
        let (active, lost) = (ActiveWorkRegistry::default(), lease(1));
        let work = call(&lost).await;
        active.end_lease(&lost);
        active.insert(work.clone());
        assert_eq!(work.ctx.stop_reason(), Some(StopReason::LeaseLost));
    }

    /// As on a thread that stops the work between the two steps of `end_lease`.
    #[tokio::test]
    async fn work_that_is_removed_while_its_lease_ends_is_closed() {
        let (active, lost) = (ActiveWorkRegistry::default(), lease(1));
        let work = call(&lost).await;
        active.insert(work.clone());
        lost.lost.cancel();
        active.remove(work.ctx.origin());
        active.end_lease(&lost);
        assert_eq!(work.ctx.stop_reason(), Some(StopReason::LeaseLost));
    }

    #[tokio::test]
    async fn work_that_ended_by_itself_keeps_its_reason() {
        let (active, lost) = (ActiveWorkRegistry::default(), lease(1));
        let work = call(&lost).await;
        active.insert(work.clone());
        work.ctx.signal().close(StopReason::Ended);
        active.end_lease(&lost);
        active.remove(work.ctx.origin());
        assert_eq!(work.ctx.stop_reason(), Some(StopReason::Ended));
    }
}
