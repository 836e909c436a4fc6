//! Files: the row first, then the bytes, then the row again, for the user of the work and for no other.
//!
//! A write that does not come to its end leaves a pending row, which is deleted when the write is dropped, or a day later
//! by the sweep if the process has died.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::Node;
use super::ledger_errors::{file_error, mebibytes, unreadable};
use crate::codes;
use crate::context::{FileBytes, FilePut, Origin};
use crate::error::Error;
use crate::failpoint;
use crate::files::{BlobError, BlobStream, FileRef, HEAD, essence, guess};
use crate::ids::FileId;
use crate::ledger::{Fence, FileContent, FileLimits, FileRemoval, FileSource, LedgerError, NewFile, Owner, StoredFile};
use crate::result::Result;

/// Files that one step of the sweep looks at.
const SWEPT_AT_ONCE: u32 = 500;

/// Why a file was not written.
enum PutFault {
    Content(Error),
    Store(BlobError),
}

impl From<BlobError> for PutFault {
    fn from(error: BlobError) -> Self {
        Self::Store(error)
    }
}

/// Deletes the row of a file that was begun, unless it came to its end.
struct Unfinished {
    node: Arc<Node>,
    owner: Owner,
    file_id: Option<FileId>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(file_id) = self.file_id else { return };
        let (node, owner) = (self.node.clone(), self.owner.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move { node.discard_file(&owner, file_id).await }));
        }
    }
}

/// The error for a file that was not written. The ledger may refuse a node before the node knows that its lease has ended:
/// then a call or a task is over for this node, but an upload can be repeated.
fn write_error(source: &FileSource, error: &LedgerError) -> Error {
    match (source, error) {
        (FileSource::Upload(_), LedgerError::Fenced) => lost(),
        _ => file_error(error),
    }
}

fn lost() -> Error {
    Error::platform(codes::UNAVAILABLE, "The platform lost its ledger during the upload. Upload again.")
}

impl Node {
    fn file_limits(&self) -> FileLimits {
        FileLimits::new(self.settings.files_per_user, self.settings.file_bytes_per_user)
    }

    /// Deletes a file that nothing refers to. If that fails the sweep does it later.
    async fn discard_file(&self, owner: &Owner, file_id: FileId) {
        if let Err(error) = self.ledger.delete_file(owner, FileRemoval::default(), file_id).await {
            tracing::debug!(%error, %file_id, "an unfinished file is left to the sweep");
        }
    }

    /// Writes a file for a call or a task.
    pub(super) async fn put_file_of(self: Arc<Self>, origin: &Origin, put: FilePut) -> Result<FileRef> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let fence = Fence { incarnation: (*work.lease.incarnation).clone(), work: origin.work() };
        let permit = self.files.work.clone().acquire_owned().await;
        let owner = Owner::from(&origin.user);
        let put = self.clone().put_file(owner, origin.app_id, FileSource::Work(fence), put);
        let written = work.lease.lost.run_until_cancelled(put).await.unwrap_or_else(|| Err(Error::cancelled()));
        drop(permit);
        written.map(|file| file_ref(&file))
    }

    /// Writes a file for a user's upload. A call claims it later.
    pub(super) async fn upload_file_of(
        self: Arc<Self>,
        owner: &Owner,
        app_id: &str,
        put: FilePut,
    ) -> Result<StoredFile> {
        self.check_accepting()?;
        let permit = self.files.begin_upload(owner)?;
        let lease = self.lease();
        let source = FileSource::Upload((*lease.incarnation).clone());
        let put = self.clone().put_file(owner.clone(), app_id, source, put);
        let written = lease.lost.run_until_cancelled(put).await;
        drop(permit);
        written.unwrap_or_else(|| Err(lost()))
    }

    async fn put_file(
        self: Arc<Self>,
        owner: Owner,
        app_id: &str,
        source: FileSource,
        put: FilePut,
    ) -> Result<StoredFile> {
        let file_id = FileId::generate();
        let mut unfinished = Unfinished { node: self.clone(), owner: owner.clone(), file_id: Some(file_id) };
        let written = self.write_file(file_id, &owner, app_id, source, put).await;
        if written.is_err() {
            self.discard_file(&owner, file_id).await;
        }
        unfinished.file_id = None;
        written
    }

    async fn write_file(
        &self,
        file_id: FileId,
        owner: &Owner,
        app_id: &str,
        source: FileSource,
        put: FilePut,
    ) -> Result<StoredFile> {
        let blobs = self.files.blobs()?.clone();
        let most = self.settings.file_bytes;
        let too_large = || {
            Error::user(codes::FILE_TOO_LARGE, format!("A file has {} at most. Use a smaller one.", mebibytes(most)))
        };
        if put.size.is_some_and(|size| size > most) {
            return Err(too_large());
        }
        let FilePut { name, content_type, keep_for, size, is_stored, content } = put;
        let limits = self.file_limits();
        let new = NewFile::new(file_id, app_id, name).size(size.unwrap_or_default()).keep_for(keep_for).limits(limits);
        let begin = || self.ledger.begin_file(owner, source.clone(), new.clone());
        self.write_idempotent("a file", begin).await.map_err(|error| write_error(&source, &error))?;
        failpoint::hit("file-begun");
        let (mut head, mut seen) = (Vec::new(), 0_u64);
        let content = content.map_err(PutFault::Content).and_then(|bytes: Bytes| {
            seen += bytes.len() as u64;
            let more = HEAD.saturating_sub(head.len()).min(bytes.len());
            head.extend_from_slice(&bytes[..more]);
            std::future::ready(if seen > most { Err(PutFault::Content(too_large())) } else { Ok(bytes) })
        });
        let written = blobs.put(file_id, content).await.map_err(|fault| match fault {
            PutFault::Content(error) => error,
            PutFault::Store(error) => {
                self.meters.file_failed();
                store_error(&error)
            }
        })?;
        failpoint::hit("file-written");
        let content_type = content_type.as_deref().and_then(essence).unwrap_or_else(|| guess(&head).to_owned());
        let content = FileContent::new(file_id, content_type, written.size, written.sha256);
        let content = content.is_stored(is_stored).limits(limits);
        // The same again is no error, so a lost answer is found by asking again.
        let complete = || self.ledger.complete_file(owner, source.clone(), content.clone());
        let mut stored = complete().await;
        let mut backoff = super::durable_write::write_backoff();
        while let Err(LedgerError::Indeterminate(_)) = &stored {
            let wait = tokio::time::sleep(backoff.next_wait());
            if self.ended.run_until_cancelled(wait).await.is_none() {
                break;
            }
            stored = complete().await;
        }
        let stored = stored.map_err(|error| write_error(&source, &error))?;
        failpoint::hit("file-stored");
        self.meters.file_written(written.size);
        Ok(stored)
    }

    /// A file of an owner, of one extension or of any, that has content.
    pub(super) async fn find_file_of(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        file_id: FileId,
    ) -> Result<Option<StoredFile>> {
        let found = self.ledger.find_files(owner, &[file_id]).await.map_err(|error| unreadable(&error))?;
        let fits = |file: &StoredFile| {
            app_id.is_none_or(|app_id| file.app_id == app_id) && (file.sha256.is_some() || !is_pending(file))
        };
        Ok(found.into_iter().find(fits))
    }

    /// The files among these of an owner's extension that a parameter may name.
    pub(super) async fn param_files(&self, owner: &Owner, app_id: &str, ids: &[FileId]) -> Result<Vec<FileRef>> {
        self.usable_files(owner, app_id, ids).await.map_err(|error| unreadable(&error))
    }

    pub(super) async fn usable_files(
        &self,
        owner: &Owner,
        app_id: &str,
        ids: &[FileId],
    ) -> std::result::Result<Vec<FileRef>, LedgerError> {
        let found = self.ledger.find_files(owner, ids).await?;
        let usable = found.iter().filter(|file| file.app_id == app_id && file.sha256.is_some());
        Ok(usable.map(file_ref).collect())
    }

    pub(super) async fn list_files_of(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<StoredFile>> {
        self.ledger.files(owner, app_id, after, limit).await.map_err(|error| unreadable(&error))
    }

    pub(super) async fn delete_file_of(&self, origin: &Origin, file_id: FileId) -> Result<bool> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let owner = Owner::from(&origin.user);
        if self.find_file_of(&owner, Some(origin.app_id), file_id).await?.is_none() {
            return Ok(false);
        }
        let fence = Fence { incarnation: (*work.lease.incarnation).clone(), work: origin.work() };
        let removal = FileRemoval::new(Some(fence), None);
        let deleted = self.ledger.delete_file(&owner, removal, file_id).await;
        deleted.map_err(|error| file_error(&error))
    }

    /// Deletes the files that a failed step wrote.
    pub(super) async fn discard_files_of(&self, origin: &Origin, ids: Vec<FileId>) {
        for file_id in ids {
            self.discard_file(&Owner::from(&origin.user), file_id).await;
        }
    }

    /// The bytes of a range of a file.
    pub(super) async fn open_file(&self, file_id: FileId, range: Range<u64>) -> Result<BlobStream> {
        self.files.blobs()?.get(file_id, range).await.map_err(|error| {
            self.meters.file_failed();
            read_error(file_id, &error)
        })
    }

    /// All bytes of a file. The end of the stream is an error if they are not the ones that were written.
    pub(super) async fn read_file_of(&self, file: FileRef) -> Result<FileBytes> {
        let file_id = file.file_id;
        let stream = self.open_file(file_id, 0..file.size).await?;
        let mut hash = Some(Sha256::new());
        let checked = stream.map_err(move |error| read_error(file_id, &error)).map(Some);
        let checked = checked.chain(futures_util::stream::once(async { None })).filter_map(move |next| {
            let next = match next {
                Some(Ok(bytes)) => {
                    if let Some(hash) = &mut hash {
                        hash.update(&bytes);
                    }
                    Some(Ok(bytes))
                }
                Some(Err(error)) => {
                    hash = None;
                    Some(Err(error))
                }
                None => {
                    let found = hash.take().map(|hash| hash.finalize().into());
                    let is_damaged = found.is_some_and(|found: [u8; 32]| hex(&found) != file.sha256);
                    is_damaged.then(|| Err(damaged(file_id, "its bytes are not the ones that were written")))
                }
            };
            std::future::ready(next)
        });
        Ok(Box::pin(checked))
    }

    /// Deletes files that have expired or were never claimed, and removes the bytes of those that were deleted a day
    /// ago. Returns how many files are gone.
    pub(super) async fn sweep_files(&self) -> std::result::Result<u64, LedgerError> {
        let Ok(blobs) = self.files.blobs() else { return Ok(0) };
        let mut gone = 0;
        loop {
            let swept = self.ledger.sweep_files(SWEPT_AT_ONCE).await?;
            let mut removed = Vec::with_capacity(swept.due.len());
            for file_id in &swept.due {
                match blobs.delete(*file_id).await {
                    Ok(()) => removed.push(*file_id),
                    // Its row stays, so that the next pass tries again.
                    Err(error) => tracing::warn!(%error, %file_id, "the bytes of a deleted file were not removed"),
                }
            }
            if !removed.is_empty() {
                failpoint::hit("file-swept");
                let forgotten = self.ledger.forget_files(&removed).await?;
                self.meters.files_removed(forgotten);
                gone += forgotten;
            }
            // Files whose bytes could not be removed would come again.
            if removed.len() < swept.due.len() || swept.due.len() as u64 + swept.deleted < u64::from(SWEPT_AT_ONCE) {
                return Ok(gone);
            }
        }
    }
}

fn is_pending(file: &StoredFile) -> bool {
    file.state == crate::ledger::FileState::Pending
}

/// A file as results have it. A damaged hash is empty.
pub(super) fn file_ref(file: &StoredFile) -> FileRef {
    let StoredFile { file_id, name, content_type, size, sha256, .. } = file;
    let mut found = FileRef::new(*file_id, name.clone(), content_type.clone(), *size, &sha256.unwrap_or_default());
    if sha256.is_none() {
        found.sha256.clear();
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The error for bytes that could not be written. The log has the cause.
fn store_error(error: &BlobError) -> Error {
    tracing::error!(%error, "the bytes of a file could not be written");
    let text = if matches!(error, BlobError::Full(_)) {
        "The platform's disk for files is full. Nothing was stored; tell its operator."
    } else {
        "The platform cannot write files right now. Nothing was stored; try again."
    };
    Error::platform(codes::UNAVAILABLE, text).with_source(error.to_string())
}

/// The error for bytes that could not be read. The log has the cause.
pub(super) fn read_error(file_id: FileId, error: &BlobError) -> Error {
    if *error == BlobError::Gone {
        return damaged(file_id, "its bytes are gone from the store of files");
    }
    tracing::error!(%error, %file_id, "the bytes of a file could not be read");
    Error::platform(codes::UNAVAILABLE, "The platform cannot read its files right now. Nothing is lost; try again.")
        .with_source(error.to_string())
}

fn damaged(file_id: FileId, why: &str) -> Error {
    tracing::error!(%file_id, why, "a file is damaged");
    let text =
        format!("The file {file_id} cannot be read: its content is lost or damaged. Its operator may have a copy.");
    Error::platform(codes::FILE_UNREADABLE, text).with_source(why.to_owned())
}

/// The content of a stored file that must be there.
pub(super) fn has_content(file: &StoredFile) -> Result<()> {
    if file.sha256.is_some() { Ok(()) } else { Err(damaged(file.file_id, "its row is damaged: it has no hash")) }
}
