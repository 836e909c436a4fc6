//! A user's files: uploads, lists, bytes, deletes. A file of another user does not exist here.

use std::fmt;
#[cfg(feature = "platform")]
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Access;
use crate::codes;
use crate::context::{FileBytes, FilePut};
use crate::error::Error;
#[cfg(feature = "platform")]
use crate::files::BlobStream;
use crate::files::{FileRef, check_name};
use crate::function::Extension;
use crate::ids::FileId;
use crate::ledger::{AuditOutcome, FileRemoval, FileState, StoredFile};
use crate::platform::files::{file_ref, has_content};
use crate::platform::ledger_errors::file_error;
use crate::result::Result;

/// Most files of a page.
const PAGE: u32 = 1000;

/// A file to be uploaded.
#[must_use = "nothing is uploaded before `Access::upload_file`"]
pub struct Upload {
    app_id: String,
    name: String,
    content_type: Option<String>,
    keep_for: Option<Duration>,
    size: Option<u64>,
    content: FileBytes,
}

impl Upload {
    /// A file of these bytes for an extension.
    pub fn new(app_id: impl Into<String>, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Self::of_stream(app_id, name, stream::once(std::future::ready(Ok(bytes)))).size(Some(size))
    }

    /// A file of the bytes of a stream.
    pub fn of_stream(
        app_id: impl Into<String>,
        name: impl Into<String>,
        content: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Self {
        let (app_id, name) = (app_id.into(), name.into());
        Self { app_id, name, content_type: None, keep_for: None, size: None, content: content.boxed() }
    }

    /// The type of the content. Guessed from the first bytes without it.
    pub fn content_type(self, content_type: Option<String>) -> Self {
        Self { content_type, ..self }
    }

    /// How long the file is kept; `None` until it is deleted.
    pub fn expires_in(self, time: Option<Duration>) -> Self {
        Self { keep_for: time, ..self }
    }

    /// The size, if it is known: a file that is too large is refused before its bytes are read.
    pub fn size(self, size: Option<u64>) -> Self {
        Self { size, ..self }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("app_id", &self.app_id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is known of a user's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct FileInfo {
    /// The file, as results have it.
    #[serde(flatten)]
    pub file: FileRef,
    /// The extension that it belongs to.
    pub app_id: String,
    /// `pending` until a call claims it, then `stored`.
    pub state: String,
    /// When it was uploaded or written.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// From when on it is no longer there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
}

impl From<&StoredFile> for FileInfo {
    fn from(file: &StoredFile) -> Self {
        let state = if file.state == FileState::Pending { FileState::Pending } else { FileState::Stored };
        Self {
            file: file_ref(file),
            app_id: file.app_id.clone(),
            state: state.to_string(),
            created_at: file.created_at,
            expires_at: file.expires_at,
        }
    }
}

/// A page of a user's files, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct FilePage {
    /// The files.
    pub files: Vec<FileInfo>,
    /// After which file the next page begins; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next: Option<FileId>,
}

impl Access {
    /// Uploads a file of the user for an extension. It is pending, and removed after 24 hours, unless a call that has it
    /// as a parameter is accepted.
    ///
    /// # Errors
    /// `UNKNOWN_TOOL`; `MALFORMED_REQUEST` for a name that is no name of a file; `FILE_TOO_LARGE`; `FILES_EXCEEDED`;
    /// `RATE_LIMITED` when this node or the user has as many uploads at work as it may; `UNAVAILABLE`; the errors of the
    /// stream.
    pub async fn upload_file(&self, upload: Upload) -> Result<FileRef> {
        let Upload { app_id, name, content_type, keep_for, size, content } = upload;
        let registry = self.platform.registry();
        if registry.extension(&app_id).is_none() {
            let known: Vec<_> = registry.extensions().map(Extension::app_id).collect();
            let text = format!("There is no extension `{app_id}` here; there is {}.", known.join(", "));
            return Err(Error::user(codes::UNKNOWN_TOOL, text));
        }
        check_name(&name).map_err(|why| Error::user(codes::MALFORMED_REQUEST, format!("{why}.")))?;
        let put = FilePut { name, content_type, keep_for, size, is_stored: false, content };
        let node = self.platform.node.clone();
        node.upload_file_of(&self.owner, &app_id, put).await.map(|file| file_ref(&file))
    }

    /// One of the user's files.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for another user's; `UNAVAILABLE` when the ledger cannot be read.
    pub async fn file(&self, file_id: FileId) -> Result<FileInfo> {
        self.stored_file(file_id).await.map(|file| FileInfo::from(&file))
    }

    async fn stored_file(&self, file_id: FileId) -> Result<StoredFile> {
        let found = {
            let _permit = self.read_permit().await;
            self.platform.node.find_file_of(&self.owner, None, file_id).await?
        };
        found.ok_or_else(|| Self::no_file(file_id))
    }

    fn no_file(file_id: FileId) -> Error {
        Error::user(codes::NOT_FOUND, format!("There is no file {file_id}. It may have been deleted or have expired."))
    }

    /// The user's files, the latest first, of one extension or of all: those after a file, at most 1,000.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read.
    pub async fn files(&self, app_id: Option<&str>, after: Option<FileId>, limit: u32) -> Result<FilePage> {
        let limit = limit.clamp(1, PAGE);
        let found = {
            let _permit = self.read_permit().await;
            self.platform.node.list_files_of(&self.owner, app_id, after, limit).await?
        };
        let is_full = found.len() >= limit as usize;
        let next = found.last().filter(|_| is_full).map(|file| file.file_id);
        Ok(FilePage { files: found.iter().map(FileInfo::from).collect(), next })
    }

    /// The bytes of a range of one of the user's files; the caller has read how many it has.
    ///
    /// # Errors
    /// As [`Access::file`]; `FILE_UNREADABLE` if its bytes are gone.
    #[cfg(feature = "platform")]
    pub(crate) async fn file_bytes(&self, file_id: FileId, range: Range<u64>) -> Result<BlobStream> {
        let file = self.stored_file(file_id).await?;
        has_content(&file)?;
        self.platform.node.open_file(file_id, range).await
    }

    /// All bytes of one of the user's files.
    ///
    /// # Errors
    /// As [`Access::file`]. The end of the stream is an error if they are damaged.
    pub async fn read_file(&self, file_id: FileId) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let file = self.stored_file(file_id).await?;
        has_content(&file)?;
        self.platform.node.read_file_of(file_ref(&file)).await
    }

    /// Deletes one of the user's files, with an audit row. Returns whether it existed. Its bytes are removed a day later.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot write.
    pub async fn delete_file(&self, file_id: FileId) -> Result<bool> {
        let audit = self.audit_row("file.delete", file_id.to_string(), AuditOutcome::Done);
        let removal = FileRemoval::new(None, Some(audit));
        let deleted = self.ledger().delete_file(&self.owner, removal, file_id).await;
        deleted.map_err(|error| file_error(&error))
    }
}
