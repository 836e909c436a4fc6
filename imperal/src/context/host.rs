//! The trait between the surfaces and the platform.
//!
//! A surface checks its arguments and hands plain values to its [`Host`], which writes, schedules and audits.
//! The surfaces know the platform by this trait alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::assistant::{ModelNote, OfferedFunction, ToolAnswer, ToolCall};
use super::background::TaskRequest;
use super::chat::ChatDelivery;
use super::documents::{Change as DocumentChange, DocumentsWritten};
use super::durable::DurableRequest;
use super::files::{FileBytes, FilePut};
use super::hazard::{Hazard, PathText};
use super::progress::{ProgressMark, ReportPause};
use super::schedules::ScheduleChange;
use super::{Context, Origin};
use crate::error::RunningTask;
use crate::files::FileRef;
use crate::ids::{FileId, QuestionId, TaskId, TurnId};
use crate::result::Result;
use crate::rows::{
    Attempt, CloseQuestion, DocumentKeys, DocumentQuery, DocumentWrite, DraftPiece, FileChange, FoundDocuments,
    NewQuestion, NewStep, PageSize, Question, StepsSoFar, StoredDocument, Turn,
};
use crate::secrets::Secret;

/// The future of a host method that waits for the ledger.
pub(crate) type HostFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Why a type does not take an answer, in a sentence without a full stop.
pub(crate) type AnswerCheck = fn(&Value) -> std::result::Result<(), String>;

/// The platform, as the surfaces of a call or task see it.
pub(crate) trait Host: Send + Sync {
    /// Starts a background task for the call or task `parent`. Completes when the task is on disk; in a starter it may
    /// complete before.
    fn start_task(self: Arc<Self>, parent: Context, task: TaskRequest) -> HostFuture<'static, TaskId>;

    /// The running task of this extension and user under a key.
    fn running_task<'a>(&'a self, origin: &'a Origin, key: &'a str) -> HostFuture<'a, Option<RunningTask>>;

    /// Takes a progress report. Waits for nothing.
    fn report_progress(&self, origin: &Origin, mark: ProgressMark);

    /// Takes a piece of a draft, without secrets in it. Waits for nothing.
    fn write_draft(&self, origin: &Origin, piece: DraftPiece);

    /// A wait before the report returns to the work. Tests stop work at a report with it.
    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause>;

    /// Writes a chat turn with its audit row. Completes when both are on disk.
    fn deliver_message<'a>(&'a self, origin: &'a Origin, delivery: ChatDelivery) -> HostFuture<'a, TurnId>;

    /// Starts a durable task for the call or task `parent`. Completes when the task is on disk; in a starter it may
    /// complete before.
    fn start_durable_task(self: Arc<Self>, parent: Context, task: DurableRequest) -> HostFuture<'static, TaskId>;

    /// Stores a step of an attempt. Repeats the write until it is stored, or the attempt has no right to it.
    fn store_step(self: Arc<Self>, origin: &Origin, step: NewStep) -> HostFuture<'static, ()>;

    /// Stores a step of an attempt together with documents and files of its user, as [`Host::store_step`]. Returns the row, whose
    /// log names the documents.
    fn store_step_with_documents(
        self: Arc<Self>,
        origin: &Origin,
        step: NewStep,
        changes: Vec<DocumentChange>,
        files: Vec<FileChange>,
    ) -> HostFuture<'static, NewStep>;

    /// Writes documents of the work's user. Completes when they are on disk.
    fn write_documents<'a>(
        &'a self,
        origin: &'a Origin,
        writes: Vec<DocumentWrite>,
    ) -> HostFuture<'a, DocumentsWritten>;

    /// The documents of the work's user with these ids. Missing ones are left out.
    fn read_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        ids: Vec<String>,
    ) -> HostFuture<'a, Vec<StoredDocument>>;

    /// Documents of the work's user by their keys, and those that are keyed under other indexes.
    fn find_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
        size: PageSize,
        others: PageSize,
    ) -> HostFuture<'a, FoundDocuments>;

    /// How many documents of the work's user have keys in the range.
    fn count_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
    ) -> HostFuture<'a, u64>;

    /// Gives documents of the work's user the keys of other indexes; how many.
    fn rekey_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> HostFuture<'a, u64>;

    /// Writes a file of the work's user. Completes when it is durable.
    fn put_file(self: Arc<Self>, origin: &Origin, put: FilePut) -> HostFuture<'_, FileRef>;

    /// A file of the work's user and extension.
    fn find_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, Option<FileRef>>;

    /// Files of the work's user and extension, the latest first, from after one on.
    fn list_files<'a>(&'a self, origin: &'a Origin, after: Option<FileId>, limit: u32) -> HostFuture<'a, Vec<FileRef>>;

    /// The bytes of a file that was found for this work.
    fn read_file<'a>(&'a self, origin: &'a Origin, file: FileRef) -> HostFuture<'a, FileBytes>;

    /// Deletes a file of the work's user and extension. Returns whether it existed.
    fn delete_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, bool>;

    /// Deletes files that a failed step wrote.
    fn discard_files<'a>(
        &'a self,
        origin: &'a Origin,
        ids: Vec<FileId>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// The value of a stored step, however large.
    fn step_value<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>>;

    /// Asks the user a question, once the call that started the task has its reply. Repeats the write until it is
    /// stored, or the attempt has no right to it.
    fn ask_question<'a>(&'a self, origin: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question>;

    /// Notes a type of answers, by its schema: an answer that it does not take is refused when it is given.
    fn note_answer_type(&self, schema: &str, check: AnswerCheck);

    /// The schema of the task's question with this number, as it was asked.
    fn question_schema<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<Value>>;

    /// Closes a question of the task, unless it is closed. Returns it as it is then.
    fn close_question<'a>(
        &'a self,
        origin: &'a Origin,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> HostFuture<'a, Question>;

    /// A question of the task.
    fn find_question<'a>(&'a self, origin: &'a Origin, question_id: QuestionId) -> HostFuture<'a, Question>;

    /// Whether another node may have taken the work over, because this one was out of reach or frozen.
    fn may_be_taken_over(&self, origin: &Origin) -> bool;

    /// Takes a fault in the body of a durable task that an interruption would show. Waits for nothing.
    fn note_hazard(&self, origin: &Origin, hazard: Hazard);

    /// Notes a hazard for each of these texts of a step's value that is the path of a local file. Reads no file.
    fn check_paths<'a>(
        &'a self,
        origin: &'a Origin,
        step: &'a str,
        paths: Vec<PathText>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// Takes the steps of an attempt, for watchers. Waits for nothing.
    fn report_steps(&self, origin: &Origin, attempt: Attempt, steps: StepsSoFar);

    /// The value of a secret, for the work's user.
    ///
    /// # Errors
    /// `SECRET_MISSING`.
    fn secret<'a>(&'a self, origin: &'a Origin, secret: Secret) -> HostFuture<'a, Zeroizing<String>>;

    /// Stores a secret of the work's user, or removes it. Returns whether that changed anything.
    fn write_secret<'a>(
        &'a self,
        origin: &'a Origin,
        secret: Secret,
        value: Option<Zeroizing<String>>,
    ) -> HostFuture<'a, bool>;

    /// Changes a schedule of the work's extension and user. Returns whether there is one.
    fn change_schedule<'a>(&'a self, origin: &'a Origin, change: ScheduleChange) -> HostFuture<'a, bool>;

    /// The functions that a model may be offered.
    fn offered_functions(&self) -> Arc<[OfferedFunction]>;

    /// The latest turns of the work's user, in order.
    fn latest_turns<'a>(&'a self, origin: &'a Origin, limit: u32) -> HostFuture<'a, Vec<Turn>>;

    /// Counts a request to the assistant's model.
    fn note_model(&self, note: ModelNote);

    /// Runs a function that a model wants, as a call of the work's user, or says that it needs an approval. Dropped after
    /// a cancel of `parent`, it stops the call too.
    fn call_tool(self: Arc<Self>, parent: Context, call: ToolCall) -> HostFuture<'static, ToolAnswer>;
}
