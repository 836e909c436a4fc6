//! Questions of durable tasks: the statement of each method of the contract.

use std::borrow::Cow;

use tokio_postgres::Row;

use super::fault::Fault;
use super::pool::{int, text, texts};
use super::reads;
use super::rows::{RECORD_COLUMNS, audit, get, get_number, json_text, micros};
use super::stored_text::{original, stored};
use super::writes::one;
use crate::ids::{QuestionId, TaskId};
use crate::ledger::contract::{LedgerResult, Questions};
use crate::ledger::decode::{Cell, Columns};
use crate::ledger::{
    AnswerOutcome, Attempt, CloseQuestion, Incarnation, NewAnswer, NewQuestion, Owner, Page, PageLimit, PostgresLedger,
    Question, QuestionState, StoredAnswer, TaskState, decode,
};

/// The columns of `question_record` that [`decode::question`] reads, under names that a task does not have.
const QUESTION: &str = "q.question_id::text AS q_question_id, q.task_id::text AS q_task_id, q.ordinal AS q_ordinal, \
    q.name AS q_name, q.text AS q_text, q.schema AS q_schema, q.fallback AS q_fallback, q.state AS q_state, \
    q.asked_at AS q_asked_at, q.until AS q_until, q.value AS q_value, q.answered_by AS q_answered_by, \
    q.answered_at AS q_answered_at";

/// How many questions a list has at most.
const LISTED: i64 = 256;

/// The columns of [`QUESTION`] under their names.
struct QuestionColumns<'r>(&'r Row);

impl Columns for QuestionColumns<'_> {
    fn cell(&self, column: &str) -> Cell<'_> {
        self.0.cell(&format!("q_{column}"))
    }

    fn original(text: &str) -> Result<Cow<'_, str>, String> {
        original(text)
    }
}

impl PostgresLedger {
    fn question(&self, row: &Row) -> Question {
        decode::question(&QuestionColumns(row), self.store.unreadable())
    }

    /// The question that a write of its task returns, and the notification of the event.
    fn written(&self, row: &Row) -> Result<Question, Fault> {
        let owner = decode::owner(row, self.store.unreadable());
        self.notifier.events(get(row, 0)?, &owner, get_number(row, 1)?);
        Ok(self.question(row))
    }
}

impl Questions for PostgresLedger {
    async fn ask_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        new: NewQuestion,
    ) -> LedgerResult<Question> {
        let sql = format!(
            "SELECT q.owner_id, q.head, q.tenant_id, q.user_id, {QUESTION} \
             FROM @.ask_question($1, $2, $3::uuid, $4, $5::uuid, $6, $7, $8, $9) AS q"
        );
        let (node, task_id, id) = (stored(&incarnation.node), attempt.task_id.to_string(), new.question_id.to_string());
        let (number, ordinal) = (i64::from(attempt.number), i64::from(new.ordinal));
        let (within, most, step) = (micros(new.within), i64::from(new.max_open), new.step());
        let parts = vec![
            Some(stored(&new.name)),
            Some(stored(&new.text)),
            Some(json_text(&new.schema)?.into()),
            new.fallback.as_deref().map(json_text).transpose()?.map(Cow::from),
            Some(json_text(&step.value)?.into()),
        ];
        let whose = [text(&node), int(&incarnation.number), text(&task_id), int(&number), text(&id)];
        let what = [int(&ordinal), texts(&parts), int(&within), int(&most)];
        Ok(self.written(&self.one(&sql, &[&whose[..], &what[..]].concat()).await?)?)
    }

    async fn answer_question(&self, question_id: QuestionId, answer: NewAnswer) -> LedgerResult<AnswerOutcome> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, {QUESTION}, a.accepted FROM @.answer_question($1::uuid, $2, $3, $4) AS a \
             CROSS JOIN LATERAL (SELECT (a.task).*) AS r CROSS JOIN LATERAL (SELECT (a.question).*) AS q"
        );
        let (id, value) = (question_id.to_string(), StoredAnswer::answered(json_text(&answer.value)?));
        let (by, audited) = (stored(&answer.by), audit(&answer.audit));
        let params = [text(&id), text(&value), text(&by), texts(&audited)];
        let _permit = self.permits.acquire_for_audit(&answer.audit).await?;
        // Running twice stores it once.
        let row = one(self.counted(self.store.repeatable(&sql, &params)).await?)?;
        let (record, mut question) = (decode::record(&row, self.store.unreadable()), self.question(&row));
        let accepted: bool = get(&row, row.len() - 1)?;
        // The first of two runs may have lost its response: the second is not accepted, and still notifies.
        if accepted || question.answered_by.as_ref() == Some(&answer.by) {
            self.has_events(&row, &record.owner)?;
            if record.task.state == TaskState::Queued {
                self.notifier.task_is_ready();
            }
        }
        if accepted {
            return Ok(AnswerOutcome::Accepted(question, Box::new(record)));
        }
        if question.state == QuestionState::Open {
            question.state = QuestionState::Expired;
        }
        Ok(AnswerOutcome::Closed(question))
    }

    async fn close_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> LedgerResult<Question> {
        let sql = format!(
            "SELECT q.owner_id, q.head, q.tenant_id, q.user_id, {QUESTION} \
             FROM @.close_question($1, $2, $3::uuid, $4, $5::uuid, $6, $7) AS q"
        );
        let (state, value) = match why {
            CloseQuestion::Expire => (QuestionState::Expired, StoredAnswer::Expired),
            CloseQuestion::Withdraw => (QuestionState::Withdrawn, StoredAnswer::Withdrawn),
        };
        let (node, task_id, id) = (stored(&incarnation.node), attempt.task_id.to_string(), question_id.to_string());
        let (number, state, value) = (i64::from(attempt.number), state.as_str(), value.to_json());
        let whose = [text(&node), int(&incarnation.number), text(&task_id), int(&number)];
        let what = [text(&id), text(&state), text(&value)];
        // Running twice closes it once.
        let row = one(self.counted(self.store.repeatable(&sql, &[&whose[..], &what[..]].concat())).await?)?;
        Ok(self.written(&row)?)
    }

    async fn questions(&self, task_id: TaskId) -> LedgerResult<Vec<Question>> {
        let sql = format!(
            "SELECT {QUESTION} FROM @.question_record q WHERE q.task_id = $1::uuid ORDER BY q.question_no DESC LIMIT $2"
        );
        let rows = self.store.repeatable(&sql, &[text(&task_id.to_string()), int(&LISTED)]).await?;
        Ok(rows.iter().rev().map(|row| self.question(row)).collect())
    }

    async fn questions_after(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<Question>> {
        reads::questions_after(&self.store, task_id, after, limit).await
    }

    async fn find_question(&self, question_id: QuestionId) -> LedgerResult<Option<(Owner, Question)>> {
        let sql = format!(
            "SELECT q.tenant_id, q.user_id, {QUESTION} FROM @.question_record q WHERE q.question_id = $1::uuid"
        );
        let rows = self.store.repeatable(&sql, &[text(&question_id.to_string())]).await?;
        Ok(rows.first().map(|row| (decode::owner(row, self.store.unreadable()), self.question(row))))
    }
}
