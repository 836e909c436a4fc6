//! Queues of durable tasks: how many of their tasks run at once, and who is next.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{Owner, QueueLoad, QueuePlace};

/// Queues. Used by the page and the terminal, and by metrics. Their tasks start with
/// [`Tasks::start_task`](super::Tasks::start_task) and are taken by
/// [`DurableTasks::claim_tasks`](super::DurableTasks::claim_tasks).
///
/// **Slots.** A task holds a slot of its queue while it is `Running`, and at no other time: a park, a release, an
/// end and the end of its incarnation free the slot in their own transaction. Nothing else counts slots, so none is
/// lost. The limits of a queue come with each claim and hold for all nodes together.
///
/// **Turns.** Each free slot goes to an owner with a ready task in the queue and fewer slots than an owner may have.
/// Among these it is the owner whom the queue has served longest ago. An owner with its first task in the queue comes
/// before the one that was served last and behind all others, so that a stream of new owners cannot starve the others.
/// The owner's task is the one that became ready first. So an owner with thousands of tasks delays the first task of
/// another by one task at most.
///
/// **Suspects.** A suspect takes its owner's turn, in its order among the owner's tasks, if the claim may take one. Else
/// the turn goes on as if the suspect were not there: to the owner's next task, or to the next owner. The owner keeps
/// its place.
pub trait Queues: Send + Sync {
    /// The places of the owner's tasks that are ready and wait in a queue, by queue and then in their order. They
    /// follow the turns as they are now, and leave out limits of owners. Stuck tasks, those of paused names and suspects
    /// have no place and are before none: they do not only wait for a slot.
    fn queue_places(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<QueuePlace>>> + Send;

    /// The running and ready tasks of each queue, by extension and name. A queue is known from its first task on. Its
    /// ready tasks are those that only wait for a slot; up to [`QueueLoad::MOST_READY`] of them are counted.
    fn queue_loads(&self) -> impl Future<Output = LedgerResult<Vec<QueueLoad>>> + Send;
}
