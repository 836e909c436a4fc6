//! The ledger of these tests: one in memory whose answers get lost, or that refuses for a while.

mod durable;
mod files;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use imperal::ids::{CallId, DraftId, QuestionId, ScheduleId, TaskId, TurnId};
use imperal::ledger::contract::{
    AuditTrail, Calls, Chat, Documents, Drafts, DurableTasks, Health, Leases, LedgerResult, Operators, Questions,
    Queues, Recovery, Retention, Schedules, Secrets, Tasks,
};
use imperal::ledger::{
    AnswerOutcome, AppOwners, Attempt, AttemptReport, AuditFilter, AuditRow, Backlog, CallCancel, CallRecord,
    CancelOutcome, ChainEnds, ClaimRequest, ClaimedTask, CloseQuestion, CollectionUse, DocumentKeys, DocumentQuery,
    DocumentSource, DocumentSpace, DocumentWrites, DraftPiece, DueSchedule, DurableName, DurableProgram, Event, Feed,
    Fence, FoundDocuments, Incarnation, JobOwners, LedgerError, LedgerMeters, MemoryLedger, MessageSource, NewAnswer,
    NewAudit, NewCall, NewQuestion, NewSecret, NewSeen, NewStep, NewTask, OpenTask, Orphan, Owner, Page, PageLimit,
    PausedTask, Progress, Pruned, Question, QueueLoad, QueuePlace, Release, RenewalNews, RetentionPolicy, ScheduleKind,
    ScheduleSource, ScheduleWrite, SecretPlace, SecretWrite, SeenUser, StepKind, StoredDocument, StoredDurable,
    StoredSchedule, StoredSecret, StoredStep, Task, TaskAttempt, TaskEnd, TaskPlace, TaskRecord, Turn, TurnBody, Work,
    WrittenDocument,
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
    /// Number of times that it refuses the results of effects as unavailable.
    pub(super) results_to_refuse: AtomicU32,
    /// Number of calls that were written before their reply.
    pub(crate) accepted: AtomicU32,
    /// Starts that were written alone.
    pub(crate) started: AtomicU32,
    /// Number of replies that were written with the end of a task.
    pub(crate) replied_with_end: AtomicU32,
    /// Number of calls that were written with their reply.
    pub(crate) answered: AtomicU32,
    /// Number of calls that it refuses as unavailable.
    pub(crate) calls_to_refuse: AtomicU32,
    /// Number of reads of a call.
    pub(crate) looks: AtomicU32,
    /// Number of ends of orphaned work that it refuses.
    pub(super) to_put_off: AtomicU32,
    /// Tasks whose ends it refuses from another incarnation.
    pub(super) stuck: Mutex<HashSet<TaskId>>,
    /// Number of requests for documents.
    pub(crate) document_requests: AtomicU32,
    /// Number of times that leases were expired.
    pub(super) expiries: AtomicU32,
    /// Number of batches of orphans that were read.
    pub(super) batches: AtomicU32,
    /// Number of reads of a task that fail.
    pub(crate) task_reads_to_refuse: AtomicU32,
    /// Whether the answer to a start is delayed.
    pub(crate) slow_starts: AtomicBool,
    /// Bytes of the partial texts of the largest write of several ends or replies.
    pub(super) largest_ends: AtomicUsize,
    /// Number of writes of orphaned calls.
    pub(super) reclaim_writes: AtomicU32,
    /// Number of reports of progress that are written five seconds late.
    pub(super) late_reports: AtomicU32,
}

fn counted_down(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl LosesAnswers {
    fn of_documents(&self) -> &MemoryLedger {
        self.document_requests.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }

    /// The same for a write of a call, which may also be refused, or forgotten before it is written.
    async fn losing_call<T>(&self, write: impl Future<Output = LedgerResult<T>>) -> LedgerResult<T> {
        if counted_down(&self.calls_to_refuse) {
            return Err(LedgerError::Unavailable("the disk is full".to_owned()));
        }
        if counted_down(&self.to_forget) {
            return Err(LedgerError::Indeterminate("the connection was lost".to_owned()));
        }
        self.losing(write).await
    }

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
        self.reclaim_writes.fetch_add(1, Ordering::SeqCst);
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

    async fn reclaim_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        self.reclaim_writes.fetch_add(1, Ordering::SeqCst);
        let bytes = replies.iter().map(|(_, turn)| turn.partial.as_deref().map_or(0, str::len)).sum();
        self.largest_ends.fetch_max(bytes, Ordering::SeqCst);
        self.losing(self.inner.reclaim_calls(incarnation, replies)).await
    }

    async fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let bytes = ends.iter().map(|(_, end)| end.turn.partial.as_deref().map_or(0, str::len)).sum();
        self.largest_ends.fetch_max(bytes, Ordering::SeqCst);
        let mut answers = Vec::new();
        for (task_id, end) in ends {
            answers.push(self.reclaim_task(incarnation, task_id, end).await.map(drop));
        }
        Ok(answers)
    }
}

impl Calls for LosesAnswers {
    async fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> LedgerResult<Turn> {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        self.losing_call(self.inner.accept_call(incarnation, call)).await
    }

    async fn answer_call(&self, incarnation: &Incarnation, call: NewCall, reply: TurnBody) -> LedgerResult<[Turn; 2]> {
        self.answered.fetch_add(1, Ordering::SeqCst);
        self.losing_call(self.inner.answer_call(incarnation, call, reply)).await
    }

    async fn accept_and_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
    ) -> LedgerResult<(Turn, Task)> {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let accepted = self.losing_call(self.inner.accept_and_start(incarnation, call, task)).await;
        if self.slow_starts.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        accepted
    }

    async fn start_and_answer(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
    ) -> LedgerResult<(Turn, Task, Turn)> {
        self.answered.fetch_add(1, Ordering::SeqCst);
        let answered = self.losing_call(self.inner.start_and_answer(incarnation, call, task, reply)).await;
        if self.slow_starts.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        answered
    }

    async fn reply(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        self.inner.reply(incarnation, call_id, turn).await
    }

    async fn reply_and_finish(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        attempt: Attempt,
        end: TaskEnd,
    ) -> LedgerResult<[Turn; 2]> {
        self.replied_with_end.fetch_add(1, Ordering::SeqCst);
        self.losing(self.inner.reply_and_finish(incarnation, call_id, turn, attempt, end)).await
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
        self.started.fetch_add(1, Ordering::SeqCst);
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
        if counted_down(&self.late_reports) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        self.inner.note_progress(incarnation, latest).await
    }

    async fn request_cancel(&self, task_id: TaskId, audit: NewAudit, end: TaskEnd) -> LedgerResult<CancelOutcome> {
        self.inner.request_cancel(task_id, audit, end).await
    }

    async fn find_task(&self, task_id: TaskId) -> LedgerResult<Option<TaskRecord>> {
        if counted_down(&self.task_reads_to_refuse) {
            return Err(LedgerError::Unavailable("the disk is slow".to_owned()));
        }
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

impl Drafts for LosesAnswers {
    async fn write_drafts(&self, incarnation: &Incarnation, pieces: Vec<DraftPiece>) -> LedgerResult<()> {
        self.losing(self.inner.write_drafts(incarnation, pieces)).await
    }

    async fn drafts(&self, owner: &Owner) -> LedgerResult<Vec<DraftPiece>> {
        self.inner.drafts(owner).await
    }

    async fn draft_text(&self, owner: &Owner, draft_id: DraftId, from: u64) -> LedgerResult<Option<DraftPiece>> {
        self.inner.draft_text(owner, draft_id, from).await
    }

    async fn drafts_of_work(&self, works: &[Work]) -> LedgerResult<Vec<DraftPiece>> {
        self.inner.drafts_of_work(works).await
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

impl Secrets for LosesAnswers {
    async fn put_secret(&self, write: SecretWrite, secret: NewSecret) -> LedgerResult<bool> {
        if counted_down(&self.to_forget) {
            return Err(LedgerError::Indeterminate("the write was lost".to_owned()));
        }
        self.losing(self.inner.put_secret(write, secret)).await
    }

    async fn remove_secret(&self, write: SecretWrite, place: SecretPlace) -> LedgerResult<bool> {
        self.losing(self.inner.remove_secret(write, place)).await
    }

    async fn find_secret(&self, place: &SecretPlace) -> LedgerResult<Option<StoredSecret>> {
        self.inner.find_secret(place).await
    }

    async fn secrets_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSecret>> {
        self.inner.secrets_of(owner).await
    }

    async fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<SecretPlace>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredSecret>> {
        self.inner.secrets_under_other_keys(key_id, after, limit).await
    }

    async fn note_fact(&self, name: &str, value: &[u8]) -> LedgerResult<Vec<u8>> {
        self.inner.note_fact(name, value).await
    }
}

impl Schedules for LosesAnswers {
    async fn write_schedule(&self, source: ScheduleSource, write: ScheduleWrite) -> LedgerResult<bool> {
        if write.call.is_none() {
            return self.inner.write_schedule(source, write).await;
        }
        if counted_down(&self.to_forget) {
            return Err(LedgerError::Indeterminate("the write was lost".to_owned()));
        }
        self.losing(self.inner.write_schedule(source, write)).await
    }

    async fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<NewAudit>,
    ) -> LedgerResult<bool> {
        self.losing(self.inner.remove_schedule(owner, source, schedule_id, audit)).await
    }

    async fn find_schedule(&self, schedule_id: ScheduleId) -> LedgerResult<Option<StoredSchedule>> {
        self.inner.find_schedule(schedule_id).await
    }

    async fn schedules_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        self.inner.schedules_of(owner).await
    }

    async fn jobs_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        self.inner.jobs_of(owner).await
    }

    async fn owners_of_app(&self, wanted: AppOwners) -> LedgerResult<Vec<Owner>> {
        self.inner.owners_of_app(wanted).await
    }

    async fn job_owners(&self) -> LedgerResult<Vec<JobOwners>> {
        self.inner.job_owners().await
    }

    async fn due_schedules(&self, kind: ScheduleKind, limit: u32) -> LedgerResult<Vec<DueSchedule>> {
        self.inner.due_schedules(kind, limit).await
    }

    async fn next_wake_in(&self) -> LedgerResult<Option<Duration>> {
        self.inner.next_wake_in().await
    }

    async fn time(&self) -> LedgerResult<jiff::Timestamp> {
        self.inner.time().await
    }

    async fn note_seen(&self, seen: Vec<NewSeen>) -> LedgerResult<()> {
        self.inner.note_seen(seen).await
    }

    async fn forget_seen(&self, not_for: Duration, limit: u32) -> LedgerResult<u64> {
        self.inner.forget_seen(not_for, limit).await
    }

    async fn seen_user(&self, owner: &Owner, app_id: &str) -> LedgerResult<Option<SeenUser>> {
        self.inner.seen_user(owner, app_id).await
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
