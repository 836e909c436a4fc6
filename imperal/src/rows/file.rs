//! Files of users: what a ledger stores about them. Their bytes are in a store of blobs, under the file's id.

use std::time::Duration;

use jiff::Timestamp;

use super::names::named;
use super::{Fence, Incarnation, NewAudit};
use crate::ids::FileId;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores a new state must not compile")]
pub enum FileState {
    /// Its bytes are being written, or nothing has claimed it yet.
    Pending,
    /// It belongs to its user until it is deleted or expires.
    Stored,
    /// It is deleted. Its bytes are removed later.
    Deleting,
}

named!(FileState, "state of a file", { Pending = "pending", Stored = "stored", Deleting = "deleting" });

/// The writer of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileSource {
    /// A call that has no reply, or an attempt of a task.
    Work(Fence),
    /// The file's owner, through a node. The caller has checked the person.
    Upload(Incarnation),
}

impl FileSource {
    /// The node that writes the bytes.
    pub fn incarnation(&self) -> &Incarnation {
        match self {
            Self::Work(fence) => &fence.incarnation,
            Self::Upload(incarnation) => incarnation,
        }
    }
}

/// The most that an owner's files of one extension may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileLimits {
    /// Most files.
    pub files: u64,
    /// Most bytes.
    pub bytes: u64,
}

impl FileLimits {
    /// No limit.
    pub const NONE: Self = Self { files: u64::MAX, bytes: u64::MAX };

    /// Limits from their numbers.
    pub const fn new(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }
}

/// A file whose bytes are written next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewFile {
    /// Its id, which also names its bytes.
    pub file_id: FileId,
    /// The extension that it belongs to.
    pub app_id: String,
    /// Its name, for people.
    pub name: String,
    /// The bytes that it will have at most, as far as they are known. They count for the limits.
    pub size: u64,
    /// How long it is kept; `None` until it is deleted.
    pub keep_for: Option<Duration>,
    /// The limits of the owner's files of the extension, this one included.
    pub limits: FileLimits,
}

impl NewFile {
    /// A file of unknown size that is kept until it is deleted, without limits.
    pub fn new(file_id: FileId, app_id: impl Into<String>, name: impl Into<String>) -> Self {
        let (app_id, name) = (app_id.into(), name.into());
        Self { file_id, app_id, name, size: 0, keep_for: None, limits: FileLimits::NONE }
    }

    /// Sets the size that is known before.
    #[must_use]
    pub fn size(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// Sets how long it is kept.
    #[must_use]
    pub fn keep_for(self, keep_for: Option<Duration>) -> Self {
        Self { keep_for, ..self }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(self, limits: FileLimits) -> Self {
        Self { limits, ..self }
    }
}

/// A file whose bytes are in the store of blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileContent {
    /// The file.
    pub file_id: FileId,
    /// The type of its content, for example `image/png`.
    pub content_type: String,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Whether it is stored from now on. Otherwise it is pending until a step or a call claims it.
    pub is_stored: bool,
    /// The limits of the owner's files of the extension, this one included.
    pub limits: FileLimits,
}

impl FileContent {
    /// The content of a pending file, without limits.
    pub fn new(file_id: FileId, content_type: impl Into<String>, size: u64, sha256: [u8; 32]) -> Self {
        let content_type = content_type.into();
        Self { file_id, content_type, size, sha256, is_stored: false, limits: FileLimits::NONE }
    }

    /// Sets whether the file is stored from now on.
    #[must_use]
    pub fn is_stored(self, is_stored: bool) -> Self {
        Self { is_stored, ..self }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(self, limits: FileLimits) -> Self {
        Self { limits, ..self }
    }
}

/// A change of a file that becomes true together with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileChange {
    /// A pending file of the step is stored.
    Store(FileId),
    /// A file is deleted, if it exists.
    Delete(FileId),
}

/// The right to delete a file, and its audit row.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FileRemoval {
    /// The work that deletes; `None` for a person, whose right the caller has checked.
    pub fence: Option<Fence>,
    /// The audit row.
    pub audit: Option<NewAudit>,
}

impl FileRemoval {
    /// A removal by work, or by a person.
    pub fn new(fence: Option<Fence>, audit: Option<NewAudit>) -> Self {
        Self { fence, audit }
    }
}

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredFile {
    /// Its id.
    pub file_id: FileId,
    /// The extension that it belongs to.
    pub app_id: String,
    /// How far it has come.
    pub state: FileState,
    /// Its name, for people.
    pub name: String,
    /// The type of its content.
    pub content_type: String,
    /// Its bytes; of a file whose bytes are being written, the ones that it will have at most.
    pub size: u64,
    /// The SHA-256 of its bytes; `None` while they are being written, and for a damaged row.
    pub sha256: Option<[u8; 32]>,
    /// When its row was written.
    pub created_at: Timestamp,
    /// From when on it is no longer there.
    pub expires_at: Option<Timestamp>,
}

/// The result of one step of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweptFiles {
    /// Files that were deleted now, because they expired or nothing claimed them.
    pub deleted: u64,
    /// Files whose bytes are to be removed now, and then their rows.
    pub due: Vec<FileId>,
}

impl SweptFiles {
    /// From its parts, for backends.
    pub fn new(deleted: u64, due: Vec<FileId>) -> Self {
        Self { deleted, due }
    }
}
