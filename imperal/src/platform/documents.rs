//! The documents of extensions: for the user of the work, and for no other.
//!
//! [`space`] is the only place that names an owner of documents. A write is repeated under one number until its outcome
//! is known.

use super::Node;
use super::active::ActiveWork;
use super::durable_write::write_backoff;
use super::ledger_errors::{file_error, mebibytes, unavailable, unreadable};
use crate::codes;
use crate::context::{DocumentChange, DocumentsWritten, Origin, log_with_documents, merge_again, to_writes};
use crate::error::Error;
use crate::failpoint;
use crate::ledger::{
    DocumentConflict, DocumentKeys, DocumentLimits, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite,
    DocumentWrites, Fence, FileChange, FoundDocuments, Fut, LedgerError, NewStep, Owner, PageLimit, StoredDocument,
    Work, WrittenDocument,
};
use crate::result::Result;
use crate::rows::PageSize;

/// A collection of the user whose work it is.
fn space(origin: &Origin, collection: &str) -> DocumentSpace {
    DocumentSpace::new(Owner::from(&origin.user), origin.app_id, collection)
}

fn limit(size: PageSize) -> PageLimit {
    PageLimit::rows(size.rows).bytes(size.bytes)
}

/// A number that no other request has.
pub(super) fn request_number() -> i64 {
    uuid::Uuid::new_v4().as_u64_pair().0.cast_signed()
}

impl Node {
    pub(super) fn document_limits(&self) -> DocumentLimits {
        DocumentLimits::new(self.settings.documents_per_user, self.settings.document_bytes_per_user)
    }

    fn document_request(&self, origin: &Origin, writes: Vec<DocumentWrite>) -> DocumentWrites {
        DocumentWrites::new(origin.app_id, request_number(), writes).limits(self.document_limits())
    }

    /// Writes documents for a call or a task. Repeats the write while its outcome is unknown; for a task also while the
    /// ledger does not answer.
    pub(super) async fn write_documents_of(
        &self,
        origin: &Origin,
        writes: Vec<DocumentWrite>,
    ) -> Result<DocumentsWritten> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let mut request = self.document_request(origin, writes);
        let owner = Owner::from(&origin.user);
        let fence = Fence { incarnation: (*work.lease.incarnation).clone(), work: origin.work() };
        let (mut backoff, mut is_unsure) = (write_backoff(), false);
        failpoint::hit("before-documents");
        loop {
            let source = DocumentSource::Work(fence.clone());
            let error = match self.ledger.write_documents(&owner, source, request.clone()).await {
                Ok(written) => {
                    failpoint::hit("after-documents");
                    return Ok(DocumentsWritten::Written(written));
                }
                Err(LedgerError::DocumentConflict(conflict)) if !is_unsure => {
                    return Ok(DocumentsWritten::Conflict(conflict));
                }
                Err(LedgerError::DocumentConflict(conflict)) => return after_unknown(&request, conflict),
                Err(error) => error,
            };
            let is_unknown = matches!(error, LedgerError::Indeterminate(_));
            if !error.is_failure() || !(is_unknown || is_unsure || origin.task_id.is_some()) {
                return Err(document_error(&error));
            }
            if is_unknown && !is_unsure {
                is_unsure = true;
                request.writes = request.writes.into_iter().map(DocumentWrite::repeated).collect();
            }
            if self.active.find(origin).is_none() {
                return Err(unavailable(&error));
            }
            let wait = backoff.next_wait();
            tracing::warn!(%error, retry_ms = wait.as_millis(), "documents are not written yet");
            tokio::select! {
                () = self.ended.cancelled() => return Err(unavailable(&error)),
                () = work.lease.lost.cancelled() => return Err(unavailable(&error)),
                () = tokio::time::sleep(wait) => {}
            }
            // The ledger is silent, not the work.
            work.ctx.signal().touch();
        }
    }

    /// Stores a step with documents, as [`Node::store_step_of`]. Returns the row, whose log names the documents.
    pub(super) async fn store_step_with_documents_of(
        &self,
        work: ActiveWork,
        step: NewStep,
        changes: Vec<DocumentChange>,
        files: Vec<FileChange>,
    ) -> Result<NewStep> {
        let origin = work.ctx.origin();
        let Work::Task(attempt) = origin.work() else { return Err(Error::cancelled()) };
        self.step_quota.take(&Owner::from(&origin.user), step.value.len() as u64, self.max_stored())?;
        let incarnation = work.lease.incarnation.clone();
        self.pause_before_step(origin, &work).await?;
        loop {
            let read = |collection, ids| self.read_documents_of(origin, collection, ids);
            let writes = to_writes(&changes, read).await?;
            let row = if writes.is_empty() {
                step.clone()
            } else {
                NewStep { log: Some(log_with_documents(step.log.as_deref(), &writes)), ..step.clone() }
            };
            let request = self.document_request(origin, writes);
            let store = || {
                let (row, request) = (row.clone(), request.clone());
                if files.is_empty() {
                    self.ledger.store_step_with_documents(&incarnation, attempt, row, request)
                } else {
                    self.ledger.store_step_with_files(&incarnation, attempt, row, request, files.clone())
                }
            };
            match self.insist(&work, "a step with documents", store).await {
                // The ordinal is this attempt's own: an earlier write of the same step was stored, with its documents.
                Ok(_) | Err(LedgerError::IdExists) => {
                    self.pause_after_step(origin, &work).await?;
                    return Ok(row);
                }
                Err(LedgerError::DocumentConflict(conflict)) => merge_again(&changes, conflict, true).await?,
                Err(error) if error.is_failure() && work.lease.lost.is_cancelled() => {
                    return Err(Error::cancelled().with_source(format!("the step was not stored: {error}")));
                }
                Err(error @ LedgerError::FileMissing(_)) => return Err(file_error(&error)),
                Err(error) => return Err(document_error(&error)),
            }
        }
    }

    /// Reads documents for some work. A task insists as long as it may write: it has time, and would fail otherwise.
    async fn read_for<'a, T>(&self, origin: &Origin, request: impl Fn() -> Fut<'a, T>) -> Result<T> {
        let work = self.active.find(origin).filter(|_| origin.task_id.is_some());
        let read = match &work {
            Some(work) => self.insist(work, "documents", request).await,
            None => request().await,
        };
        read.map_err(|error| unreadable(&error))
    }

    pub(super) async fn read_documents_of(
        &self,
        origin: &Origin,
        collection: &'static str,
        ids: Vec<String>,
    ) -> Result<Vec<StoredDocument>> {
        let space = space(origin, collection);
        self.read_for(origin, || self.ledger.documents(&space, &ids)).await
    }

    pub(super) async fn find_documents_of(
        &self,
        origin: &Origin,
        collection: &str,
        query: DocumentQuery,
        [size, others]: [PageSize; 2],
    ) -> Result<FoundDocuments> {
        let space = space(origin, collection);
        self.read_for(origin, || self.ledger.find_documents(&space, query.clone(), limit(size), limit(others))).await
    }

    pub(super) async fn count_documents_of(
        &self,
        origin: &Origin,
        collection: &str,
        query: DocumentQuery,
    ) -> Result<u64> {
        let space = space(origin, collection);
        self.read_for(origin, || self.ledger.count_documents(&space, query.clone())).await
    }

    pub(super) async fn rekey_documents_of(
        &self,
        origin: &Origin,
        collection: &str,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> Result<u64> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let fence = Fence { incarnation: (*work.lease.incarnation).clone(), work: origin.work() };
        let space = space(origin, collection);
        self.ledger.rekey_documents(&space, fence, index_set, keys).await.map_err(|error| document_error(&error))
    }
}

/// The answer to a repeated write that finds another document. Nothing there: the first try deleted it. Else the first
/// try may have been stored, and changed by another writer since.
fn after_unknown(request: &DocumentWrites, conflict: DocumentConflict) -> Result<DocumentsWritten> {
    if let [DocumentWrite { document: None, .. }] = &*request.writes
        && conflict.found == 0
    {
        return Ok(DocumentsWritten::Written(vec![WrittenDocument::new(0, true)]));
    }
    Err(unavailable(&LedgerError::Indeterminate("a document has changed since".to_owned())))
}

/// The error for documents that were not written.
pub(super) fn document_error(error: &LedgerError) -> Error {
    match error {
        LedgerError::TooManyDocuments(limit) => Error::user(
            codes::DOCUMENTS_EXCEEDED,
            format!("You have {limit} documents of this extension, which is the limit. Delete some first."),
        ),
        LedgerError::TooManyDocumentBytes(limit) => Error::user(
            codes::DOCUMENTS_EXCEEDED,
            format!("Your documents of this extension may have {} in all. Delete some first.", mebibytes(*limit)),
        ),
        error if error.is_failure() => unavailable(error),
        error => Error::cancelled().with_source(format!("the documents were not written: {error}")),
    }
}
