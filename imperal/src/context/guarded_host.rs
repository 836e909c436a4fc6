//! The host as contexts get it: nothing that a surface hands to the platform has a secret in it.
//!
//! Every surface reaches the platform through [`Host`], so each of its methods decides here what happens to a value
//! that the work has read: texts for people are written without it, and what others would read back is refused. How
//! work ends is decided by [`screen_ending`]. Log and traces have the same guard where they leave the process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::assistant::{ModelNote, OfferedFunction, ToolAnswer, ToolCall};
use super::background::TaskRequest;
use super::chat::ChatDelivery;
use super::durable::DurableRequest;
use super::files::{FileBytes, FilePut};
use super::hazard::{Hazard, PathText};
use super::progress::{ProgressMark, ReportPause};
use super::schedules::ScheduleChange;
use super::{AnswerCheck, Context, Host, HostFuture, Origin};
use super::{DocumentChange, DocumentsWritten};
use crate::codes;
use crate::error::{Error, RunningTask};
use crate::files::FileRef;
use crate::ids::{FileId, QuestionId, TaskId, TurnId};
use crate::result::{Result, WireResult};
use crate::rows::{
    Attempt, CloseQuestion, DocumentKeys, DocumentQuery, DocumentWrite, DraftPiece, FileChange, FoundDocuments,
    NewQuestion, NewStep, PageSize, Question, StepKind, StepsSoFar, StoredDocument, Turn,
};
use crate::secrets::{Secret, SecretsInUse};

/// A host behind the guard.
pub(crate) struct GuardedHost(Arc<dyn Host>);

impl GuardedHost {
    pub(crate) fn new(host: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self(host))
    }
}

fn refused<T: Send + 'static>(error: Error) -> HostFuture<'static, T> {
    Box::pin(std::future::ready(Err(error)))
}

impl Host for GuardedHost {
    fn start_task(self: Arc<Self>, parent: Context, task: TaskRequest) -> HostFuture<'static, TaskId> {
        match parent.origin().secrets.refuse("The key of a task", task.key.as_deref()) {
            Ok(()) => self.0.clone().start_task(parent, task),
            Err(error) => refused(error),
        }
    }

    fn running_task<'a>(&'a self, origin: &'a Origin, key: &'a str) -> HostFuture<'a, Option<RunningTask>> {
        self.0.running_task(origin, key)
    }

    fn report_progress(&self, origin: &Origin, mut mark: ProgressMark) {
        origin.secrets.screen(&mut mark.message);
        self.0.report_progress(origin, mark);
    }

    /// The surface has screened the whole text, since a value may come in two pieces.
    fn write_draft(&self, origin: &Origin, piece: DraftPiece) {
        if origin.secrets.name_in(&piece.text).is_none() {
            self.0.write_draft(origin, piece);
        }
    }

    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        self.0.pause_after_report(origin)
    }

    fn deliver_message<'a>(&'a self, origin: &'a Origin, delivery: ChatDelivery) -> HostFuture<'a, TurnId> {
        let key = delivery.step.as_ref().map(|step| step.key.as_str());
        let panels = delivery.refresh_panels.iter().flatten().map(String::as_str);
        match origin.secrets.refuse("A message", panels.chain([delivery.text.as_str()]).chain(key)) {
            Ok(()) => self.0.deliver_message(origin, delivery),
            Err(error) => refused(error),
        }
    }

    fn start_durable_task(self: Arc<Self>, parent: Context, task: DurableRequest) -> HostFuture<'static, TaskId> {
        let texts = [Some(task.input.as_str()), task.key.as_deref()];
        match parent.origin().secrets.refuse("The input or key of a task", texts.into_iter().flatten()) {
            Ok(()) => self.0.clone().start_durable_task(parent, task),
            Err(error) => refused(error),
        }
    }

    fn store_step(self: Arc<Self>, origin: &Origin, step: NewStep) -> HostFuture<'static, ()> {
        match guard_step(&origin.secrets, step) {
            Ok(step) => self.0.clone().store_step(origin, step),
            Err(error) => refused(error),
        }
    }

    fn store_step_with_documents(
        self: Arc<Self>,
        origin: &Origin,
        step: NewStep,
        changes: Vec<DocumentChange>,
        files: Vec<FileChange>,
    ) -> HostFuture<'static, NewStep> {
        let secrets = &origin.secrets;
        let guarded = guard_step(secrets, step).and_then(|step| {
            if !secrets.is_empty() {
                for change in &changes {
                    let (id, text) = change.written();
                    secrets.refuse("A document", [id, &*text])?;
                }
            }
            Ok(step)
        });
        match guarded {
            Ok(step) => self.0.clone().store_step_with_documents(origin, step, changes, files),
            Err(error) => refused(error),
        }
    }

    fn put_file(self: Arc<Self>, origin: &Origin, put: FilePut) -> HostFuture<'_, FileRef> {
        match origin.secrets.refuse("The name of a file", [put.name.as_str()]) {
            Ok(()) => self.0.clone().put_file(origin, put),
            Err(error) => refused(error),
        }
    }

    fn find_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, Option<FileRef>> {
        self.0.find_file(origin, file_id)
    }

    fn list_files<'a>(&'a self, origin: &'a Origin, after: Option<FileId>, limit: u32) -> HostFuture<'a, Vec<FileRef>> {
        self.0.list_files(origin, after, limit)
    }

    fn read_file<'a>(&'a self, origin: &'a Origin, file: FileRef) -> HostFuture<'a, FileBytes> {
        self.0.read_file(origin, file)
    }

    fn delete_file<'a>(&'a self, origin: &'a Origin, file_id: FileId) -> HostFuture<'a, bool> {
        self.0.delete_file(origin, file_id)
    }

    fn discard_files<'a>(
        &'a self,
        origin: &'a Origin,
        ids: Vec<FileId>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.0.discard_files(origin, ids)
    }

    fn write_documents<'a>(
        &'a self,
        origin: &'a Origin,
        writes: Vec<DocumentWrite>,
    ) -> HostFuture<'a, DocumentsWritten> {
        let texts = writes.iter().flat_map(|write| {
            let body = write.document.as_ref().map(|document| document.body.as_str());
            [Some(write.id.as_str()), body].into_iter().flatten()
        });
        match origin.secrets.refuse("A document", texts) {
            Ok(()) => self.0.write_documents(origin, writes),
            Err(error) => refused(error),
        }
    }

    fn read_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        ids: Vec<String>,
    ) -> HostFuture<'a, Vec<StoredDocument>> {
        self.0.read_documents(origin, collection, ids)
    }

    fn find_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
        size: PageSize,
        others: PageSize,
    ) -> HostFuture<'a, FoundDocuments> {
        self.0.find_documents(origin, collection, query, size, others)
    }

    fn count_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        query: DocumentQuery,
    ) -> HostFuture<'a, u64> {
        self.0.count_documents(origin, collection, query)
    }

    fn rekey_documents<'a>(
        &'a self,
        origin: &'a Origin,
        collection: &'static str,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> HostFuture<'a, u64> {
        self.0.rekey_documents(origin, collection, index_set, keys)
    }

    fn step_value<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>> {
        self.0.step_value(origin, ordinal)
    }

    fn ask_question<'a>(&'a self, origin: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question> {
        let NewQuestion { name, text, schema, fallback, .. } = &question;
        let texts = [name, text, schema].into_iter().chain(fallback).map(String::as_str);
        match origin.secrets.refuse("A question", texts) {
            Ok(()) => self.0.ask_question(origin, question),
            Err(error) => refused(error),
        }
    }

    fn note_answer_type(&self, schema: &str, check: AnswerCheck) {
        self.0.note_answer_type(schema, check);
    }

    fn question_schema<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<Value>> {
        self.0.question_schema(origin, ordinal)
    }

    fn close_question<'a>(
        &'a self,
        origin: &'a Origin,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> HostFuture<'a, Question> {
        self.0.close_question(origin, question_id, why)
    }

    fn find_question<'a>(&'a self, origin: &'a Origin, question_id: QuestionId) -> HostFuture<'a, Question> {
        self.0.find_question(origin, question_id)
    }

    fn may_be_taken_over(&self, origin: &Origin) -> bool {
        self.0.may_be_taken_over(origin)
    }

    fn note_hazard(&self, origin: &Origin, mut hazard: Hazard) {
        // The other hazards are about what is stored, where a value is refused.
        if let Hazard::Request { host, path, .. } = &mut hazard {
            origin.secrets.screen(host);
            origin.secrets.screen(path);
        }
        self.0.note_hazard(origin, hazard);
    }

    fn check_paths<'a>(
        &'a self,
        origin: &'a Origin,
        step: &'a str,
        paths: Vec<PathText>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.0.check_paths(origin, step, paths)
    }

    fn report_steps(&self, origin: &Origin, attempt: Attempt, mut steps: StepsSoFar) {
        if !origin.secrets.is_empty() {
            for step in &mut steps.current {
                origin.secrets.screen(&mut step.name);
                step.error.iter_mut().for_each(|error| origin.secrets.screen(error));
            }
        }
        self.0.report_steps(origin, attempt, steps);
    }

    fn secret<'a>(&'a self, origin: &'a Origin, secret: Secret) -> HostFuture<'a, Zeroizing<String>> {
        self.0.secret(origin, secret)
    }

    fn write_secret<'a>(
        &'a self,
        origin: &'a Origin,
        secret: Secret,
        value: Option<Zeroizing<String>>,
    ) -> HostFuture<'a, bool> {
        self.0.write_secret(origin, secret, value)
    }

    fn offered_functions(&self) -> Arc<[OfferedFunction]> {
        self.0.offered_functions()
    }

    fn latest_turns<'a>(&'a self, origin: &'a Origin, limit: u32) -> HostFuture<'a, Vec<Turn>> {
        self.0.latest_turns(origin, limit)
    }

    fn note_model(&self, note: ModelNote) {
        self.0.note_model(note);
    }

    fn call_tool(self: Arc<Self>, parent: Context, call: ToolCall) -> HostFuture<'static, ToolAnswer> {
        let params = call.params.to_string();
        match parent.origin().secrets.refuse("The parameters of a call", [params.as_str()]) {
            Ok(()) => self.0.clone().call_tool(parent, call),
            Err(error) => refused(error),
        }
    }

    fn change_schedule<'a>(&'a self, origin: &'a Origin, change: ScheduleChange) -> HostFuture<'a, bool> {
        match origin.secrets.refuse("A schedule", Some(change.text().as_str())) {
            Ok(()) => self.0.change_schedule(origin, change),
            Err(error) => refused(error),
        }
    }
}

/// A step without values: its log is written without them, its name and value are refused. Rows of effects are about
/// what has happened, so they are written in any case.
fn guard_step(secrets: &SecretsInUse, mut step: NewStep) -> Result<NewStep> {
    if secrets.is_empty() {
        return Ok(step);
    }
    if let Some(log) = &mut step.log {
        secrets.screen(log);
    }
    match step.kind {
        StepKind::Effect | StepKind::NotDone | StepKind::Intent => secrets.screen(&mut step.value),
        _ => secrets
            .refuse(&format!("The value of the step `{}`", secrets.replace(&step.name)), [step.value.as_str()])?,
    }
    secrets.refuse("The name of a step", [step.name.as_str()])?;
    Ok(step)
}

/// The end of work without values: a success with one in it is refused, an error is written without it.
///
/// # Errors
/// `SECRET_EXPOSED`; an error of the work itself, without values.
pub(crate) fn screen_ending(secrets: &SecretsInUse, answer: Result<Box<WireResult>>) -> Result<Box<WireResult>> {
    if secrets.is_empty() {
        return answer;
    }
    let answer = answer.map_err(|error| error.screened(|text| secrets.replace(text)))?;
    match name_in_answer(secrets, &answer) {
        None => Ok(answer),
        Some(name) if answer.is_success() => Err(SecretsInUse::exposed("The result", name)),
        Some(_) => {
            // Of an error only what people read is left.
            let code = answer.error_code.filter(|code| secrets.name_in(code.as_str()).is_none());
            let text = secrets.replace(answer.error.as_deref().unwrap_or_default());
            let code = code.unwrap_or(codes::EXT_UNSTRUCTURED_ERROR);
            Ok(Box::new(WireResult::failure(code, text, answer.retryable)))
        }
    }
}

/// The name of a secret whose value is in any part of an answer.
fn name_in_answer(secrets: &SecretsInUse, answer: &WireResult) -> Option<&'static str> {
    // All fields: a new one has to be decided on here.
    let WireResult {
        status: _,
        summary,
        data,
        error,
        error_code,
        retryable: _,
        ui,
        refresh_panels,
        undo,
        diff,
        action_receipt,
    } = answer;
    let code = error_code.as_ref().map(codes::ErrorCode::as_str);
    let texts = [Some(summary.as_str()), error.as_deref(), code].into_iter().flatten();
    let mut texts = texts.chain(refresh_panels.iter().flatten().map(String::as_str));
    let mut values = [Some(data), ui.as_ref(), undo.as_ref(), diff.as_ref(), action_receipt.as_ref()].into_iter();
    let found = texts.find_map(|text| secrets.name_in(text));
    found.or_else(|| values.find_map(|value| secrets.name_in_json(value?)))
}
