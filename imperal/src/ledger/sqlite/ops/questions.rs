//! Questions of durable tasks: asked, answered, closed, and read by a park.
//!
//! A question's answer is the value of its step, which the next attempt reads. If the row of a question
//! is lost, its text is lost; its task goes on with the step.

use rusqlite::{Row, params};

use super::tasks::TaskRow;
use super::{Notification, Tx};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::clock::after;
use crate::ledger::rules::{self, Hold};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one, select_question};
use crate::ledger::{
    AnswerOutcome, Attempt, CloseQuestion, Incarnation, LedgerError, NewAnswer, NewQuestion, Park, Question,
    QuestionState, StoredAnswer, decode,
};

pub(in crate::ledger::sqlite) const QUESTION: &str = select_question!("WHERE q.question_id = ?1");

/// Whether the question of a task's step is open.
pub(in crate::ledger::sqlite) const IS_OPEN: &str = "SELECT 1 FROM question INDEXED BY question_open
    WHERE task_no = ?1 AND state = 'open' AND ordinal = ?2 LIMIT 1";

/// Counts the open questions of a task.
pub(in crate::ledger::sqlite) const COUNT_OPEN: &str = "UPDATE task SET open_questions =
        (SELECT count(*) FROM question INDEXED BY question_open WHERE task_no = ?1 AND state = 'open')
    WHERE task_no = ?1 RETURNING open_questions";

/// By its id, or by its step.
pub(in crate::ledger::sqlite) const CLOSE: &str = "UPDATE question INDEXED BY question_open SET state = ?4
    WHERE task_no = ?1 AND state = 'open' AND (question_id = ?3 OR ordinal = ?2)";

pub(in crate::ledger::sqlite) const WITHDRAW: &str = "UPDATE question INDEXED BY question_open SET state = 'withdrawn'
    WHERE task_no = ?1 AND state = 'open' RETURNING ordinal";

/// The step of an open question whose row is lost.
pub(in crate::ledger::sqlite) const STEP_OF_LOST: &str = "SELECT step_id & 65535, name FROM step
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND value = ?2 LIMIT 1";

/// A question and where it is stored.
struct Found {
    row: i64,
    task_no: i64,
    question: Question,
}

impl Tx<'_> {
    fn question(&self, question_id: QuestionId) -> Result<Option<Found>, Fault> {
        one(self.conn, QUESTION, [question_id.to_string()], |row| {
            let question = decode::question(row, self.unreadable);
            Ok(Found { row: row.get("question_no")?, task_no: row.get("task_no")?, question })
        })
    }

    pub(in crate::ledger::sqlite) fn ask_question(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        new: &NewQuestion,
    ) -> Result<Question, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        rules::check_call_replied(self.is_call_replied(task.number)?)?;
        self.add_step(&task, attempt.number, &new.step())?;
        let question = Question::open(attempt.task_id, new, self.now, after(self.now, new.within));
        let sql = "INSERT INTO question (question_id, task_no, ordinal, asked_at, until, text, schema, fallback)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let params = params![
            new.question_id.to_string(),
            task.number,
            new.ordinal,
            question.asked_at.as_microsecond(),
            question.until.as_microsecond(),
            new.text,
            new.schema,
            new.fallback
        ];
        execute(self.conn, sql, params)?;
        // Checked after the inserts, because an id that exists is refused first.
        rules::check_open_questions(self.count_open(task.number)?.saturating_sub(1), new.max_open)?;
        self.add_state_event(task.number, task.owner_id)?;
        Ok(question)
    }

    pub(in crate::ledger::sqlite) fn answer_question(
        &mut self,
        question_id: QuestionId,
        answer: &NewAnswer,
    ) -> Result<AnswerOutcome, Fault> {
        let Found { row, task_no, mut question } = self.question(question_id)?.ok_or(LedgerError::NotFound)?;
        let task = self.task(TaskId::of_row(task_no))?;
        if question.state == QuestionState::Open {
            if task.facts().hold == Hold::Ended {
                question.state = QuestionState::Withdrawn;
            } else if question.until <= self.now {
                question.state = QuestionState::Expired;
            }
        }
        if question.state != QuestionState::Open {
            return Ok(AnswerOutcome::Closed(question));
        }
        // The step is checked, because the row may name another one. An answer that the task cannot read is refused.
        if !self.settle(task_no, &question, &StoredAnswer::answered(&answer.value))? {
            question.state = QuestionState::Withdrawn;
            return Ok(AnswerOutcome::Closed(question));
        }
        question.state = QuestionState::Answered;
        question.answer = serde_json::from_str(&answer.value).ok();
        (question.answered_by, question.answered_at) = (Some(answer.by.clone()), Some(self.now));
        let now = self.now.as_microsecond();
        let sql = "UPDATE question SET state = 'answered', answered_by = ?2, answered_at = ?3 WHERE question_no = ?1";
        execute(self.conn, sql, params![row, answer.by, now])?;
        self.count_open(task_no)?;
        let sql = "UPDATE task SET state = 'queued', waits_for = 'process' WHERE task_no = ?1 AND state = 'waiting'";
        if execute(self.conn, sql, [task_no])? > 0 {
            execute(self.conn, "UPDATE durable SET ready_at = ?2 WHERE task_no = ?1", [task_no, now])?;
            self.notifications.push(Notification::ReadyTask);
        }
        self.audit_of(task.owner_id, &answer.audit)?;
        let record = self.add_state_event(task_no, task.owner_id)?;
        Ok(AnswerOutcome::Accepted(question, Box::new(record)))
    }

    pub(in crate::ledger::sqlite) fn close_question(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> Result<Question, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        let (state, stored) = match why {
            CloseQuestion::Expire => (QuestionState::Expired, StoredAnswer::Expired),
            CloseQuestion::Withdraw => (QuestionState::Withdrawn, StoredAnswer::Withdrawn),
        };
        let found = self.question(question_id)?.filter(|found| found.task_no == task.number);
        let mut question = match found {
            Some(Found { question, .. }) if question.state != QuestionState::Open => {
                self.withdraw_step(task.number, question.ordinal.into())?;
                return Ok(question);
            }
            Some(Found { question, .. }) => question,
            None => self.lost_question(&task, attempt.task_id, question_id)?,
        };
        question.state = state;
        let params = params![task.number, question.ordinal, question_id.to_string(), state.as_str()];
        execute(self.conn, CLOSE, params)?;
        self.settle(task.number, &question, &stored.to_json())?;
        self.count_open(task.number)?;
        self.add_state_event(task.number, task.owner_id)?;
        Ok(question)
    }

    /// An open question from its step, if its row is lost or has another id.
    fn lost_question(&self, task: &TaskRow, task_id: TaskId, question_id: QuestionId) -> Result<Question, Fault> {
        let value = StoredAnswer::Open(question_id).to_json();
        let read = |row: &Row<'_>| Ok((row.get::<_, u16>(0)?, row.get::<_, String>(1).unwrap_or_default()));
        let step = one(self.conn, STEP_OF_LOST, params![task.number, value], read)?;
        let (ordinal, name) = step.ok_or(LedgerError::NotFound)?;
        let known = NewQuestion { question_id, ..NewQuestion::new(ordinal, name, "", "null") };
        Ok(Question::open(task_id, &known, self.now, self.now))
    }

    /// Whether a wait of a task that parks is over: one of its questions is no longer open.
    pub(super) fn is_answered(&self, number: i64, park: &Park) -> Result<bool, Fault> {
        let mut answered = false;
        for ordinal in &park.questions {
            if one(self.conn, IS_OPEN, params![number, ordinal], |_| Ok(()))?.is_none() {
                answered = true;
                // Nobody can answer a question whose row is lost.
                self.withdraw_step(number, i64::from(*ordinal))?;
            }
        }
        Ok(answered)
    }

    /// Withdraws the open questions of a task that ends.
    pub(super) fn withdraw_questions(&self, number: i64) -> Result<(), Fault> {
        for ordinal in all(self.conn, WITHDRAW, [number], |row| Ok(row.get::<_, i64>(0)?))? {
            self.withdraw_step(number, ordinal)?;
        }
        Ok(())
    }

    /// Writes the value of an open question's step. False if the task has no such step.
    fn settle(&self, number: i64, question: &Question, value: &str) -> Result<bool, Fault> {
        let open = StoredAnswer::Open(question.question_id).to_json();
        let now = self.now.as_microsecond();
        let sql = "UPDATE step SET value = ?4, done_at = ?5 WHERE step_id = (?1 << 16) + ?2 AND value = ?3";
        if execute(self.conn, sql, params![number, question.ordinal, open, value, now])? > 0 {
            return Ok(true);
        }
        let found = one(self.conn, STEP_OF_LOST, params![number, open], |row| Ok(row.get::<_, u16>(0)?))?;
        let Some(ordinal) = found else { return Ok(false) };
        Ok(execute(self.conn, sql, params![number, ordinal, open, value, now])? > 0)
    }

    /// Withdraws a question in its step, unless the step says otherwise already.
    fn withdraw_step(&self, number: i64, ordinal: i64) -> Result<(), Fault> {
        let sql = "UPDATE step SET value = ?3, done_at = ?4 WHERE step_id = (?1 << 16) + ?2
                   AND ?2 BETWEEN 1 AND 65535 AND kind = 'question' AND substr(value, 1, 8) = '{\"open\":'";
        let (value, now) = (StoredAnswer::Withdrawn.to_json(), self.now.as_microsecond());
        execute(self.conn, sql, params![number, ordinal, value, now])?;
        Ok(())
    }

    /// Notes how many of the task's questions are open.
    fn count_open(&self, number: i64) -> Result<u32, Fault> {
        Ok(one(self.conn, COUNT_OPEN, [number], |row| Ok(row.get(0)?))?.unwrap_or_default())
    }
}
