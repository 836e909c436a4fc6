//! The platform's side of the surfaces.

use std::sync::Arc;

use super::Node;
use crate::context::{ChatDelivery, Context, Host, HostFuture, Origin, ProgressMark, ReportPause, TaskRequest};
use crate::error::RunningTask;
use crate::ids::{TaskId, TurnId};

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
}
