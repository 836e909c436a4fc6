//! The platform as a replay shows it to a body: it writes nothing, and says what the body wanted.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::context::{
    AnswerCheck, ChatDelivery, Context, DocumentChange, DocumentsWritten, DurableRequest, DurableRun, Exchange,
    FileBytes, FilePut, Hazard, Host, HostFuture, ModelNote, OfferedFunction, OpenResponse, Origin, OutgoingRequest,
    PathText, Pending, ProgressMark, ReportPause, ScheduleChange, TaskRequest, ToolAnswer, ToolCall, Transport,
};
use crate::error::{Error, HttpError, RunningTask};
use crate::files::FileRef;
use crate::ids::{FileId, QuestionId, TaskId, TurnId};
use crate::ledger::{
    Attempt, CloseQuestion, DocumentKeys, DocumentQuery, DocumentWrite, DraftPiece, FileChange, FoundDocuments,
    NewQuestion, NewStep, Question, StepsSoFar, StoredDocument, Turn,
};
use crate::rows::PageSize;
use crate::secrets::Secret;
use crate::sync::Mutex;

/// Requests of a body that a replay does not carry out.
#[derive(Debug, Default)]
pub(super) struct Wanted(Mutex<Vec<String>>);

impl Wanted {
    fn add(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// The first of it.
    pub(super) fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

/// See the module.
pub(super) struct ReplayHost {
    pub(super) run: Arc<DurableRun>,
    pub(super) wanted: Arc<Wanted>,
    /// The values of the stored steps that are not in memory.
    pub(super) values: std::collections::HashMap<u16, String>,
}

impl ReplayHost {
    /// Ends the replay: the body wanted something that would have an effect.
    fn end<T: Send + 'static>(&self, what: impl Into<String>) -> HostFuture<'static, T> {
        self.wanted.add(what.into());
        self.run.ask_hand_over();
        Box::pin(std::future::ready(Err(Error::cancelled())))
    }

    /// A start that an earlier attempt may have made is made: its id is the same in each attempt.
    fn started(&self, task_id: Option<TaskId>, name: &str) -> HostFuture<'static, TaskId> {
        match task_id {
            Some(task_id) => Box::pin(std::future::ready(Ok(task_id))),
            None => self.end(format!("the start of the task `{name}`")),
        }
    }
}

impl Host for ReplayHost {
    fn start_task(self: Arc<Self>, _: Context, task: TaskRequest) -> HostFuture<'static, TaskId> {
        self.started(task.task_id, &task.name)
    }

    fn running_task<'a>(&'a self, _: &'a Origin, _: &'a str) -> HostFuture<'a, Option<RunningTask>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn report_progress(&self, _: &Origin, _: ProgressMark) {}

    fn pause_after_report(&self, _: &Origin) -> Option<ReportPause> {
        None
    }

    fn deliver_message<'a>(&'a self, _: &'a Origin, _: ChatDelivery) -> HostFuture<'a, TurnId> {
        self.end("a message that was not said before")
    }

    fn start_durable_task(self: Arc<Self>, _: Context, task: DurableRequest) -> HostFuture<'static, TaskId> {
        self.started(task.task_id, &task.name)
    }

    fn store_step(self: Arc<Self>, _: &Origin, step: NewStep) -> HostFuture<'static, ()> {
        self.end(format!("`{}`", step.name))
    }

    fn store_step_with_documents(
        self: Arc<Self>,
        _: &Origin,
        step: NewStep,
        _: Vec<DocumentChange>,
        _: Vec<FileChange>,
    ) -> HostFuture<'static, NewStep> {
        self.end(format!("`{}`", step.name))
    }

    fn put_file(self: Arc<Self>, _: &Origin, put: FilePut) -> HostFuture<'_, FileRef> {
        self.end(format!("the file `{}`", put.name))
    }

    fn find_file<'a>(&'a self, _: &'a Origin, _: FileId) -> HostFuture<'a, Option<FileRef>> {
        self.end("a file")
    }

    fn list_files<'a>(&'a self, _: &'a Origin, _: Option<FileId>, _: u32) -> HostFuture<'a, Vec<FileRef>> {
        self.end("the list of files")
    }

    fn read_file<'a>(&'a self, _: &'a Origin, file: FileRef) -> HostFuture<'a, FileBytes> {
        self.end(format!("the file `{}`", file.name))
    }

    fn delete_file<'a>(&'a self, _: &'a Origin, _: FileId) -> HostFuture<'a, bool> {
        self.end("a file")
    }

    fn discard_files<'a>(&'a self, _: &'a Origin, _: Vec<FileId>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn write_documents<'a>(&'a self, _: &'a Origin, _: Vec<DocumentWrite>) -> HostFuture<'a, DocumentsWritten> {
        self.end("a document that was written outside of a step")
    }

    fn read_documents<'a>(
        &'a self,
        _: &'a Origin,
        collection: &'static str,
        _: Vec<String>,
    ) -> HostFuture<'a, Vec<StoredDocument>> {
        self.end(format!("the documents of `{collection}`"))
    }

    fn find_documents<'a>(
        &'a self,
        _: &'a Origin,
        collection: &'static str,
        _: DocumentQuery,
        _: PageSize,
        _: PageSize,
    ) -> HostFuture<'a, FoundDocuments> {
        self.end(format!("the documents of `{collection}`"))
    }

    fn count_documents<'a>(&'a self, _: &'a Origin, collection: &'static str, _: DocumentQuery) -> HostFuture<'a, u64> {
        self.end(format!("the documents of `{collection}`"))
    }

    fn rekey_documents<'a>(
        &'a self,
        _: &'a Origin,
        _: &'static str,
        _: i64,
        _: Vec<DocumentKeys>,
    ) -> HostFuture<'a, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn step_value<'a>(&'a self, _: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>> {
        Box::pin(std::future::ready(Ok(self.values.get(&ordinal).cloned())))
    }

    fn ask_question<'a>(&'a self, _: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question> {
        self.end(format!("the answer to `{}`", question.name))
    }

    fn note_answer_type(&self, _: &str, _: AnswerCheck) {}

    fn question_schema<'a>(&'a self, _: &'a Origin, _: u16) -> HostFuture<'a, Option<Value>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn close_question<'a>(&'a self, _: &'a Origin, _: QuestionId, _: CloseQuestion) -> HostFuture<'a, Question> {
        self.end("the answer to an open question")
    }

    fn find_question<'a>(&'a self, _: &'a Origin, _: QuestionId) -> HostFuture<'a, Question> {
        self.end("the answer to an open question")
    }

    fn may_be_taken_over(&self, _: &Origin) -> bool {
        false
    }

    fn note_hazard(&self, _: &Origin, _: Hazard) {}

    fn check_paths<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: Vec<PathText>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn write_draft(&self, _: &Origin, _: DraftPiece) {}

    fn report_steps(&self, _: &Origin, _: Attempt, _: StepsSoFar) {}

    /// A body that uses it outside of steps sends a request, which ends the replay.
    fn secret<'a>(&'a self, _: &'a Origin, secret: Secret) -> HostFuture<'a, Zeroizing<String>> {
        Box::pin(std::future::ready(Ok(Zeroizing::new(format!("a replay has no secret {}", secret.name())))))
    }

    fn write_secret<'a>(&'a self, _: &'a Origin, secret: Secret, _: Option<Zeroizing<String>>) -> HostFuture<'a, bool> {
        self.end(format!("the write of the secret `{}`", secret.name()))
    }

    fn offered_functions(&self) -> Arc<[OfferedFunction]> {
        Arc::new([])
    }

    fn latest_turns<'a>(&'a self, _: &'a Origin, _: u32) -> HostFuture<'a, Vec<Turn>> {
        self.end("the chat")
    }

    fn note_model(&self, _note: ModelNote) {}

    fn call_tool(self: Arc<Self>, _: Context, call: ToolCall) -> HostFuture<'static, ToolAnswer> {
        self.end(format!("a call of `{}`", call.function))
    }

    fn change_schedule<'a>(&'a self, _: &'a Origin, _: ScheduleChange) -> HostFuture<'a, bool> {
        self.end("the change of a schedule".to_owned())
    }
}

/// The network of a replay: the first request outside of steps ends it.
pub(super) struct NoNetwork {
    pub(super) run: Arc<DurableRun>,
    pub(super) wanted: Arc<Wanted>,
}

impl std::fmt::Debug for NoNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoNetwork").finish_non_exhaustive()
    }
}

impl Transport for NoNetwork {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_> {
        let (method, url) = (outgoing.request.method(), outgoing.request.url());
        let host = url.host_str().unwrap_or_default();
        self.wanted.add(format!("the request {method} {host}{} outside of a step", url.path()));
        self.run.ask_hand_over();
        Box::pin(std::future::ready(Err(HttpError::stopped("a replay sends no requests"))))
    }

    fn open(&self, outgoing: OutgoingRequest) -> Pending<'_, OpenResponse> {
        Box::pin(async move {
            self.exchange(outgoing).await?;
            Err(HttpError::stopped("a replay sends no requests"))
        })
    }
}

/// A time after every stored sleep and question: a replay waits for none.
pub(super) fn after_every_wait() -> Timestamp {
    Timestamp::from_second(32_503_680_000).unwrap_or(Timestamp::MAX)
}
