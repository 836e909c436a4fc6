//! The model of the documents of an owner: a map, and what a write does to it.

use std::collections::BTreeMap;

use imperal::ledger::{DocumentConflict, DocumentLimits, DocumentWrite, Expected, LedgerError, NewDocument};

pub(super) const LIMITS: DocumentLimits = DocumentLimits::new(6, 60);

/// What a write expects and does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Put,
    Insert,
    /// Expects the version that is stored.
    Known,
    /// Expects a version that no document has.
    Stale,
    Delete,
}

#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) id: u8,
    /// Values from 200 on are keyed under another index.
    pub(super) value: u8,
    pub(super) kind: Kind,
}

/// A stored document of the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) version: u64,
    pub(super) value: u8,
    pub(super) request: i64,
}

pub(super) type Rows = BTreeMap<u8, Row>;

pub(super) fn id(id: u8) -> String {
    format!("d{id}")
}

pub(super) fn body(value: u8) -> String {
    format!("{{\"v\":{value}}}")
}

/// The number of the index of a value, and of its set of indexes.
pub(super) fn index(value: u8) -> i64 {
    if value < 200 { 1 } else { 2 }
}

pub(super) fn key(value: u8, id: u8) -> Vec<u8> {
    [&[value], self::id(id).as_bytes()].concat()
}

pub(super) fn totals(rows: &Rows) -> (u64, u64) {
    let bytes = |(id, row): (&u8, &Row)| (self::id(*id).len() + body(row.value).len()) as u64;
    (rows.len() as u64, rows.iter().map(bytes).sum())
}

/// The writes as the ledger gets them: what they expect is chosen by what is stored before the request.
pub(super) fn as_writes(rows: &Rows, writes: &[Write]) -> Vec<DocumentWrite> {
    let one = |write: &Write| {
        let index = index(write.value);
        let new = NewDocument::new(body(write.value)).keyed(index, vec![(index, key(write.value, write.id))]);
        let stored = rows.get(&write.id).map(|row| row.version);
        let (document, expected) = match write.kind {
            Kind::Put => (Some(new), Expected::Any),
            Kind::Insert => (Some(new), Expected::Absent),
            Kind::Known => (Some(new), stored.map_or(Expected::Absent, Expected::Version)),
            Kind::Stale => (Some(new), Expected::Version(1_000_000)),
            Kind::Delete => (None, Expected::Any),
        };
        match document {
            Some(document) => DocumentWrite::put("things", id(write.id), document).expecting(expected),
            None => DocumentWrite::delete("things", id(write.id)),
        }
    };
    writes.iter().map(one).collect()
}

/// What the ledger has to answer, and the rows afterwards, whose new versions are unknown (0).
pub(super) fn predict(rows: &Rows, writes: &[(Write, DocumentWrite)], request: i64) -> Result<Rows, LedgerError> {
    if writes.iter().any(|(write, _)| rows.get(&write.id).is_some_and(|row| row.request == request)) {
        return Ok(rows.clone());
    }
    let mut after = rows.clone();
    for (place, (write, sent)) in writes.iter().enumerate() {
        let found = after.get(&write.id).map_or(0, |row| row.version);
        // A document that this request has written has a version that nothing expects.
        let is_own = after.get(&write.id).is_some_and(|row| row.request == request);
        let fits = match sent.expected {
            Expected::Any => true,
            Expected::Absent => !is_own && found == 0,
            Expected::Version(version) => !is_own && found == version,
            _ => unreachable!("no other"),
        };
        if !fits {
            return Err(LedgerError::DocumentConflict(DocumentConflict::new(
                place,
                if is_own { u64::MAX } else { found },
            )));
        }
        match sent.document {
            Some(_) => after.insert(write.id, Row { version: 0, value: write.value, request }),
            None => after.remove(&write.id),
        };
    }
    let (before, now) = (totals(rows), totals(&after));
    if now.0 > LIMITS.documents && now.0 > before.0 {
        return Err(LedgerError::TooManyDocuments(LIMITS.documents));
    }
    if now.1 > LIMITS.bytes && now.1 > before.1 {
        return Err(LedgerError::TooManyDocumentBytes(LIMITS.bytes));
    }
    Ok(after)
}
