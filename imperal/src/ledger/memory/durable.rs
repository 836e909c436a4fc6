//! The methods of durable tasks: claims, steps and releases, questions, operators, queues.
//!
//! As all methods of this ledger they lock the state, let it apply the rules, and tell the feed after the commit: the
//! owners whose events changed, and the nodes when a task may have become ready.

use std::time::Duration;

use serde_json::Value;

use super::state::State;
use super::{MemoryLedger, cloned};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::clock::before;
use crate::ledger::contract::{DurableTasks, LedgerResult, Operators, Questions, Queues};
use crate::ledger::{
    AnswerOutcome, Attempt, AttemptReport, Backlog, ClaimRequest, ClaimedTask, CloseQuestion, DurableName,
    DurableProgram, Incarnation, NewAnswer, NewAudit, NewQuestion, NewStep, OpenTask, Owner, Page, PageLimit,
    PausedTask, Question, QueueLoad, QueuePlace, Release, StoredDurable, StoredStep, Task, TaskAttempt, TaskPlace,
    TaskRecord,
};

impl DurableTasks for MemoryLedger {
    async fn claim_tasks(&self, incarnation: &Incarnation, request: ClaimRequest) -> LedgerResult<Vec<ClaimedTask>> {
        let claimed = self.with(|state, now| state.claim_tasks(incarnation, &request, now))?;
        for task in &claimed {
            self.feed.publish_events(&task.record.owner);
        }
        Ok(claimed)
    }

    async fn next_ready_in(&self, names: &[DurableName]) -> LedgerResult<Option<Duration>> {
        Ok(self.with(|state, now| state.next_ready_in(names, now)))
    }

    async fn release_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
    ) -> LedgerResult<Task> {
        let released = self.write(|state, now| state.release_task(incarnation, attempt, release, report, now))?;
        self.feed.announce_ready_task();
        Ok(released)
    }

    async fn store_step(&self, incarnation: &Incarnation, attempt: Attempt, step: NewStep) -> LedgerResult<()> {
        self.with(|state, now| state.store_step(incarnation, attempt, step, now))
    }

    async fn steps(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<StoredStep>> {
        let is_inline = |step: &StoredStep| step.bytes <= StoredStep::INLINE;
        let bytes = |step: &&StoredStep| step.name.len() as u64 + if is_inline(step) { step.bytes } else { 0 };
        let mut page = self.read(|state| cloned(Page::take(state.steps(task_id, after), limit, bytes)));
        page.rows.iter_mut().filter(|step| !is_inline(step)).for_each(|step| step.value = None);
        Ok(page)
    }

    async fn step_value(&self, task_id: TaskId, ordinal: u16) -> LedgerResult<Option<String>> {
        Ok(self.read(|state| state.steps(task_id, 0).find(|step| step.ordinal == ordinal)?.value.clone()))
    }

    async fn attempts(&self, task_id: TaskId) -> LedgerResult<Vec<TaskAttempt>> {
        Ok(self.read(|state| state.attempts(task_id)))
    }

    async fn find_durable(&self, task_id: TaskId) -> LedgerResult<Option<StoredDurable>> {
        Ok(self.read(|state| state.find_durable(task_id)))
    }

    async fn register_program(&self, incarnation: &Incarnation, program: DurableProgram) -> LedgerResult<()> {
        self.with(|state, _| state.register_program(incarnation, program))
    }

    async fn mark_stuck(&self, incarnation: &Incarnation, untaken_for: Duration) -> LedgerResult<u64> {
        self.write_many(|state, now| state.mark_stuck(incarnation, before(now, untaken_for), now))
    }

    async fn announce_queued(&self, incarnation: &Incarnation, queued_for: Duration) -> LedgerResult<u64> {
        self.write_many(|state, now| state.announce_queued(incarnation, before(now, queued_for)))
    }

    async fn long_stuck(&self, stuck_for: Duration, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        Ok(self.with(|state, now| state.long_stuck(before(now, stuck_for), limit as usize)))
    }

    async fn cancelled_tasks(&self, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        Ok(self.read(|state| state.cancelled_tasks(limit as usize)))
    }

    async fn backlog(&self) -> LedgerResult<Backlog> {
        Ok(self.with(|state, now| state.backlog(now)))
    }
}

impl Questions for MemoryLedger {
    async fn ask_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question: NewQuestion,
    ) -> LedgerResult<Question> {
        self.write(|state, now| state.ask_question(incarnation, attempt, &question, now))
    }

    async fn answer_question(&self, question_id: QuestionId, answer: NewAnswer) -> LedgerResult<AnswerOutcome> {
        let outcome = self.with(|state, now| state.answer_question(question_id, answer, now))?;
        if let AnswerOutcome::Accepted(_, record) = &outcome {
            self.feed.publish_events(&record.owner);
            self.feed.announce_ready_task();
        }
        Ok(outcome)
    }

    async fn close_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> LedgerResult<Question> {
        let (told, question) =
            self.with(|state, now| state.close_question(incarnation, attempt, question_id, why, now))?;
        if let Some(owner) = told {
            self.feed.publish_events(&owner);
        }
        Ok(question)
    }

    async fn questions(&self, task_id: TaskId) -> LedgerResult<Vec<Question>> {
        Ok(self.read(|state| {
            let questions = state.questions(task_id);
            questions[questions.len().saturating_sub(256)..].to_vec()
        }))
    }

    async fn questions_after(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<Question>> {
        let bytes = |json: Option<&Value>| json.map_or(0, |json| json.to_string().len());
        let size = |one: &&Question| {
            (one.name.len() + one.text.len() + bytes(one.fallback.as_ref()) + bytes(one.answer.as_ref())) as u64
        };
        let mut page = self.read(|state| {
            let mut found: Vec<_> = state.questions(task_id).iter().filter(|one| one.ordinal > after).collect();
            found.sort_by_key(|one| one.ordinal);
            cloned(Page::take(found, limit, size))
        });
        page.rows.iter_mut().for_each(|one| one.schema = Value::Null);
        Ok(page)
    }

    async fn find_question(&self, question_id: QuestionId) -> LedgerResult<Option<(Owner, Question)>> {
        Ok(self.read(|state| state.question(question_id).map(|(owner, question)| (owner.clone(), question.clone()))))
    }
}

impl Operators for MemoryLedger {
    async fn open_work(&self, after: TaskPlace, limit: u32) -> LedgerResult<Vec<OpenTask>> {
        Ok(self.read(|state| state.open_work(after, limit as usize)))
    }

    async fn retry_task(&self, task_id: TaskId, audit: NewAudit) -> LedgerResult<TaskRecord> {
        let (is_ready, record) = self.with(|state, now| state.retry_task(task_id, audit, now))?;
        if is_ready {
            self.feed.publish_events(&record.owner);
            self.feed.announce_ready_task();
        }
        Ok(record)
    }

    async fn set_paused(&self, name: DurableName, paused: bool, audit: NewAudit) -> LedgerResult<bool> {
        let changed = self.with(|state, now| state.set_paused(name, paused, audit, now));
        if changed && !paused {
            self.feed.announce_ready_task();
        }
        Ok(changed)
    }

    async fn paused_tasks(&self) -> LedgerResult<Vec<PausedTask>> {
        Ok(self.read(State::paused_tasks))
    }
}

impl Queues for MemoryLedger {
    async fn queue_places(&self, owner: &Owner) -> LedgerResult<Vec<QueuePlace>> {
        Ok(self.with(|state, now| state.queue_places(owner, now)))
    }

    async fn queue_loads(&self) -> LedgerResult<Vec<QueueLoad>> {
        Ok(self.with(|state, now| state.queue_loads(now)))
    }
}
