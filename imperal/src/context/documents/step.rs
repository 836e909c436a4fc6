//! The documents of one run of a step: what it read, and its writes, which become visible with the step.
//!
//! All changes of a document are one write. It expects the version that the step read first, if the step decided by it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::change::{Change, ChangeKind, STEP_BYTES, not_found, patched, step_is_full};
use super::stored::overlaid;
use crate::result::Result;
use crate::rows::{Expected, Expiry, NewDocument};
use crate::sync::Mutex;

/// Most documents that a step writes.
pub(super) const DOCUMENTS: usize = 256;

/// In the version of a document that a step has written and not stored: no stored one has it.
const UNSTORED: u64 = 1 << 63;

/// A document within its extension.
type Place = (&'static str, String);

/// The documents that a step has read and writes.
#[derive(Debug, Default)]
pub(crate) struct StepDocuments(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The first version that the step read of each document; 0 for none.
    read: HashMap<Place, u64>,
    /// In the order in which each document was first written.
    changes: Vec<Own>,
    /// Where a document's change is.
    places: HashMap<Place, usize>,
    /// Of all changes.
    bytes: usize,
}

/// A step's own change of a document.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) change: Arc<Change>,
    /// The document's version in the step: another one after each change.
    pub(super) version: u64,
}

impl Own {
    fn new(change: Change) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let version = UNSTORED | (LAST.fetch_add(1, Ordering::Relaxed) + 1);
        Self { change: Arc::new(change), version }
    }
}

/// Whether a document has this version only in the step that has written it.
pub(super) fn is_unstored(version: u64) -> bool {
    version & UNSTORED != 0
}

impl StepDocuments {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the stored version that was read. Returns the first one that the step has read.
    pub(super) fn note_read(&self, collection: &'static str, id: &str, version: u64) -> u64 {
        self.with(|inner| *inner.read.entry((collection, id.to_owned())).or_insert(version))
    }

    /// The condition of the commit for a document that this step has read.
    pub(super) fn expected(&self, collection: &'static str, id: &str) -> Expected {
        match self.with(|inner| inner.read.get(&(collection, id.to_owned())).copied()) {
            None => Expected::Any,
            Some(0) => Expected::Absent,
            Some(version) => Expected::Version(version),
        }
    }

    /// The step's own change of a document.
    pub(super) fn own(&self, collection: &'static str, id: &str) -> Option<Own> {
        self.with(|inner| Some(inner.changes[*inner.places.get(&(collection, id.to_owned()))?].clone()))
    }

    /// The step's own changes in a collection.
    pub(super) fn own_in(&self, collection: &str) -> Vec<Own> {
        self.with(|inner| inner.changes.iter().filter(|own| own.change.schema.name == collection).cloned().collect())
    }

    /// All changes, to be written with the step.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let changes = self.with(|inner| inner.changes.clone());
        changes.into_iter().map(|own| Arc::unwrap_or_clone(own.change)).collect()
    }

    /// Adds a change to the step's earlier one of the same document.
    ///
    /// # Errors
    /// `DOCUMENTS_EXCEEDED` over the limits of a step; those of a patch of the step's own document.
    pub(super) fn add(&self, new: Change) -> Result<()> {
        let place = (new.schema.name, new.id.clone());
        self.with(|inner| {
            let at = inner.places.get(&place).copied();
            let (after, before) = match at {
                Some(at) => (joined(&inner.changes[at], new)?, inner.changes[at].change.bytes()),
                None => (new, 0),
            };
            let bytes = inner.bytes - before + after.bytes();
            if (at.is_none() && inner.changes.len() >= DOCUMENTS) || bytes > STEP_BYTES {
                return Err(step_is_full(DOCUMENTS));
            }
            inner.bytes = bytes;
            if let Some(at) = at {
                inner.changes[at] = Own::new(after);
            } else {
                inner.places.insert(place, inner.changes.len());
                inner.changes.push(Own::new(after));
            }
            Ok(())
        })
    }
}

/// Two changes of one document as one.
fn joined(own: &Own, second: Change) -> Result<Change> {
    let first = &*own.change;
    let kind = match (&first.kind, second.kind) {
        // What keeps the document's time keeps the one that the first change gave it.
        (_, ChangeKind::Put(new)) if new.expiry == Expiry::Keep => {
            ChangeKind::Put(NewDocument { expiry: first.expiry().unwrap_or(Expiry::Never), ..new })
        }
        (ChangeKind::Patch { fields: earlier, expiry: kept, .. }, ChangeKind::Patch { fields, expiry, bytes }) => {
            let mut all = earlier.clone();
            all.extend(fields);
            ChangeKind::Patch { fields: all, expiry: kept_or(expiry, *kept), bytes }
        }
        (ChangeKind::Put(new), ChangeKind::Patch { fields, expiry, .. }) => {
            let Some(stored) = overlaid(own, None)? else { return Err(not_found(&second.schema, &second.id)) };
            ChangeKind::Put(patched(&second.schema, &stored, &fields, kept_or(expiry, new.expiry))?)
        }
        (ChangeKind::Delete, ChangeKind::Patch { .. }) => return Err(not_found(&second.schema, &second.id)),
        (_, kind) => kind,
    };
    // The type with the greater shape knows all fields.
    let schema = if first.schema.shape > second.schema.shape { first.schema } else { second.schema };
    let expected = if first.expected == Expected::Any { second.expected } else { first.expected };
    Ok(Change { schema, id: second.id, expected, before: None, kind })
}

fn kept_or(expiry: Expiry, earlier: Expiry) -> Expiry {
    if expiry == Expiry::Keep { earlier } else { expiry }
}
