//! Changes of documents on their way to the ledger.
//!
//! A write merges a patch into the stored document, and repeats this if another write came between. So a patch never
//! conflicts. Bodies and keys are made here, on the thread of the work.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Schema;
use super::pauses::Pauses;
use crate::codes;
use crate::error::Error;
use crate::json;
use crate::result::Result;
use crate::rows::document_key::DOCUMENT_BYTES;
use crate::rows::{DocumentConflict, DocumentWrite, Expected, Expiry, NewDocument, StoredDocument, WrittenDocument};

/// Most bytes of the documents that a step writes.
pub(super) const STEP_BYTES: usize = 8 << 20;

/// The ledger's answer to writes of documents.
#[derive(Debug)]
pub(crate) enum DocumentsWritten {
    /// They are stored.
    Written(Vec<WrittenDocument>),
    /// Another document is stored than one of them expects; none is stored.
    Conflict(DocumentConflict),
}

/// A change of one document.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(super) schema: Schema,
    pub(super) id: String,
    pub(super) expected: Expected,
    /// The document before the write, for one that expects nothing and is repeated.
    pub(super) before: Option<Expected>,
    pub(super) kind: ChangeKind,
}

#[derive(Debug, Clone)]
pub(super) enum ChangeKind {
    /// The document in the shape of the change's schema.
    Put(NewDocument),
    Patch {
        fields: Map<String, Value>,
        expiry: Expiry,
        /// Bytes of the patched document when a step patched it.
        bytes: usize,
    },
    Delete,
}

impl ChangeKind {
    /// A document to be written.
    ///
    /// # Errors
    /// `DOCUMENT_TOO_LARGE`.
    pub(super) fn put(schema: &Schema, id: &str, body: &Value, expiry: Expiry) -> Result<Self> {
        let new = schema.document(id, body, schema.shape, expiry);
        check_size(schema, id, new.body.len())?;
        Ok(Self::Put(new))
    }
}

impl Change {
    /// How long the document stays; `None` for a deleted one.
    pub(super) fn expiry(&self) -> Option<Expiry> {
        match &self.kind {
            ChangeKind::Put(NewDocument { expiry, .. }) | ChangeKind::Patch { expiry, .. } => Some(*expiry),
            ChangeKind::Delete => None,
        }
    }

    /// Its id, and what it writes as JSON.
    pub(crate) fn written(&self) -> (&str, Cow<'_, str>) {
        let text = match &self.kind {
            ChangeKind::Put(new) => Cow::Borrowed(new.body.as_str()),
            ChangeKind::Patch { fields, .. } => Cow::Owned(Value::Object(fields.clone()).to_string()),
            ChangeKind::Delete => Cow::Borrowed(""),
        };
        (&self.id, text)
    }

    /// About the bytes that it writes.
    pub(super) fn bytes(&self) -> usize {
        match &self.kind {
            ChangeKind::Put(new) => new.body.len(),
            ChangeKind::Patch { bytes, .. } => *bytes,
            ChangeKind::Delete => 0,
        }
    }
}

/// What an error says of a document.
pub(super) fn of_document(schema: &Schema, id: &str, text: &str) -> String {
    format!("The document `{id}` of `{}` {text}", schema.name)
}

fn check_size(schema: &Schema, id: &str, bytes: usize) -> Result<()> {
    if bytes <= DOCUMENT_BYTES {
        return Ok(());
    }
    let text = format!("has {bytes} bytes as JSON, more than {DOCUMENT_BYTES}. Store large content elsewhere.");
    Err(Error::user(codes::DOCUMENT_TOO_LARGE, of_document(schema, id, &text)))
}

/// Over the limits of a step.
pub(super) fn step_is_full(documents: usize) -> Error {
    let text = format!("A step writes at most {documents} documents and {} MiB of them.", STEP_BYTES >> 20);
    Error::platform(codes::DOCUMENTS_EXCEEDED, text)
}

/// The writes of changes, as the ledger takes them. A patch is merged into the document as it is now.
///
/// # Errors
/// `NOT_FOUND` for a patch without its document; `DOCUMENT_TOO_LARGE`; `DOCUMENTS_EXCEEDED` for more than 8 MiB; those of
/// `read`.
pub(crate) async fn to_writes<R>(
    changes: &[Change],
    read: impl Fn(&'static str, Vec<String>) -> R,
) -> Result<Vec<DocumentWrite>>
where
    R: Future<Output = Result<Vec<StoredDocument>>>,
{
    let (mut writes, mut bytes, mut pauses) = (Vec::with_capacity(changes.len()), 0, Pauses::default());
    for change in changes {
        pauses.before(change.bytes()).await;
        let write = to_write(change, &read).await?;
        bytes += write.document.as_ref().map_or(0, |new| new.body.len());
        if bytes > STEP_BYTES {
            return Err(step_is_full(super::step::DOCUMENTS));
        }
        writes.push(write);
    }
    Ok(writes)
}

/// After a conflict: waits a moment before a patch is merged again.
///
/// # Errors
/// `DOCUMENT_CONFLICT`, `DOCUMENT_EXISTS` or `DOCUMENT_NEWER` for a change that cannot be merged. A step may run again, so it
/// gets no `DOCUMENT_EXISTS`: its own look at the document came before.
pub(crate) async fn merge_again(changes: &[Change], conflict: DocumentConflict, in_step: bool) -> Result<()> {
    let Some(change) = changes.get(conflict.place) else { return Err(Error::internal("a conflict of no document")) };
    if !matches!(change.kind, ChangeKind::Patch { .. }) || conflict.newer.is_some() {
        return Err(refused(change, conflict, in_step));
    }
    tokio::task::yield_now().await;
    Ok(())
}

fn refused(change: &Change, conflict: DocumentConflict, in_step: bool) -> Error {
    let Change { schema, id, .. } = change;
    match (conflict.newer, change.expected) {
        (Some(stored), _) => newer(schema, id, stored),
        (None, Expected::Absent) if conflict.found != 0 && !in_step => exists(schema, id),
        _ => conflicting(schema, id),
    }
}

pub(super) fn step_needed(schema: &Schema) -> Error {
    Error::platform(
        codes::STEP_NEEDED,
        format!(
            "A document of `{}` was written in a durable task outside of a step. The body runs again after a crash, and \
             an effect does not store documents: write in a step.",
            schema.name
        ),
    )
}

pub(super) fn conflicting(schema: &Schema, id: &str) -> Error {
    let text = "was changed by another writer meanwhile. Read it again and repeat the change.";
    Error::retryable(codes::DOCUMENT_CONFLICT, of_document(schema, id, text))
}

pub(super) fn exists(schema: &Schema, id: &str) -> Error {
    let text = "exists already. Choose another id, or use `put` to replace it.";
    Error::user(codes::DOCUMENT_EXISTS, of_document(schema, id, text))
}

/// An older program would drop the fields that it does not know.
pub(super) fn newer(schema: &Schema, id: &str, stored: u32) -> Error {
    let text = format!(
        "was written by a newer version of the program (shape {stored}, this one has {}). Use `patch`, or let the newer \
         version write it.",
        schema.shape
    );
    Error::retryable(codes::DOCUMENT_NEWER, of_document(schema, id, &text))
}

pub(super) fn not_found(schema: &Schema, id: &str) -> Error {
    Error::user(codes::NOT_FOUND, format!("There is no document `{id}` in `{}`.", schema.name))
}

async fn to_write<R: Future<Output = Result<Vec<StoredDocument>>>>(
    change: &Change,
    read: &impl Fn(&'static str, Vec<String>) -> R,
) -> Result<DocumentWrite> {
    let Change { schema, id, expected, before, kind } = change;
    let (document, expected) = match kind {
        ChangeKind::Delete => (None, *expected),
        ChangeKind::Put(new) => (Some(new.clone()), *expected),
        ChangeKind::Patch { fields, expiry, .. } => {
            let stored = read(schema.name, vec![id.clone()]).await?.pop().ok_or_else(|| not_found(schema, id))?;
            (Some(patched(schema, &stored, fields, *expiry)?), Expected::Version(stored.version))
        }
    };
    let write = match document {
        Some(document) => DocumentWrite::put(schema.name, id, document),
        None => DocumentWrite::delete(schema.name, id),
    };
    let before = before.filter(|_| expected == Expected::Any);
    Ok(write.expecting(expected).when_repeated(before))
}

/// The stored document with these fields. One of an older shape is upgraded first: else the next read would upgrade it,
/// and overwrite the patched field.
///
/// # Errors
/// `DOCUMENT_UNREADABLE` for one that is no object, or that the upgrade cannot read; `DOCUMENT_TOO_LARGE`; `INTERNAL` for
/// one that is nested too deep to be read again.
pub(super) fn patched(
    schema: &Schema,
    stored: &StoredDocument,
    fields: &Map<String, Value>,
    expiry: Expiry,
) -> Result<NewDocument> {
    let unreadable = |text: &str| Error::platform(codes::DOCUMENT_UNREADABLE, of_document(schema, &stored.id, text));
    let no_object = || unreadable("is no object, so no field of it can be patched.");
    let body: Value = json::read(stored.body.as_bytes()).map_err(|error| no_object().with_source(error.to_string()))?;
    let shape = if schema.upgrades(stored.shape) { schema.shape } else { stored.shape };
    let current = schema.current(stored.shape, body);
    let current = current.map_err(|why| unreadable(&format!("does not fit its type: {why}")))?;
    let Value::Object(mut body) = current else { return Err(no_object()) };
    body.extend(fields.clone());
    let body = Value::Object(body);
    if json::depth(&body) > json::DATA_DEPTH {
        json::discard(body);
        let text = format!("would be nested deeper than {} levels. Store it flatter, or as text.", json::DATA_DEPTH);
        return Err(Error::internal(of_document(schema, &stored.id, &text)));
    }
    let new = schema.document(&stored.id, &body, shape, expiry);
    check_size(schema, &stored.id, new.body.len())?;
    Ok(new)
}
