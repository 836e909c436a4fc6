//! Files: rows about bytes that are stored elsewhere.

use std::future::Future;

use super::LedgerResult;
use crate::ids::FileId;
use crate::ledger::{
    Attempt, DocumentWrites, FileChange, FileContent, FileRemoval, FileSource, Incarnation, NewCall, NewFile, NewStep,
    Owner, StoredFile, SweptFiles, Turn, WrittenDocument,
};

/// Files of users. Used by handlers and steps, which write for the owner of their work, by the user's uploads, and by
/// the sweep.
///
/// **Order.** The row comes first, pending; then the bytes, under the file's id; then the row is completed. So all
/// bytes that were ever written have a row, and removing rows removes all bytes.
///
/// **States.** A file is pending until [`Files::complete_file`] stores it, or the step that wrote it, or the call that
/// has it as a parameter. Only then is it kept. A deleted file is not there any more; its row stays for 24 hours after,
/// and its bytes with it, so that a copy of the ledger that is restored still finds them.
///
/// **Limits.** All files of an owner and an extension count, pending ones included, deleted ones not. A backend keeps
/// their number and their bytes, and changes these totals in the transaction that begins, completes or deletes a file, the
/// sweep's included. Writers of one owner and extension take turns, and so the limits hold exactly. A write that makes the
/// files or their bytes more, over a limit, is refused.
///
/// **Owners.** No method but the sweep reaches a file of another owner: it does not exist for others.
///
/// **Time.** A file whose time is over is not there. The sweep removes it; until then it counts for the limits.
pub trait Files: Send + Sync {
    /// Writes the row of a pending file.
    ///
    /// # Errors
    /// Of work: `Fenced`; `NotFound`, also for work of another owner; `NotHolder`; `AlreadyReplied`, `AlreadyEnded`. Of
    /// an upload: `Fenced`. `IdExists`; `TooManyFiles`, `TooManyFileBytes`.
    fn begin_file(
        &self,
        owner: &Owner,
        source: FileSource,
        file: NewFile,
    ) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Notes the content of a pending file, whose bytes are durable. Doing it again is no error. Returns the file.
    ///
    /// # Errors
    /// As [`Files::begin_file`]; `FileMissing` for a file that does not exist, was deleted, or that another incarnation
    /// began.
    fn complete_file(
        &self,
        owner: &Owner,
        source: FileSource,
        content: FileContent,
    ) -> impl Future<Output = LedgerResult<StoredFile>> + Send;

    /// [`Calls::accept_call`](super::Calls::accept_call), and the files of the call's owner and extension with these
    /// ids are stored: both or neither.
    ///
    /// # Errors
    /// Those of `accept_call`, then `FileMissing` with the first file that has no content or is not there.
    fn accept_call_with_files(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        files: Vec<FileId>,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// [`Documents::store_step_with_documents`](super::Documents::store_step_with_documents), and changes of files of
    /// the task's owner and the documents' extension: all or nothing.
    ///
    /// # Errors
    /// Those of `store_step_with_documents`, then `FileMissing` with the first file to store that has no content or is
    /// not there.
    fn store_step_with_files(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: DocumentWrites,
        files: Vec<FileChange>,
    ) -> impl Future<Output = LedgerResult<Vec<WrittenDocument>>> + Send;

    /// Deletes a file, and returns whether it did. If not, it writes no audit row.
    ///
    /// # Errors
    /// With a fence: as work in [`Files::begin_file`].
    fn delete_file(
        &self,
        owner: &Owner,
        removal: FileRemoval,
        file_id: FileId,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// The owner's files among these ids, in any order, pending ones included. Deleted and expired ones are left out.
    fn find_files(&self, owner: &Owner, ids: &[FileId]) -> impl Future<Output = LedgerResult<Vec<StoredFile>>> + Send;

    /// The owner's files that have content, the latest first, of one extension or of all: those from before a file on,
    /// at most `limit`.
    fn files(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: u32,
    ) -> impl Future<Output = LedgerResult<Vec<StoredFile>>> + Send;

    /// Deletes files of all owners that have expired, and pending ones that are older than 24 hours, unless the attempt
    /// that began them still runs. Returns files that were deleted 24 hours ago or earlier. Each about `limit` at most.
    fn sweep_files(&self, limit: u32) -> impl Future<Output = LedgerResult<SweptFiles>> + Send;

    /// Removes the rows of files that were deleted 24 hours ago or earlier, whose bytes are gone. How many.
    fn forget_files(&self, ids: &[FileId]) -> impl Future<Output = LedgerResult<u64>> + Send;
}
