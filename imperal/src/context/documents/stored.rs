//! A stored document as a program reads it: with its step's own change, and in the shape of its type.

use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};

#[cfg(feature = "testing")]
use super::Collection;
use super::DocumentValue;
use super::change::{ChangeKind, patched};
use super::schema::Schema;
use super::step::Own;
use crate::json;
use crate::result::Result;
#[cfg(feature = "testing")]
use crate::result::storable;
#[cfg(feature = "testing")]
use crate::rows::DocumentWrite;
use crate::rows::{Expiry, NewDocument, StoredDocument};

/// A document with its value, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document<T> {
    /// Its id.
    pub id: String,
    /// Its value.
    pub value: T,
    /// Its version; [`Documents::save`](super::Documents::save) expects it. One that the same step has written has a version
    /// of its own until the step is stored.
    pub version: u64,
    /// When it was first written. That of a document that the same step has made is the time of the read.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// From when on it is no longer there.
    pub expires_at: Option<Timestamp>,
}

impl<T> Deref for Document<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A document with a step's change of it. `stored` is what the change keeps of the stored one.
pub(super) fn overlaid(own: &Own, stored: Option<StoredDocument>) -> Result<Option<StoredDocument>> {
    Ok(match (&own.change.kind, stored) {
        (ChangeKind::Delete, _) | (ChangeKind::Patch { .. }, None) => None,
        (ChangeKind::Put(new), stored) => Some(made(own, new.clone(), stored)),
        (ChangeKind::Patch { fields, expiry, .. }, Some(stored)) => {
            let new = patched(&own.change.schema, &stored, fields, *expiry)?;
            Some(made(own, new, Some(stored)))
        }
    })
}

/// The document as it will be stored, about.
fn made(own: &Own, new: NewDocument, stored: Option<StoredDocument>) -> StoredDocument {
    let now = Timestamp::now();
    let NewDocument { body, shape, index_set, expiry, .. } = new;
    let (created_at, kept_until) = stored.map_or((now, None), |stored| (stored.created_at, stored.expires_at));
    let expires_at = match expiry {
        Expiry::Never => None,
        Expiry::Keep => kept_until,
        Expiry::In(time) => {
            let until = SignedDuration::try_from(time).ok().and_then(|time| now.checked_add(time).ok());
            Some(until.unwrap_or(Timestamp::MAX))
        }
    };
    let (id, version, key) = (own.change.id.clone(), own.version, Vec::new());
    StoredDocument { id, version, shape, index_set, created_at, updated_at: now, expires_at, body, key }
}

/// The value of a stored document; else its id and why it does not fit.
pub(super) fn decode<T: DocumentValue>(
    schema: &Schema,
    stored: StoredDocument,
) -> std::result::Result<Document<T>, (String, String)> {
    let StoredDocument { id, version, shape, created_at, updated_at, expires_at, body, .. } = stored;
    let read = json::read(body.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|value| schema.current(shape, value))
        .and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()));
    match read {
        Ok(value) => Ok(Document { id, value, version, created_at, updated_at, expires_at }),
        Err(why) => Err((id, why)),
    }
}

/// For the test kit, which writes and reads as an operator does.
#[cfg(feature = "testing")]
impl<T: DocumentValue> Collection<T> {
    pub(crate) fn to_write(&self, id: &str, value: &T) -> std::result::Result<DocumentWrite, String> {
        let body = storable(value)?;
        let document = self.schema.document(id, &body, self.schema.shape, Expiry::Never);
        Ok(DocumentWrite::put(self.schema.name, id, document))
    }

    pub(crate) fn read(&self, stored: StoredDocument) -> std::result::Result<Document<T>, (String, String)> {
        decode(&self.schema, stored)
    }
}
