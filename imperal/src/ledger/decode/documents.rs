//! From the rows of documents and collections to rows of the contract. Both backends name their columns alike.

use super::columns::{Cell, Columns, RowDecoder};
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{CollectionUse, StoredDocument};

/// A document. One whose body cannot be read has an empty body, which is no JSON.
pub(in crate::ledger) fn document(row: &impl Columns, unreadable: &Unreadable) -> StoredDocument {
    let mut decoder = RowDecoder::new(row);
    let id = match row.cell("id") {
        Cell::Text(id) => id.to_owned(),
        Cell::Bytes(id) => String::from_utf8_lossy(id).into_owned(),
        Cell::Broken(id) => id,
        _ => String::new(),
    };
    let key = match row.cell("key") {
        Cell::Bytes(key) => key.to_vec(),
        _ => Vec::new(),
    };
    let document = StoredDocument {
        id,
        version: decoder.count("version"),
        shape: u32::try_from(decoder.count("shape")).unwrap_or(u32::MAX),
        index_set: decoder.int("index_set"),
        created_at: decoder.time("created_at"),
        updated_at: decoder.time("updated_at"),
        expires_at: decoder.maybe_time("expires_at"),
        body: decoder.raw("body").unwrap_or_default().to_owned(),
        key,
    };
    let number = decoder.int("document_no");
    decoder.report(unreadable, "document", number, None);
    document
}

/// A collection, with the number and the bytes of its documents.
pub(in crate::ledger) fn collection(row: &impl Columns, unreadable: &Unreadable) -> CollectionUse {
    let mut decoder = RowDecoder::new(row);
    let found = CollectionUse {
        app_id: decoder.text("app_id"),
        collection: decoder.text("name"),
        documents: decoder.count("documents"),
        bytes: decoder.count("bytes"),
    };
    decoder.report(unreadable, "collection", &found.collection, None);
    found
}
