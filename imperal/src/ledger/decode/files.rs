//! From the rows of files to rows of the contract. Both backends name their columns alike.

use super::columns::{Cell, Columns, RowDecoder};
use crate::ids::FileId;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{FileState, StoredFile};

/// A file. One whose hash cannot be read has no content.
pub(in crate::ledger) fn file(row: &impl Columns, unreadable: &Unreadable) -> StoredFile {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("file_no");
    let sha256 = match row.cell("sha256") {
        Cell::Bytes(bytes) => bytes.try_into().ok(),
        _ => None,
    };
    if sha256.is_none() && !matches!(row.cell("sha256"), Cell::Null) {
        decoder.wrong("sha256", "is not a hash");
    }
    let file = StoredFile {
        file_id: decoder.maybe_id("file_id").unwrap_or_else(|| FileId::of_row(number)),
        app_id: decoder.text("app_id"),
        state: decoder.named("state").unwrap_or(FileState::Stored),
        name: decoder.text("name"),
        content_type: decoder.text("content_type"),
        size: decoder.count("size"),
        sha256,
        created_at: decoder.time("created_at"),
        expires_at: decoder.maybe_time("expires_at"),
    };
    decoder.report(unreadable, "file", number, None);
    file
}

/// The id of a file; one that names the row for a damaged id.
pub(in crate::ledger) fn file_id(row: &impl Columns) -> FileId {
    let mut decoder = RowDecoder::new(row);
    decoder.maybe_id("file_id").unwrap_or_else(|| FileId::of_row(decoder.int("file_no")))
}

/// How far a file has come. A damaged state counts as stored.
pub(in crate::ledger) fn file_state(row: &impl Columns) -> FileState {
    RowDecoder::new(row).named("state").unwrap_or(FileState::Stored)
}
