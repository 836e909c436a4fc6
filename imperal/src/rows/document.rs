//! Documents: where they are, how they are written, and as they are stored.
//!
//! A document is a JSON text with an id, in a collection of one extension and one owner. Its program makes the keys
//! under which indexes find it ([`super::document_key`]); a ledger stores and compares bytes.

use std::time::Duration;

use jiff::Timestamp;

use super::{Fence, NewAudit, Owner};

/// A collection of an owner's extension: every read names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DocumentSpace {
    /// The owner of the documents.
    pub owner: Owner,
    /// The extension that they belong to.
    pub app_id: String,
    /// The name of the collection within the extension.
    pub collection: String,
}

impl DocumentSpace {
    /// A space from its names.
    pub fn new(owner: Owner, app_id: impl Into<String>, collection: impl Into<String>) -> Self {
        Self { owner, app_id: app_id.into(), collection: collection.into() }
    }
}

/// A document to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDocument {
    /// The JSON text, which comes back as it was written.
    pub body: String,
    /// The version of the type that wrote it.
    pub shape: u32,
    /// The number of the indexes under which the program keyed it: documents with the same number have keys in the same
    /// indexes. 0 for one without keys.
    pub index_set: i64,
    /// For each index of the set its number and the key, which ends with the document's id.
    pub keys: Vec<(i64, Vec<u8>)>,
    /// Until when it is kept.
    pub expiry: Expiry,
}

impl NewDocument {
    /// A document without indexes that is kept until it is deleted.
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), shape: 0, index_set: 0, keys: Vec::new(), expiry: Expiry::Never }
    }

    /// Sets the version of the type.
    #[must_use]
    pub fn shape(self, shape: u32) -> Self {
        Self { shape, ..self }
    }

    /// Sets the indexes and the keys.
    #[must_use]
    pub fn keyed(self, index_set: i64, keys: Vec<(i64, Vec<u8>)>) -> Self {
        Self { index_set, keys, ..self }
    }

    /// Sets until when it is kept.
    #[must_use]
    pub fn expiry(self, expiry: Expiry) -> Self {
        Self { expiry, ..self }
    }
}

/// Until when a document is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Until it is deleted.
    Never,
    /// As the document that it replaces; a new one until it is deleted.
    Keep,
    /// For this long, by the ledger's clock.
    In(Duration),
}

/// The condition of a write: the document that is stored under the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Anything or nothing.
    Any,
    /// No document.
    Absent,
    /// The document in this version.
    Version(u64),
}

/// One document to be written or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentWrite {
    /// The name of its collection.
    pub collection: String,
    /// Its id.
    pub id: String,
    /// The condition of the write.
    pub expected: Expected,
    /// The condition of a repetition because the outcome is unknown: another writer may have
    /// changed the document since. `None`: as for the first try.
    pub when_repeated: Option<Expected>,
    /// `None` deletes it.
    pub document: Option<NewDocument>,
}

impl DocumentWrite {
    /// A write of a document, whatever is stored there.
    pub fn put(collection: impl Into<String>, id: impl Into<String>, document: NewDocument) -> Self {
        let (collection, id) = (collection.into(), id.into());
        Self { collection, id, expected: Expected::Any, when_repeated: None, document: Some(document) }
    }

    /// A removal of a document, if there is one.
    pub fn delete(collection: impl Into<String>, id: impl Into<String>) -> Self {
        let (collection, id) = (collection.into(), id.into());
        Self { collection, id, expected: Expected::Any, when_repeated: None, document: None }
    }

    /// Sets what must be stored there.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// Sets what must be stored there if the write is repeated because its outcome is unknown.
    #[must_use]
    pub fn when_repeated(self, expected: Option<Expected>) -> Self {
        Self { when_repeated: expected, ..self }
    }

    /// The write for another try after an unknown outcome.
    pub(crate) fn repeated(self) -> Self {
        Self { expected: self.when_repeated.unwrap_or(self.expected), ..self }
    }
}

/// The most that an owner's documents of one extension may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentLimits {
    /// Most documents.
    pub documents: u64,
    /// Most bytes of ids and bodies.
    pub bytes: u64,
}

impl DocumentLimits {
    /// No limit.
    pub const NONE: Self = Self { documents: u64::MAX, bytes: u64::MAX };

    /// Limits from their numbers.
    pub const fn new(documents: u64, bytes: u64) -> Self {
        Self { documents, bytes }
    }
}

/// Documents to be written in one transaction: all of them or none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentWrites {
    /// The extension that they belong to.
    pub app_id: String,
    /// A number that is the caller's own for this request, so that a repeated request is recognised.
    pub request: i64,
    /// The writes, which happen in this order.
    pub writes: Vec<DocumentWrite>,
    /// The limits of the owner's documents of the extension after the write.
    pub limits: DocumentLimits,
}

impl DocumentWrites {
    /// Writes without a limit.
    pub fn new(app_id: impl Into<String>, request: i64, writes: Vec<DocumentWrite>) -> Self {
        Self { app_id: app_id.into(), request, writes, limits: DocumentLimits::NONE }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(self, limits: DocumentLimits) -> Self {
        Self { limits, ..self }
    }

    /// About how many bytes of content it writes.
    #[cfg(any(feature = "platform", feature = "postgres"))]
    pub(crate) fn bytes(&self) -> usize {
        let of_document =
            |new: &NewDocument| new.body.len() + new.keys.iter().map(|(_, key)| key.len() + 32).sum::<usize>();
        self.writes.iter().map(|write| write.id.len() + 64 + write.document.as_ref().map_or(0, of_document)).sum()
    }
}

/// The writer of documents.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DocumentSource {
    /// A call that has no reply, or an attempt of a task.
    Work(Fence),
    /// An operator; the audit row is written in the same transaction.
    Operator(NewAudit),
}

impl DocumentSource {
    /// Whether it may replace a document of a newer type. A program would drop the fields that it does not know.
    pub(crate) fn replaces_newer(&self) -> bool {
        matches!(self, Self::Operator(_))
    }
}

/// The outcome of a [`DocumentWrite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenDocument {
    /// The document's version from now on; 0 for one that was deleted. Versions of an owner's extension only grow, so
    /// that a document that was deleted and made again never has an earlier version.
    pub version: u64,
    /// Whether there was a document before. A repeated request does not know: it says that there was one.
    pub existed: bool,
}

impl WrittenDocument {
    /// From its parts, for backends.
    pub fn new(version: u64, existed: bool) -> Self {
        Self { version, existed }
    }
}

/// A stored document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredDocument {
    /// Its id.
    pub id: String,
    /// Its version, which grows with each write.
    pub version: u64,
    /// The version of the type that wrote it.
    pub shape: u32,
    /// The number of the indexes under which it is keyed.
    pub index_set: i64,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// From when on it is no longer there.
    pub expires_at: Option<Timestamp>,
    /// The JSON text. Damaged rows have a text that is no JSON.
    pub body: String,
    /// The key under which a query found it; empty if no index did.
    pub key: Vec<u8>,
}

impl StoredDocument {
    /// The bytes that count for limits.
    pub fn bytes(&self) -> u64 {
        (self.id.len() + self.body.len()) as u64
    }
}

/// An owner's collection, with the number and the bytes of its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionUse {
    /// The extension.
    pub app_id: String,
    /// The collection.
    pub collection: String,
    /// Its documents, expired ones included until they are removed.
    pub documents: u64,
    /// Bytes of their ids and bodies.
    pub bytes: u64,
}

impl CollectionUse {
    /// From its parts, for backends.
    pub fn new(app_id: String, collection: String, documents: u64, bytes: u64) -> Self {
        Self { app_id, collection, documents, bytes }
    }
}

/// Which document a write was refused for, and what is stored there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentConflict {
    /// The place of the refused write, from 0.
    pub place: usize,
    /// The version that is stored; 0 if there is no document.
    pub found: u64,
    /// The shape of the stored document, if it is as expected and of a newer type than the write.
    pub newer: Option<u32>,
}

impl DocumentConflict {
    /// From its parts, for backends.
    pub fn new(place: usize, found: u64) -> Self {
        Self { place, found, newer: None }
    }

    /// Sets the shape of a document that is too new to be replaced.
    #[must_use]
    pub fn newer(self, shape: Option<u32>) -> Self {
        Self { newer: shape, ..self }
    }
}
