//! Reads the questions of the user's tasks, and answers them.

use serde_json::Value;

use super::Access;
use crate::assistant;
use crate::codes;
use crate::context::CallApproval;
use crate::error::{Error, ErrorKind};
use crate::function::{ANSWER, check_answer};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{AnswerOutcome, AuditOutcome, NewAnswer, Question, QuestionState, Task, TaskRecord};
use crate::platform::ledger_errors::unavailable;
use crate::platform::questions::ANSWER_LIMIT;
use crate::result::Result;

/// The outcome of an answer.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores a closed question must not compile")]
pub enum Answered {
    /// The question has this answer, from this request or an equal one before.
    Accepted(Question),
    /// The question is no longer open: it has another answer, its time is over, or it was withdrawn.
    Closed(Question),
}

impl Access {
    /// The questions of one of the user's tasks, in the order in which they were asked.
    ///
    /// # Errors
    /// As [`Access::task`].
    pub async fn questions(&self, task_id: TaskId) -> Result<Vec<Question>> {
        self.own_task(task_id, "task.read").await?;
        self.read(self.ledger().questions(task_id)).await
    }

    /// Answers a question of one of the user's tasks; without an id, the only one that is open. The first answer
    /// counts. An equal answer of the same user again is accepted, so a client that lost a response sends its
    /// request again.
    ///
    /// # Errors
    /// As [`Access::task`]; `NOT_FOUND` if the task has no such question or none is open; `VALIDATION_MISSING_FIELD`
    /// and `VALIDATION_TYPE_ERROR` for an answer that does not fit the question's schema or type, or if several
    /// questions are open and none is named.
    pub async fn answer(&self, task_id: TaskId, question_id: Option<QuestionId>, answer: Value) -> Result<Answered> {
        let record = self.own_task(task_id, "task.answer").await?;
        let app_id = record.task.app_id.clone();
        let answered = self.answer_question_of(record, question_id, answer).await;
        let refused = match &answered {
            Ok(Answered::Closed(_)) => Some(codes::QUESTION_CLOSED),
            Err(error) if error.kind() == ErrorKind::User => Some(error.code().clone()),
            Ok(Answered::Accepted(_)) | Err(_) => None,
        };
        // A user sees a refusal in the window where they answer. A service acts unseen.
        if let Some(code) = refused.filter(|_| self.is_service()) {
            let mut row = self.audit_row("task.answer", task_id.to_string(), AuditOutcome::Refused);
            (row.app_id, row.detail) = (Some(app_id), Some(code.as_str().to_owned()));
            self.platform.audit_refusal(row).await?;
        }
        answered
    }

    async fn answer_question_of(
        &self,
        record: TaskRecord,
        question_id: Option<QuestionId>,
        answer: Value,
    ) -> Result<Answered> {
        let task_id = record.task.task_id;
        let question = match question_id {
            Some(id) => self.question_of(task_id, id).await?,
            None => only_open(self.read(self.ledger().questions(task_id)).await?)?,
        };
        if question.state != QuestionState::Open {
            // As it was stored, if it was this one.
            let answer = check_answer(&question.schema, answer.clone()).unwrap_or(answer);
            return Ok(self.closed(question, &answer));
        }
        let approval = self.check_may_approve(&record.task, &question)?;
        let answer = check_answer(&question.schema, answer)?;
        self.platform.node.answer_types.check(&question.schema, &answer)?;
        let json = answer.to_string();
        if json.len() > ANSWER_LIMIT {
            let text = format!("The answer has {} bytes; send at most {ANSWER_LIMIT}.", json.len());
            return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field(ANSWER));
        }
        let mut audit = self.audit_row("task.answer", task_id.to_string(), AuditOutcome::Done);
        audit.app_id = Some(record.task.app_id);
        audit.detail = Some(match question.effect() {
            _ if approval.is_some() => approved(approval.as_ref(), &answer),
            Some(effect) => format!("whether the effect `{effect}` was done: {}", answer.as_str().unwrap_or_default()),
            None => question.name,
        });
        let new = NewAnswer::new(json, &self.actor, audit);
        let answered = self.platform.node.answer(question.question_id, new).await;
        match answered.map_err(|error| unavailable(&error))? {
            AnswerOutcome::Accepted(question, _) => {
                if let Some(Ok(decision)) = approval.map(|_| serde_json::from_value(answer)) {
                    self.platform.node.meters.assistant.decided(decision);
                }
                Ok(Answered::Accepted(question))
            }
            AnswerOutcome::Closed(question) => Ok(self.closed(question, &answer)),
        }
    }

    /// The approval that a question of the assistant asks for. Only the user's own page or terminal gives it.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for a service and for an MCP client.
    fn check_may_approve(&self, task: &Task, question: &Question) -> Result<Option<CallApproval>> {
        let approval = CallApproval::of_schema(&question.schema).filter(|_| task.app_id == assistant::APP_ID);
        match approval {
            Some(_) if self.by_program => Err(Error::user(
                codes::PERMISSION_DENIED,
                "Only the user approves what the assistant wants, on the page or in the terminal.",
            )),
            approval => Ok(approval),
        }
    }

    async fn question_of(&self, task_id: TaskId, id: QuestionId) -> Result<Question> {
        let found = self.read(self.ledger().find_question(id)).await?;
        let of_task = found.map(|(_, question)| question).filter(|question| question.task_id == task_id);
        of_task.ok_or_else(|| Error::user(codes::NOT_FOUND, format!("The task has no question {id}.")))
    }

    /// The outcome of an answer to a question that is no longer open.
    fn closed(&self, question: Question, answer: &Value) -> Answered {
        let is_equal = question.state == QuestionState::Answered
            && question.answer.as_ref() == Some(answer)
            && question.answered_by.as_deref() == Some(&*self.actor);
        if is_equal { Answered::Accepted(question) } else { Answered::Closed(question) }
    }
}

/// The decision of the user about a call of the assistant, for the audit trail.
fn approved(approval: Option<&CallApproval>, answer: &Value) -> String {
    let Some(CallApproval { app_id, function, .. }) = approval else { return String::new() };
    let decision = answer.as_str().unwrap_or_default();
    format!("{decision}: `{function}` of `{app_id}`, asked for by the assistant")
}

/// The only open question.
fn only_open(questions: Vec<Question>) -> Result<Question> {
    let mut open = questions.into_iter().filter(|question| question.state == QuestionState::Open);
    match (open.next(), open.next()) {
        (Some(question), None) => Ok(question),
        (None, _) => Err(Error::user(codes::NOT_FOUND, "The task has no open question.")),
        (Some(_), Some(_)) => {
            let text = "The task has several open questions: name one by its `question_id`.";
            Err(Error::user(codes::VALIDATION_MISSING_FIELD, text).with_field("question_id"))
        }
    }
}
