//! Questions of durable tasks.

use super::job::Weight;
use super::{SqliteLedger, reads};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::contract::{LedgerResult, Questions};
use crate::ledger::{
    AnswerOutcome, Attempt, CloseQuestion, Incarnation, NewAnswer, NewQuestion, Owner, Page, PageLimit, Question,
};

impl Questions for SqliteLedger {
    async fn ask_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question: NewQuestion,
    ) -> LedgerResult<Question> {
        let incarnation = incarnation.clone();
        let fallback = question.fallback.as_ref().map_or(0, String::len);
        let bytes = question.name.len() + question.text.len() + question.schema.len() + fallback;
        self.writer
            .write_sized(Weight::Durable, bytes, move |tx| tx.ask_question(&incarnation, attempt, &question))
            .await
    }

    async fn answer_question(&self, question_id: QuestionId, answer: NewAnswer) -> LedgerResult<AnswerOutcome> {
        let bytes = answer.value.len();
        self.writer.write_sized(Weight::Durable, bytes, move |tx| tx.answer_question(question_id, &answer)).await
    }

    async fn close_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> LedgerResult<Question> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.close_question(&incarnation, attempt, question_id, why)).await
    }

    async fn questions(&self, task_id: TaskId) -> LedgerResult<Vec<Question>> {
        self.readers.read(move |reading| reads::questions(reading, task_id)).await
    }

    async fn questions_after(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<Question>> {
        self.readers.read(move |reading| reads::questions_after(reading, task_id, after, limit)).await
    }

    async fn find_question(&self, question_id: QuestionId) -> LedgerResult<Option<(Owner, Question)>> {
        self.readers.read(move |reading| reads::question(reading, question_id)).await
    }
}
