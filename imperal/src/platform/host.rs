//! The platform's side of the surfaces.
//!
//! A surface that writes for the work waits for its acceptance here, so none can write for a call that is not in the
//! ledger. A start is the exception: it may be written with its call.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::Node;
use super::files::file_ref;
use super::ledger_errors::unreadable;
use crate::context::{
    AnswerCheck, ChatDelivery, Context, DocumentChange, DocumentsWritten, DurableRequest, FileBytes, FilePut, Hazard,
    Host, HostFuture, ModelNote, OfferedFunction, Origin, PathText, ProgressMark, ReportPause, ScheduleChange,
    TaskRequest, ToolAnswer, ToolCall,
};
use crate::error::{Error, RunningTask};
use crate::files::FileRef;
use crate::ids::{FileId, QuestionId, TaskId, TurnId};
use crate::ledger::{
    Attempt, CloseQuestion, DocumentKeys, DocumentQuery, DocumentWrite, DraftPiece, FileChange, FoundDocuments,
    NewQuestion, NewStep, Owner, PageLimit, Question, StepsSoFar, StoredDocument, Turn,
};
use crate::rows::PageSize;
use crate::secrets::Secret;

impl Host for Node {
    fn start_task(self: Arc<Self>, parent: Context, task: TaskRequest) -> HostFuture<'static, TaskId> {
        Box::pin(self.start_background_task(parent, task))
    }

    fn running_task<'a>(&'a self, origin: &'a Origin, key: &'a str) -> HostFuture<'a, Option<RunningTask>> {
        Box::pin(async move {
            self.active.wait_for_told_start(origin).await?;
            self.find_running_task(origin, key).await
        })
    }

    fn report_progress(&self, origin: &Origin, mark: ProgressMark) {
        if self.active.request_acceptance(origin) {
            self.progress.report(origin, mark);
        }
    }

    fn write_draft(&self, origin: &Origin, piece: DraftPiece) {
        if self.active.request_acceptance(origin) {
            self.progress.write_draft(&piece);
        }
    }

    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        self.progress.pause_after_report(origin)
    }

    fn deliver_message<'a>(&'a self, origin: &'a Origin, delivery: ChatDelivery) -> HostFuture<'a, TurnId> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.deliver_chat_message(origin, delivery).await
        })
    }

    fn start_durable_task(self: Arc<Self>, parent: Context, task: DurableRequest) -> HostFuture<'static, TaskId> {
        Box::pin(self.start_durable(parent, task))
    }

    fn store_step(self: Arc<Self>, origin: &Origin, step: NewStep) -> HostFuture<'static, ()> {
        // Found now: when the step is written, the body may have ended.
        let work = self.active.find(origin);
        Box::pin(async move { self.store_step_of(work.ok_or_else(Error::cancelled)?, step).await })
    }

    fn store_step_with_documents(
        self: Arc<Self>,
        origin: &Origin,
        step: NewStep,
        changes: Vec<DocumentChange>,
        files: Vec<FileChange>,
    ) -> HostFuture<'static, NewStep> {
        let work = self.active.find(origin);
        Box::pin(async move {
            let work = work.ok_or_else(Error::cancelled)?;
            self.store_step_with_documents_of(work, step, changes, files).await
        })
    }

    fn put_file(self: Arc<Self>, origin: &Origin, put: FilePut) -> HostFuture<'_, FileRef> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.put_file_of(origin, put).await
        })
    }

    fn find_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, Option<FileRef>> {
        Box::pin(async move {
            let found = self.find_file_of(&Owner::from(&origin.user), Some(origin.app_id), file_id).await?;
            Ok(found.as_ref().map(file_ref))
        })
    }

    fn list_files<'a>(&'a self, origin: &'a Origin, after: Option<FileId>, limit: u32) -> HostFuture<'a, Vec<FileRef>> {
        Box::pin(async move {
            let owner = Owner::from(&origin.user);
            Ok(self.list_files_of(&owner, Some(origin.app_id), after, limit).await?.iter().map(file_ref).collect())
        })
    }

    fn read_file<'a>(&'a self, _: &'a Origin, file: FileRef) -> HostFuture<'a, FileBytes> {
        Box::pin(self.read_file_of(file))
    }

    fn delete_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, bool> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.delete_file_of(origin, file_id).await
        })
    }

    fn discard_files<'a>(
        &'a self,
        origin: &'a Origin,
        ids: Vec<FileId>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.discard_files_of(origin, ids))
    }

    fn write_documents<'a>(
        &'a self,
        origin: &'a Origin,
        writes: Vec<DocumentWrite>,
    ) -> HostFuture<'a, DocumentsWritten> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.write_documents_of(origin, writes).await
        })
    }

    fn read_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        ids: Vec<String>,
    ) -> HostFuture<'a, Vec<StoredDocument>> {
        Box::pin(self.read_documents_of(origin, collection, ids))
    }

    fn find_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
        size: PageSize,
        others: PageSize,
    ) -> HostFuture<'a, FoundDocuments> {
        Box::pin(self.find_documents_of(origin, collection, query, [size, others]))
    }

    fn count_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
    ) -> HostFuture<'a, u64> {
        Box::pin(self.count_documents_of(origin, collection, query))
    }

    fn rekey_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> HostFuture<'a, u64> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.rekey_documents_of(origin, collection, index_set, keys).await
        })
    }

    fn step_value<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>> {
        Box::pin(self.read_step_value(origin, ordinal))
    }

    fn ask_question<'a>(&'a self, origin: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question> {
        Box::pin(self.ask_question_of(origin, question))
    }

    fn note_answer_type(&self, schema: &str, check: AnswerCheck) {
        self.answer_types.note(schema, check);
    }

    fn question_schema<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<Value>> {
        Box::pin(self.read_question_schema(origin, ordinal))
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

    fn may_be_taken_over(&self, origin: &Origin) -> bool {
        self.may_have_lapsed() || self.active.find(origin).is_none_or(|work| work.lease.lost.is_cancelled())
    }

    fn note_hazard(&self, origin: &Origin, hazard: Hazard) {
        self.tell_hazard(origin, &hazard);
    }

    fn check_paths<'a>(
        &'a self,
        origin: &'a Origin,
        step: &'a str,
        paths: Vec<PathText>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.find_local_paths(origin, step, paths))
    }

    fn report_steps(&self, _: &Origin, attempt: Attempt, steps: StepsSoFar) {
        self.progress.report_steps(attempt, steps);
    }

    fn secret<'a>(&'a self, origin: &'a Origin, secret: Secret) -> HostFuture<'a, Zeroizing<String>> {
        Box::pin(self.read_secret(origin, secret))
    }

    fn write_secret<'a>(
        &'a self,
        origin: &'a Origin,
        secret: Secret,
        value: Option<Zeroizing<String>>,
    ) -> HostFuture<'a, bool> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.write_secret_of(origin, secret, value).await
        })
    }

    fn change_schedule<'a>(&'a self, origin: &'a Origin, change: ScheduleChange) -> HostFuture<'a, bool> {
        Box::pin(async move {
            self.active.wait_for_acceptance(origin).await?;
            self.change_schedule_of(origin, change).await
        })
    }

    fn offered_functions(&self) -> Arc<[OfferedFunction]> {
        self.offered()
    }

    fn latest_turns<'a>(&'a self, origin: &'a Origin, limit: u32) -> HostFuture<'a, Vec<Turn>> {
        Box::pin(async move {
            let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
            let owner = Owner::from(&origin.user);
            let read = || self.ledger.latest_turns(&owner, None, PageLimit::rows(limit));
            let turns = self.insist(&work, "the chat", read).await.map_err(|error| unreadable(&error))?;
            Ok(turns.rows)
        })
    }

    fn note_model(&self, note: ModelNote) {
        self.meters.assistant.model(note);
    }

    fn call_tool(self: Arc<Self>, parent: Context, call: ToolCall) -> HostFuture<'static, ToolAnswer> {
        Box::pin(self.call_tool_of(parent, call))
    }
}
