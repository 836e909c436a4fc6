//! Durable tasks: given to processes, one at a time, until their outcome.

use std::future::Future;
use std::time::Duration;

use super::LedgerResult;
use crate::ids::TaskId;
use crate::ledger::{
    Attempt, AttemptReport, Backlog, ClaimRequest, ClaimedTask, DurableName, DurableProgram, Incarnation, NewStep,
    Page, PageLimit, Release, StoredDurable, StoredStep, Task, TaskAttempt,
};

/// Durable tasks. Used by the loop that takes tasks up, by the steps of running ones, and by readers of steps.
///
/// A durable task is an open task that a process holds (`Running`) or none does (`Queued`, `Waiting`, `Stuck`).
/// Work that no process holds has a time `ready_at` from which on a claim may take it; a task that waits for
/// an answer only has none.
///
/// **Orphans.** The transaction that ends an incarnation makes its running durable tasks `Queued`, without an
/// event, so that one transaction never numbers many owners. They wait for a process and are ready at once.
/// [`announce_queued`](Self::announce_queued) writes the events of those that no process takes.
///
/// **Crashes.** If the incarnation neither left nor was draining, its end counts as a crash of each of its running
/// durable tasks: the ledger cannot know which of them was the cause. From the second crash in a row on the task is
/// a suspect: it waits for a retry, ready 10 s after the end, then 60 s, then 300 s, and a claim returns one suspect
/// at a time, so that a later crash names the one that causes it. Suspects hold up no other task, and cost a claim that
/// asks for none nothing, however many wait. A refusal, a hand-over and the end of an
/// incarnation that left or drained are no crashes.
///
/// **Effects.** An effect has several rows of its name: an intent, then "done" or "not done". An intent without a later
/// row is open, and [`Task::open_effects`](crate::ledger::Task::open_effects) counts them; storing a row changes the count, without an event. The end
/// of a task says how many open effects it speaks of ([`TaskEnd::open_effects`](crate::ledger::TaskEnd::open_effects)), and is refused with
/// `OpenEffects` if the task has another number of them: so no end is silent about one. The count stays after the end.
///
/// **Progress.** A stored step or a done effect is progress, a message is none ([`StepKind::is_progress`](crate::ledger::StepKind::is_progress)). Crashes and attempts
/// count from the last progress on: an attempt that has made progress since its claim makes the next crash the
/// first.
///
/// **Time of the interruption.** The transaction that ends an incarnation sets
/// [`Task::interrupted_at`](crate::ledger::Task::interrupted_at) of its running tasks, durable or not: when the incarnation was last known to be alive.
/// That is its last renewal, or now if it left, and at least the start of the attempt and the last step or message
/// that the attempt stored. The next claim removes it.
///
/// **Running time.** The ledger adds up how long attempts ran: from the claim to the release, without the time in which
/// the body only waited and the time of work that a stop cut off, as the holder says with the release. If the
/// incarnation ended, up to the last row that the attempt stored, its waits included. So a step that a crash or a stop
/// has cut off is not counted.
///
/// **Last row.** The latest time at which the attempt stored a row, whatever the ordinals. A question's is when it was
/// asked, because its answer changes the row later.
///
/// **Stuck since.** A task is stuck from the refusal or the mark on that made it so. If a version has refused it
/// before and it has made no progress since, it counts as stuck from that first refusal on; a run that made no
/// progress does not begin the time again. A claim ends it.
///
/// **Attempts.** Each attempt that ends without an outcome is remembered, in the transaction that ends it: its node,
/// the version of its program, when it began and ended, and how ([`AttemptEnding`](crate::ledger::AttemptEnding)). A
/// task keeps the first 16 of them and the latest 240. They go with the task. The notes of a release, and those of an end
/// by [`Tasks::finish_task`](super::Tasks::finish_task), are kept with the attempt as they are.
///
/// **Values.** The values of steps are kept while the task is open. Retention removes those of a succeeded task
/// with its next pass and those of any other ended task after 7 days; the other columns go with the task.
pub trait DurableTasks: Send + Sync {
    /// Takes up tasks that are ready, in the order in which they became ready, with an event each. The
    /// incarnation holds them, each in a new attempt; the deadline is now plus what is left of the cap, at
    /// least 1 s. Tasks are taken once, however many nodes claim at once, and no claim waits for another.
    ///
    /// Tasks of a [queue](super::Queues) are taken within its limits and in its turns instead. A queue that another
    /// claim serves at this moment is left to that one. They get up to half of the claim before other tasks, and what
    /// is left of it after these. If the claim is for one task, chance decides whether it looks at queues first; and
    /// each claim begins with any of the queues, so that no task waits for ever behind others.
    ///
    /// Skipped are tasks of names that are [paused](super::Operators), tasks of other names, tasks that `program` has refused, tasks whose call has no reply, tasks
    /// of an owner with `max_running` running tasks, and suspects as [`ClaimRequest::suspect`] says. If suspects wait in
    /// queues and others outside of them, chance decides which the claim looks at first, so that neither kind starves. A task with
    /// a cancel request is returned like others: the platform ends it. [`ClaimRequest::only_own`] skips all tasks that
    /// another incarnation started or held last.
    ///
    /// # Errors
    /// `Fenced`.
    fn claim_tasks(
        &self,
        incarnation: &Incarnation,
        request: ClaimRequest,
    ) -> impl Future<Output = LedgerResult<Vec<ClaimedTask>>> + Send;

    /// How long until the first task of these names is ready; zero if one is ready already. `None` if there is none.
    fn next_ready_in(&self, names: &[DurableName]) -> impl Future<Output = LedgerResult<Option<Duration>>> + Send;

    /// Gives a running task back, with its event, and tells the nodes' feeds that a task is ready. A hand-over
    /// leaves it `Queued` for any process, ready now. A refusal leaves it `Stuck`, waiting for a version, ready
    /// now for other programs, or in 30 s if a version has refused it before without progress since; it does not
    /// count as an attempt without progress.
    ///
    /// A park leaves it `Waiting`, for an answer if one of its questions is open, else for a time, and ready at its
    /// time to wake. If any of its questions is no longer open, an answer came first: the task is `Queued` and
    /// ready now, and so it is if a cancel was requested. A parked attempt ended neither by a crash nor without progress: it clears both counts.
    ///
    /// `report` says how much of the attempt is no running time ([`AttemptReport::unused`](crate::ledger::AttemptReport::unused)), and has the notes on it.
    ///
    /// A repeated release of the attempt that released the task succeeds and writes nothing.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotHolder`, also once a later attempt has begun; `AlreadyEnded`.
    fn release_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
    ) -> impl Future<Output = LedgerResult<Task>> + Send;

    /// Stores a step of a running task. It makes no event and no audit row. It is durable when it returns.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotHolder`; `AlreadyEnded`; `IdExists` if the task has a step of this ordinal,
    /// which is this step if the write is repeated.
    fn store_step(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
    ) -> impl Future<Output = LedgerResult<()>> + Send;

    /// The task's steps after an ordinal, in order, for any owner: the caller must check the owner.
    fn steps(
        &self,
        task_id: TaskId,
        after: u16,
        limit: PageLimit,
    ) -> impl Future<Output = LedgerResult<Page<StoredStep>>> + Send;

    /// The value of a step, however large; `None` if there is no such step or its value is no longer kept.
    fn step_value(&self, task_id: TaskId, ordinal: u16) -> impl Future<Output = LedgerResult<Option<String>>> + Send;

    /// The task's attempts, in order: those that are remembered, then the one that runs or that ended with the task.
    /// Between two attempts no process held the task. For any owner: the caller must check the owner. A background
    /// task has none.
    fn attempts(&self, task_id: TaskId) -> impl Future<Output = LedgerResult<Vec<TaskAttempt>>> + Send;

    /// What is stored of a durable task, for any owner: the caller must check the owner. `None` for a background task.
    fn find_durable(&self, task_id: TaskId) -> impl Future<Output = LedgerResult<Option<StoredDurable>>> + Send;

    /// Notes which durable tasks the incarnation's program has, instead of those that it noted before. They go with
    /// the incarnation.
    ///
    /// # Errors
    /// `Fenced`.
    fn register_program(
        &self,
        incarnation: &Incarnation,
        program: DurableProgram,
    ) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Makes tasks `Stuck`, waiting for a version, that have been ready for this long and that no current
    /// incarnation can take: each registered program does not have their name, or is the version that refused them
    /// last. It does not matter why they are ready: they wait for a process, a retry or a slot. Tasks that a
    /// registered program can take are left alone, however long its node is busy. With an event each; at most 32
    /// at once, so that other writers wait for no long transaction, and returns how many.
    ///
    /// The tasks of known names cost the call nothing, however many there are.
    ///
    /// # Errors
    /// `Fenced`.
    fn mark_stuck(
        &self,
        incarnation: &Incarnation,
        untaken_for: Duration,
    ) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// Writes the events of tasks that the end of an incarnation queued this long ago or earlier and that no process
    /// has taken since, so that an open page shows it. At most 32 at once, oldest first, and returns how many. A
    /// claim, a mark or an end writes an event itself.
    ///
    /// # Errors
    /// `Fenced`.
    fn announce_queued(
        &self,
        incarnation: &Incarnation,
        queued_for: Duration,
    ) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// Tasks that have been stuck for this long, oldest first: the platform ends them with
    /// [`Recovery::reclaim_task`](super::Recovery::reclaim_task). Without those whose name is paused, and those that a
    /// current incarnation can take: they wait for an operator, or for their turn.
    fn long_stuck(
        &self,
        stuck_for: Duration,
        limit: u32,
    ) -> impl Future<Output = LedgerResult<Vec<crate::ledger::TaskRecord>>> + Send;

    /// Tasks that no process holds and whose call has its reply, although a cancel was requested, longest ago first: the
    /// platform ends them with [`Tasks::request_cancel`](super::Tasks::request_cancel), so that none waits for a slot.
    fn cancelled_tasks(&self, limit: u32) -> impl Future<Output = LedgerResult<Vec<crate::ledger::TaskRecord>>> + Send;

    /// The durable tasks that wait for a process, of all names and owners.
    ///
    /// It reads the stuck tasks up to the limit, and one entry for each name and refusing version.
    fn backlog(&self) -> impl Future<Output = LedgerResult<Backlog>> + Send;
}
