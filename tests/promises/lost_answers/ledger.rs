//! The ledger of these tests: one in memory whose answers get lost, or that refuses for a while.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use imperal::ids::{CallId, QuestionId, TaskId, TurnId};
use imperal::ledger::contract::{
    AuditTrail, Calls, Chat, DurableTasks, Health, Leases, LedgerResult, Questions, Recovery, Retention, Tasks,
};
use imperal::ledger::{
    AnswerOutcome, Attempt, AuditFilter, AuditRow, CallCancel, CallRecord, CancelOutcome, ChainEnds, ClaimRequest,
    ClaimedTask, CloseQuestion, DurableName, DurableProgram, Event, Feed, Incarnation, LedgerError, LedgerMeters,
    MemoryLedger, MessageSource, NewAnswer, NewAudit, NewCall, NewQuestion, NewStep, NewTask, Orphan, Owner, Page,
    PageLimit, Progress, Pruned, Question, Release, RenewalNews, RetentionPolicy, StoredStep, Task, TaskEnd,
    TaskRecord, Turn, TurnBody,
};

/// A ledger that writes, and then reports an unknown outcome for a number of times.
#[derive(Debug, Default)]
pub(crate) struct LosesAnswers {
    pub(super) inner: MemoryLedger,
    pub(crate) to_lose: AtomicU32,
    /// Number of calls with an unknown outcome that it does not write.
    pub(crate) to_forget: AtomicU32,
    /// Number of messages that it refuses as unavailable.
    pub(super) to_refuse: AtomicU32,
    /// Number of reads of a call.
    pub(crate) looks: AtomicU32,
    /// Number of ends of orphaned work that it refuses.
    pub(super) to_put_off: AtomicU32,
    /// Tasks whose ends it refuses from another incarnation.
    pub(super) stuck: Mutex<HashSet<TaskId>>,
    /// Number of times that leases were expired.
    pub(super) expiries: AtomicU32,
    /// Number of batches of orphans that were read.
    pub(super) batches: AtomicU32,
    /// Whether the answer to a start is delayed.
    pub(super) slow_starts: AtomicBool,
}

fn counted_down(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl LosesAnswers {
    async fn losing<T>(&self, write: impl Future<Output = LedgerResult<T>>) -> LedgerResult<T> {
        let written = write.await?;
        if counted_down(&self.to_lose) {
            return Err(LedgerError::Indeterminate("the answer was lost".to_owned()));
        }
        Ok(written)
    }
}

impl Leases for LosesAnswers {
    async fn join(&self, node: &str, lease: Duration) -> LedgerResult<Incarnation> {
        self.inner.join(node, lease).await
    }

    async fn renew(&self, incarnation: &Incarnation, lease: Duration) -> LedgerResult<RenewalNews> {
        self.inner.renew(incarnation, lease).await
    }

    async fn drain(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        self.inner.drain(incarnation).await
    }

    async fn leave(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        self.inner.leave(incarnation).await
    }
}

impl DurableTasks for LosesAnswers {
    async fn claim_tasks(&self, incarnation: &Incarnation, request: ClaimRequest) -> LedgerResult<Vec<ClaimedTask>> {
        self.inner.claim_tasks(incarnation, request).await
    }

    async fn next_ready_in(&self, names: &[DurableName]) -> LedgerResult<Option<Duration>> {
        self.inner.next_ready_in(names).await
    }

    async fn release_task(&self, incarnation: &Incarnation, attempt: Attempt, release: Release) -> LedgerResult<Task> {
        self.losing(self.inner.release_task(incarnation, attempt, release)).await
    }

    async fn store_step(&self, incarnation: &Incarnation, attempt: Attempt, step: NewStep) -> LedgerResult<()> {
        self.losing(self.inner.store_step(incarnation, attempt, step)).await
    }

    async fn steps(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<StoredStep>> {
        self.inner.steps(task_id, after, limit).await
    }

    async fn step_value(&self, task_id: TaskId, ordinal: u16) -> LedgerResult<Option<String>> {
        self.inner.step_value(task_id, ordinal).await
    }

    async fn register_program(&self, incarnation: &Incarnation, program: DurableProgram) -> LedgerResult<()> {
        self.inner.register_program(incarnation, program).await
    }

    async fn announce_queued(&self, incarnation: &Incarnation, queued_for: Duration) -> LedgerResult<u64> {
        self.inner.announce_queued(incarnation, queued_for).await
    }

    async fn mark_stuck(&self, incarnation: &Incarnation, untaken_for: Duration) -> LedgerResult<u64> {
        self.inner.mark_stuck(incarnation, untaken_for).await
    }

    async fn long_stuck(&self, stuck_for: Duration, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        self.inner.long_stuck(stuck_for, limit).await
    }
}

impl Questions for LosesAnswers {
    async fn ask_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question: NewQuestion,
    ) -> LedgerResult<Question> {
        self.losing(self.inner.ask_question(incarnation, attempt, question)).await
    }

    async fn answer_question(&self, question_id: QuestionId, answer: NewAnswer) -> LedgerResult<AnswerOutcome> {
        self.losing(self.inner.answer_question(question_id, answer)).await
    }

    async fn close_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> LedgerResult<Question> {
        self.losing(self.inner.close_question(incarnation, attempt, question_id, why)).await
    }

    async fn questions(&self, task_id: TaskId) -> LedgerResult<Vec<Question>> {
        self.inner.questions(task_id).await
    }

    async fn find_question(&self, question_id: QuestionId) -> LedgerResult<Option<(Owner, Question)>> {
        self.inner.find_question(question_id).await
    }
}

impl Recovery for LosesAnswers {
    async fn expire_leases(&self, incarnation: &Incarnation) -> LedgerResult<u64> {
        self.expiries.fetch_add(1, Ordering::SeqCst);
        self.inner.expire_leases(incarnation).await
    }

    async fn orphans(&self, limit: u32) -> LedgerResult<Vec<Orphan>> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.inner.orphans(limit).await
    }

    async fn reclaim_call(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        self.inner.reclaim_call(incarnation, call_id, turn).await
    }

    async fn reclaim_task(&self, incarnation: &Incarnation, task_id: TaskId, end: TaskEnd) -> LedgerResult<Turn> {
        if counted_down(&self.to_put_off) {
            return Err(LedgerError::Unavailable("it is slow".to_owned()));
        }
        if self.stuck.lock().unwrap().contains(&task_id) {
            return Err(LedgerError::Unavailable("its row is damaged".to_owned()));
        }
        self.inner.reclaim_task(incarnation, task_id, end).await
    }
}

impl Calls for LosesAnswers {
    async fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> LedgerResult<Turn> {
        if counted_down(&self.to_forget) {
            return Err(LedgerError::Indeterminate("the connection was lost".to_owned()));
        }
        self.losing(self.inner.accept_call(incarnation, call)).await
    }

    async fn reply(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        self.inner.reply(incarnation, call_id, turn).await
    }

    async fn request_call_cancel(&self, owner: &Owner, call_id: CallId, audit: NewAudit) -> LedgerResult<CallCancel> {
        self.losing(self.inner.request_call_cancel(owner, call_id, audit)).await
    }

    async fn find_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Option<CallRecord>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.find_call(owner, call_id).await
    }
}

impl Tasks for LosesAnswers {
    async fn start_task(&self, incarnation: &Incarnation, task: NewTask) -> LedgerResult<Task> {
        let started = self.losing(self.inner.start_task(incarnation, task)).await;
        if self.slow_starts.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        started
    }

    async fn finish_task(&self, incarnation: &Incarnation, attempt: Attempt, end: TaskEnd) -> LedgerResult<Turn> {
        self.inner.finish_task(incarnation, attempt, end).await
    }

    async fn note_progress(&self, incarnation: &Incarnation, latest: Vec<(u32, Progress)>) -> LedgerResult<()> {
        self.inner.note_progress(incarnation, latest).await
    }

    async fn request_cancel(&self, task_id: TaskId, audit: NewAudit, end: TaskEnd) -> LedgerResult<CancelOutcome> {
        self.inner.request_cancel(task_id, audit, end).await
    }

    async fn find_task(&self, task_id: TaskId) -> LedgerResult<Option<TaskRecord>> {
        self.inner.find_task(task_id).await
    }

    async fn open_tasks(&self, owner: &Owner) -> LedgerResult<Vec<Task>> {
        self.inner.open_tasks(owner).await
    }

    async fn recent_tasks(&self, owner: &Owner, limit: u32) -> LedgerResult<Vec<Task>> {
        self.inner.recent_tasks(owner, limit).await
    }

    async fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Vec<Task>> {
        self.inner.tasks_of_call(owner, call_id).await
    }
}

impl Chat for LosesAnswers {
    async fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, from: MessageSource) -> LedgerResult<Turn> {
        if counted_down(&self.to_refuse) {
            return Err(LedgerError::Unavailable("it is away".to_owned()));
        }
        self.losing(self.inner.inject(owner, turn, audit, from)).await
    }

    async fn turns(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        self.inner.turns(owner, after, limit).await
    }

    async fn latest_turns(&self, owner: &Owner, before: Option<u64>, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        self.inner.latest_turns(owner, before, limit).await
    }

    async fn find_turn(&self, owner: &Owner, turn_id: TurnId) -> LedgerResult<Option<Turn>> {
        self.inner.find_turn(owner, turn_id).await
    }

    async fn events(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Event>> {
        self.inner.events(owner, after, limit).await
    }

    async fn head(&self, owner: &Owner) -> LedgerResult<u64> {
        self.inner.head(owner).await
    }
}

impl AuditTrail for LosesAnswers {
    async fn write_audit(&self, row: NewAudit) -> LedgerResult<()> {
        self.inner.write_audit(row).await
    }

    async fn audit_rows(&self, filter: AuditFilter) -> LedgerResult<Page<AuditRow>> {
        self.inner.audit_rows(filter).await
    }

    async fn chain_ends(&self, owner: Option<Owner>) -> LedgerResult<Vec<(Owner, ChainEnds)>> {
        self.inner.chain_ends(owner).await
    }
}

impl Retention for LosesAnswers {
    async fn prune(&self, keep: &RetentionPolicy, from: u64, limit: u32) -> LedgerResult<Pruned> {
        self.inner.prune(keep, from, limit).await
    }
}

impl Health for LosesAnswers {
    async fn check_writable(&self) -> LedgerResult<()> {
        self.inner.check_writable().await
    }

    fn feed(&self) -> &Feed {
        self.inner.feed()
    }

    fn meters(&self) -> &LedgerMeters {
        self.inner.meters()
    }
}
