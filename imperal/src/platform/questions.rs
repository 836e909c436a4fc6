//! Questions of durable tasks: asked by their bodies, answered by their users.

use serde_json::Value;

use super::Node;
use super::ledger_errors::{unavailable, unreadable};
use crate::codes;
use crate::context::Origin;
use crate::error::Error;
use crate::failpoint;
use crate::function::has_secrets;
use crate::ids::QuestionId;
use crate::ledger::{
    AnswerOutcome, CloseQuestion, LedgerError, LedgerResult, NewAnswer, NewQuestion, Owner, PageLimit, Question, Work,
};
use crate::result::Result;

/// Largest answer, and largest fallback, as JSON, in bytes.
pub(super) const ANSWER_LIMIT: usize = 64 << 10;

impl Node {
    /// Stores a question once the call has its reply: a user reads the answer to the call first.
    pub(super) async fn ask_question_of(&self, origin: &Origin, question: NewQuestion) -> Result<Question> {
        let Work::Task(attempt) = origin.work() else { return Err(Error::cancelled()) };
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        tokio::select! {
            biased;
            () = work.lease.lost.cancelled() => return Err(Error::cancelled()),
            () = work.tasks.replied() => {}
        }
        check_question(&question)?;
        let bytes = question.text.len() + question.schema.len() + question.fallback.as_ref().map_or(0, String::len);
        let quota = self.step_quota.take(&Owner::from(&origin.user), bytes as u64, self.max_stored());
        if !question.is_about_effect() {
            quota?;
        }
        let incarnation = work.lease.incarnation.clone();
        failpoint::hit("before-question");
        let (id, most) = (question.question_id, question.max_open);
        let asked = self
            .insist(&work, "a question", || self.ledger.ask_question(&incarnation, attempt, question.clone()))
            .await;
        failpoint::hit("after-question");
        match asked {
            Ok(question) => Ok(question),
            // The id is new: an earlier write of this question was stored.
            Err(LedgerError::IdExists) => self.read_question_of(origin, id).await,
            Err(LedgerError::TooManyQuestions(_)) => Err(Error::platform(
                codes::QUESTIONS_EXCEEDED,
                format!("A task has at most {most} open questions: wait for an answer, or withdraw one."),
            )),
            Err(error) => Err(refused(&error)),
        }
    }

    pub(super) async fn close_question_of(
        &self,
        origin: &Origin,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> Result<Question> {
        let Work::Task(attempt) = origin.work() else { return Err(Error::cancelled()) };
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let incarnation = work.lease.incarnation.clone();
        failpoint::hit("before-question-end");
        let write = || self.ledger.close_question(&incarnation, attempt, question_id, why);
        let closed = self.insist(&work, "the end of a question", write).await;
        failpoint::hit("after-question-end");
        closed.map_err(|error| refused(&error))
    }

    pub(super) async fn read_question_of(&self, origin: &Origin, question_id: QuestionId) -> Result<Question> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let found = self.insist(&work, "a question", || self.ledger.find_question(question_id)).await;
        match found.map_err(|error| unreadable(&error))? {
            Some((_, question)) if Some(question.task_id) == origin.task_id => Ok(question),
            _ => Err(Error::internal(format!("the question {question_id} is not in the ledger"))),
        }
    }

    /// The schema with which a question of the task was asked.
    pub(super) async fn read_question_schema(&self, origin: &Origin, ordinal: u16) -> Result<Option<Value>> {
        let Some(task_id) = origin.task_id else { return Ok(None) };
        let (after, one) = (ordinal.saturating_sub(1), PageLimit::rows(1));
        let read = || self.ledger.questions_after(task_id, after, one);
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let found = self.insist(&work, "the questions of a task", read).await.map_err(|error| unreadable(&error))?;
        match found.rows.into_iter().find(|question| question.ordinal == ordinal) {
            Some(question) => Ok(Some(self.read_question_of(origin, question.question_id).await?.schema)),
            None => Ok(None),
        }
    }

    /// Stores a user's answer. The task goes on, here or on another node.
    pub(super) async fn answer(&self, question_id: QuestionId, answer: NewAnswer) -> LedgerResult<AnswerOutcome> {
        failpoint::hit("before-answer");
        // A repeated write whose first response was lost finds the question answered: the caller compares.
        let answered = self.ledger.answer_question(question_id, answer).await?;
        failpoint::hit("after-answer");
        // Other nodes look by themselves.
        if let AnswerOutcome::Accepted(question, _) = &answered
            && let Some(task) = self.active.find_task(question.task_id)
            && let Some(run) = task.ctx.durable_run()
        {
            run.tell_questions();
        }
        Ok(answered)
    }
}

/// Refuses a question for secrets, because answers are stored and shown as they are, and one with a fallback that is
/// larger than any answer.
///
/// # Errors
/// `INTERNAL`.
fn check_question(question: &NewQuestion) -> Result<()> {
    let bytes = question.fallback.as_ref().map_or(0, String::len);
    if bytes > ANSWER_LIMIT {
        let name = &question.name;
        let text = format!("the fallback of the question `{name}` has {bytes} bytes, more than {ANSWER_LIMIT}");
        return Err(Error::internal(text));
    }
    let schema = serde_json::from_str(&question.schema).unwrap_or_default();
    if !has_secrets(&schema) {
        return Ok(());
    }
    let name = &question.name;
    let text =
        format!("the question `{name}` asks for a `writeOnly` value, but answers are stored and shown as they are");
    Err(Error::internal(text))
}

fn refused(error: &LedgerError) -> Error {
    if error.is_failure() {
        return unavailable(error);
    }
    Error::cancelled().with_source(format!("the question was not written: {error}"))
}
