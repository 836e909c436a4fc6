//! Questions of durable tasks: asked once, answered at most once.

use std::future::Future;

use super::LedgerResult;
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{
    AnswerOutcome, Attempt, CloseQuestion, Incarnation, NewAnswer, NewQuestion, Owner, Page, PageLimit, Question,
};

/// Questions. Used by the bodies of durable tasks, and by every interface through which a user answers.
///
/// A question is open, then answered, expired or withdrawn, and never changes again. It has a row among the
/// task's steps, whose value is a [`StoredAnswer`](crate::ledger::StoredAnswer): a later attempt goes on with it.
/// Every write that ends the task withdraws its open questions in the same transaction.
///
/// **No answer is lost.** [`DurableTasks::release_task`](super::DurableTasks::release_task) with
/// [`Release::Park`](crate::ledger::Release::Park) and [`Questions::answer_question`] both change the task's row: a task
/// that parks after the answer is ready at once, and an answer after the park makes it ready.
pub trait Questions: Send + Sync {
    /// Stores a question of a running task with its step, and the task's event. It is open until the ledger's
    /// current time plus `within`, and visible to the user when this returns.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotHolder`; `AlreadyEnded`; `CallNotReplied`; `IdExists` if the task has a step of
    /// this ordinal or the ledger a question of this id, which is this question if the write is repeated;
    /// `TooManyQuestions`.
    fn ask_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question: NewQuestion,
    ) -> impl Future<Output = LedgerResult<Question>> + Send;

    /// Stores the answer to an open question before the end of its time: in the question and its step, with the
    /// task's event and the audit row. A task that waits is `Queued` and ready from now on.
    ///
    /// For a question that is no longer open, or whose time is over, nothing is written and the question is
    /// returned as it is: an answer that was lost on its way is found there. An open question whose time is over
    /// is returned as `Expired`.
    ///
    /// # Errors
    /// `NotFound`.
    fn answer_question(
        &self,
        question_id: QuestionId,
        answer: NewAnswer,
    ) -> impl Future<Output = LedgerResult<AnswerOutcome>> + Send;

    /// Closes a question of a running task for the reason, with the task's event, unless it is closed already.
    /// Returns it as it is then: an answer that came before stays.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`, also for another task's question; `NotHolder`; `AlreadyEnded`.
    fn close_question(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> impl Future<Output = LedgerResult<Question>> + Send;

    /// The task's questions in any state, in the order in which they were asked, for any owner: the caller must
    /// check the owner. At most 256: the latest.
    fn questions(&self, task_id: TaskId) -> impl Future<Output = LedgerResult<Vec<Question>>> + Send;

    /// The task's questions in any state after an ordinal, in the order of their ordinals, without their schemas, for
    /// any owner: the caller must check the owner.
    fn questions_after(
        &self,
        task_id: TaskId,
        after: u16,
        limit: PageLimit,
    ) -> impl Future<Output = LedgerResult<Page<Question>>> + Send;

    /// A question with its owner: the caller must check the owner.
    fn find_question(
        &self,
        question_id: QuestionId,
    ) -> impl Future<Output = LedgerResult<Option<(Owner, Question)>>> + Send;
}
