//! What the ledger does for durable tasks: their steps, documents and questions, their operators and queues.

use super::*;

impl DurableTasks for LosesAnswers {
    async fn claim_tasks(&self, incarnation: &Incarnation, request: ClaimRequest) -> LedgerResult<Vec<ClaimedTask>> {
        self.inner.claim_tasks(incarnation, request).await
    }

    async fn next_ready_in(&self, names: &[DurableName]) -> LedgerResult<Option<Duration>> {
        self.inner.next_ready_in(names).await
    }

    async fn release_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
    ) -> LedgerResult<Task> {
        self.losing(self.inner.release_task(incarnation, attempt, release, report)).await
    }

    async fn store_step(&self, incarnation: &Incarnation, attempt: Attempt, step: NewStep) -> LedgerResult<()> {
        if step.kind == StepKind::Effect && counted_down(&self.results_to_refuse) {
            return Err(LedgerError::Unavailable("not now".to_owned()));
        }
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

    async fn cancelled_tasks(&self, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        self.inner.cancelled_tasks(limit).await
    }

    async fn backlog(&self) -> LedgerResult<Backlog> {
        self.inner.backlog().await
    }

    async fn attempts(&self, task_id: TaskId) -> LedgerResult<Vec<TaskAttempt>> {
        self.inner.attempts(task_id).await
    }

    async fn find_durable(&self, task_id: TaskId) -> LedgerResult<Option<StoredDurable>> {
        self.inner.find_durable(task_id).await
    }
}

impl Documents for LosesAnswers {
    async fn write_documents(
        &self,
        owner: &Owner,
        source: DocumentSource,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.losing(self.of_documents().write_documents(owner, source, writes)).await
    }

    async fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.losing(self.of_documents().store_step_with_documents(incarnation, attempt, step, writes)).await
    }

    async fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: Fence,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> LedgerResult<u64> {
        self.of_documents().rekey_documents(space, fence, index_set, keys).await
    }

    async fn documents(&self, space: &DocumentSpace, ids: &[String]) -> LedgerResult<Vec<StoredDocument>> {
        self.of_documents().documents(space, ids).await
    }

    async fn find_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
        limit: PageLimit,
        others: PageLimit,
    ) -> LedgerResult<FoundDocuments> {
        self.of_documents().find_documents(space, query, limit, others).await
    }

    async fn count_documents(&self, space: &DocumentSpace, query: DocumentQuery) -> LedgerResult<u64> {
        self.of_documents().count_documents(space, query).await
    }

    async fn collections(&self, owner: &Owner, app_id: Option<&str>) -> LedgerResult<Vec<CollectionUse>> {
        self.of_documents().collections(owner, app_id).await
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

    async fn questions_after(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<Question>> {
        self.inner.questions_after(task_id, after, limit).await
    }

    async fn find_question(&self, question_id: QuestionId) -> LedgerResult<Option<(Owner, Question)>> {
        self.inner.find_question(question_id).await
    }
}

impl Operators for LosesAnswers {
    async fn open_work(&self, after: TaskPlace, limit: u32) -> LedgerResult<Vec<OpenTask>> {
        self.inner.open_work(after, limit).await
    }

    async fn retry_task(&self, task_id: TaskId, audit: NewAudit) -> LedgerResult<TaskRecord> {
        self.inner.retry_task(task_id, audit).await
    }

    async fn set_paused(&self, name: DurableName, paused: bool, audit: NewAudit) -> LedgerResult<bool> {
        self.inner.set_paused(name, paused, audit).await
    }

    async fn paused_tasks(&self) -> LedgerResult<Vec<PausedTask>> {
        self.inner.paused_tasks().await
    }
}

impl Queues for LosesAnswers {
    async fn queue_places(&self, owner: &Owner) -> LedgerResult<Vec<QueuePlace>> {
        self.inner.queue_places(owner).await
    }

    async fn queue_loads(&self) -> LedgerResult<Vec<QueueLoad>> {
        self.inner.queue_loads().await
    }
}
