//! Documents: the state that extensions keep for their users.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{
    Attempt, CollectionUse, DocumentKeys, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrites, Fence,
    FoundDocuments, Incarnation, NewStep, Owner, PageLimit, StoredDocument, WrittenDocument,
};

/// Documents. Used by handlers and steps, which write for the owner of their work, and by operators.
///
/// A document belongs to an owner and an extension; no read or write reaches another owner's. It makes no event, and no
/// audit row unless an operator writes it.
///
/// **Versions.** Each write of a document gives it the next number of the owner's extension. So a version never comes
/// back, also after a document was deleted and made again.
///
/// **Writes.** The documents of one request are written in their order, all or none. Writers of one owner and
/// extension take turns, and so the limits hold exactly. A request is recognised by its number if any of its documents
/// still has it: it returns the versions and writes nothing.
///
/// **Limits.** A write that makes the documents or their bytes more, over a limit, is refused. One that makes them
/// fewer is not, whatever there was before.
///
/// **Keys.** A document is in the indexes under which its writer keyed it, and in those of keys that were added since.
/// Keys are compared as bytes. A document without a key in the asked index is no part of a query's own answer; it is
/// returned beside it. Documents with the same number of their indexes have keys in the same ones.
///
/// **Types.** Work does not replace a document whose shape is greater than that of the new one; an operator does. Each
/// may delete it.
///
/// **Time.** A document whose time is over is not there: it is not read, and a write finds no document. Retention
/// removes it; until then it counts for the limits.
pub trait Documents: Send + Sync {
    /// Writes documents for a call that has no reply, for an attempt that runs, or for an operator.
    ///
    /// # Errors
    /// Of work: `Fenced`; `NotFound`, also for work of another owner; `NotHolder`; `AlreadyReplied`, `AlreadyEnded`.
    /// `DocumentConflict` with the place of the first write that found another document than it expects, or one of a newer
    /// type;
    /// `TooManyDocuments`, `TooManyDocumentBytes`.
    fn write_documents(
        &self,
        owner: &Owner,
        source: DocumentSource,
        writes: DocumentWrites,
    ) -> impl Future<Output = LedgerResult<Vec<WrittenDocument>>> + Send;

    /// Stores a step of a running task together with documents of the task's owner: both or neither.
    ///
    /// # Errors
    /// Those of [`DurableTasks::store_step`](super::DurableTasks::store_step), then those of
    /// [`Documents::write_documents`].
    fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: DocumentWrites,
    ) -> impl Future<Output = LedgerResult<Vec<WrittenDocument>>> + Send;

    /// Adds the keys of a set of indexes to documents of this version that have this number of indexes. Nothing else of
    /// them changes, and other programs find them as before. A document with more than 24 keys then loses its earlier
    /// ones, unless it was keyed in the last 10 minutes: then it is skipped, so that programs do not undo each other's
    /// work. Returns how many it keyed.
    ///
    /// # Errors
    /// As those of work in [`Documents::write_documents`].
    fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: Fence,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// The documents with these ids, in any order, without those that are not there.
    fn documents(
        &self,
        space: &DocumentSpace,
        ids: &[String],
    ) -> impl Future<Output = LedgerResult<Vec<StoredDocument>>> + Send;

    /// A page of the documents whose keys are in the range, and documents without a key in the index, in the order of
    /// their ids, up to a limit of their own. Both are of one moment.
    fn find_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
        limit: PageLimit,
        others: PageLimit,
    ) -> impl Future<Output = LedgerResult<FoundDocuments>> + Send;

    /// How many documents have keys in the range. Documents without a key in the index are not counted.
    fn count_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
    ) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// The owner's collections that have documents, by extension and name; of one extension or of all.
    fn collections(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
    ) -> impl Future<Output = LedgerResult<Vec<CollectionUse>>> + Send;
}
