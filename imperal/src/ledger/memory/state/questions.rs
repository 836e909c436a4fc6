//! Questions of durable tasks.

use jiff::Timestamp;

use super::tasks::TaskRow;
use super::{State, Told};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::clock::after;
use crate::ledger::rules;
use crate::ledger::{
    AnswerOutcome, Attempt, CloseQuestion, EventBody, Incarnation, LedgerError, NewAnswer, NewQuestion, Owner,
    Question, QuestionState, StoredAnswer, TaskState, WaitsFor,
};

impl State {
    pub(in crate::ledger::memory) fn ask_question(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        new: &NewQuestion,
        now: Timestamp,
    ) -> Told<Question> {
        self.fence(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        rules::check_call_replied(self.calls.get(&row.record.task.call_id).map(|call| call.reply.is_some()))?;
        if self.questions.contains_key(&new.question_id)
            || row.durable.as_ref().is_some_and(|d| d.has_step(new.ordinal))
        {
            return Err(LedgerError::IdExists);
        }
        rules::check_open_questions(row.record.task.open_questions, new.max_open)?;
        self.add_step(attempt, new.step(), now)?;
        let question = Question::open(attempt.task_id, new, now, after(now, new.within));
        self.questions.insert(new.question_id, attempt.task_id);
        let row = self.tasks.get_mut(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        row.record.task.open_questions += 1;
        if let Some(durable) = &mut row.durable {
            durable.questions.push(question.clone());
        }
        let owner = self.tell_task(attempt.task_id)?;
        Ok((owner, question))
    }

    /// The answer, and whether it was written.
    pub(in crate::ledger::memory) fn answer_question(
        &mut self,
        question_id: QuestionId,
        answer: NewAnswer,
        now: Timestamp,
    ) -> Result<AnswerOutcome, LedgerError> {
        let (_, question) = self.question(question_id).ok_or(LedgerError::NotFound)?;
        let mut question = question.clone();
        if question.state == QuestionState::Open && question.until <= now {
            question.state = QuestionState::Expired;
        }
        if question.state != QuestionState::Open {
            return Ok(AnswerOutcome::Closed(question));
        }
        question.state = QuestionState::Answered;
        question.answer = serde_json::from_str(&answer.value).ok();
        (question.answered_by, question.answered_at) = (Some(answer.by), Some(now));
        self.settle_question(&question, StoredAnswer::answered(&answer.value), now);
        let row = self.tasks.get_mut(&question.task_id).ok_or(LedgerError::NotFound)?;
        let task = &mut row.record.task;
        if task.state == TaskState::Waiting {
            (task.state, task.waits_for, task.ready_at) = (TaskState::Queued, Some(WaitsFor::Process), Some(now));
        }
        let record = row.record.clone();
        self.audit(answer.audit, now);
        self.tell_task(question.task_id)?;
        Ok(AnswerOutcome::Accepted(question, Box::new(record)))
    }

    pub(in crate::ledger::memory) fn close_question(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
        now: Timestamp,
    ) -> Result<(Option<Owner>, Question), LedgerError> {
        self.fence(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        let found = self.question(question_id).filter(|(_, question)| question.task_id == attempt.task_id);
        let mut question = found.ok_or(LedgerError::NotFound)?.1.clone();
        if question.state != QuestionState::Open {
            return Ok((None, question));
        }
        let (state, stored) = match why {
            CloseQuestion::Expire => (QuestionState::Expired, StoredAnswer::Expired),
            CloseQuestion::Withdraw => (QuestionState::Withdrawn, StoredAnswer::Withdrawn),
        };
        question.state = state;
        self.settle_question(&question, stored.to_json(), now);
        let owner = self.tell_task(attempt.task_id)?;
        Ok((Some(owner), question))
    }

    /// Stores a question that is no longer open, and the value of its step.
    fn settle_question(&mut self, question: &Question, value: String, now: Timestamp) {
        let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(&question.task_id) else {
            return;
        };
        record.task.open_questions = record.task.open_questions.saturating_sub(1);
        durable.set_value(question.ordinal, value, now);
        if let Some(stored) = durable.questions.iter_mut().find(|stored| stored.question_id == question.question_id) {
            *stored = question.clone();
        }
    }

    /// Withdraws the open questions of a task that ends.
    pub(super) fn withdraw_questions(&mut self, task_id: TaskId, now: Timestamp) {
        let Some(TaskRow { durable: Some(durable), .. }) = self.tasks.get(&task_id) else { return };
        let open = durable.questions.iter().filter(|question| question.state == QuestionState::Open);
        for question in open.cloned().collect::<Vec<_>>() {
            let question = Question { state: QuestionState::Withdrawn, ..question };
            self.settle_question(&question, StoredAnswer::Withdrawn.to_json(), now);
        }
    }

    /// Writes an event with the task as it is. Returns its owner.
    fn tell_task(&mut self, task_id: TaskId) -> Result<Owner, LedgerError> {
        let record = &self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?.record;
        let (owner, task) = (record.owner.clone(), record.task.clone());
        self.push(&owner, EventBody::Task(task));
        Ok(owner)
    }

    pub(in crate::ledger::memory) fn questions(&self, task_id: TaskId) -> &[Question] {
        let durable = self.tasks.get(&task_id).and_then(|row| row.durable.as_ref());
        durable.map_or(&[], |durable| &durable.questions)
    }

    pub(in crate::ledger::memory) fn question(&self, question_id: QuestionId) -> Option<(&Owner, &Question)> {
        let task_id = self.questions.get(&question_id)?;
        let question = self.questions(*task_id).iter().find(|question| question.question_id == question_id)?;
        Some((&self.tasks.get(task_id)?.record.owner, question))
    }
}
