//! The platform's side of the surfaces.

use std::sync::Arc;

use super::Node;
use crate::context::{
    ChatDelivery, Context, DurableRequest, Host, HostFuture, Origin, ProgressMark, ReportPause, TaskRequest,
};
use crate::error::RunningTask;
use crate::ids::{QuestionId, TaskId, TurnId};
use crate::ledger::{Attempt, CloseQuestion, NewQuestion, NewStep, Question, StepsSoFar};

impl Host for Node {
    fn start_task(self: Arc<Self>, parent: Context, task: TaskRequest) -> HostFuture<'static, TaskId> {
        Box::pin(self.start_background_task(parent, task))
    }

    fn running_task<'a>(&'a self, origin: &'a Origin, key: &'a str) -> HostFuture<'a, Option<RunningTask>> {
        Box::pin(self.find_running_task(origin, key))
    }

    fn report_progress(&self, origin: &Origin, mark: ProgressMark) {
        self.progress.report(origin, mark);
    }

    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        self.progress.pause_after_report(origin)
    }

    fn deliver_message<'a>(&'a self, origin: &'a Origin, delivery: ChatDelivery) -> HostFuture<'a, TurnId> {
        Box::pin(self.deliver_chat_message(origin, delivery))
    }

    fn start_durable_task(self: Arc<Self>, parent: Context, task: DurableRequest) -> HostFuture<'static, TaskId> {
        Box::pin(self.start_durable(parent, task))
    }

    fn store_step<'a>(&'a self, origin: &'a Origin, step: NewStep) -> HostFuture<'a, ()> {
        Box::pin(self.store_step_of(origin, step))
    }

    fn step_value<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>> {
        Box::pin(self.read_step_value(origin, ordinal))
    }

    fn ask_question<'a>(&'a self, origin: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question> {
        Box::pin(self.ask_question_of(origin, question))
    }

    fn close_question<'a>(
        &'a self,
        origin: &'a Origin,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> HostFuture<'a, Question> {
        Box::pin(self.close_question_of(origin, question_id, why))
    }

    fn find_question<'a>(&'a self, origin: &'a Origin, question_id: QuestionId) -> HostFuture<'a, Question> {
        Box::pin(self.read_question_of(origin, question_id))
    }

    fn report_steps(&self, attempt: Attempt, steps: StepsSoFar) {
        self.progress.report_steps(attempt, steps);
    }
}
