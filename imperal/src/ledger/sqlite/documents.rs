//! Documents: the methods of the contract, and their reads.

use rusqlite::{Row, params};

use super::SqliteLedger;
use super::fault::Fault;
use super::job::Weight;
use super::readers::Reading;
use super::rows::{all, get_number, one, page};
use crate::ledger::contract::{Documents, LedgerResult};
use crate::ledger::{
    Attempt, CollectionUse, DocumentKeys, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrites, Fence,
    FoundDocuments, Incarnation, NewStep, Owner, Page, PageLimit, StoredDocument, WrittenDocument, decode,
};

/// The number of a collection.
const COLLECTION: &str = "SELECT c.collection_no FROM owner w
    JOIN shelf s ON s.owner_id = w.owner_id AND s.app_id = ?3
    JOIN collection c ON c.shelf_no = s.shelf_no AND c.name = ?4
    WHERE w.tenant_id = ?1 AND w.user_id = ?2";

macro_rules! select_document {
    ($key:literal, $rest:expr) => {
        concat!(
            "SELECT d.document_no, d.id, d.version, d.shape, d.index_set, d.created_at, d.updated_at, d.expires_at, ",
            "d.body, ",
            $key,
            " AS key ",
            $rest
        )
    };
}

/// Ends a condition: a document whose time is over is not there.
macro_rules! there {
    ($after:literal) => {
        concat!(" AND (d.expires_at IS NULL OR d.expires_at > ?2)", $after)
    };
}

pub(super) const BY_ID: &str =
    select_document!("NULL", concat!("FROM document d WHERE d.collection_no = ?1 AND d.id = ?3", there!("")));

/// The documents of an index in order. The join order is fixed: the index first. A damaged key leads to no document of
/// another collection.
macro_rules! by_key {
    ($order:literal) => {
        select_document!(
            "k.key",
            concat!(
                "FROM document_key k CROSS JOIN document d ON d.document_no = k.document_no AND d.collection_no = ?1
                 WHERE k.collection_no = ?1 AND k.index_no = ?3 AND k.key >= ?4 AND k.key < ?5",
                there!(""),
                " ORDER BY k.key ",
                $order,
                " LIMIT ?6"
            )
        )
    };
}
pub(super) const BY_KEY: &str = by_key!("ASC");
pub(super) const BY_KEY_DESCENDING: &str = by_key!("DESC");

/// The documents of a collection in the order of their ids, which are compared as bytes.
macro_rules! in_order {
    ($order:literal) => {
        select_document!(
            "CAST(d.id AS BLOB)",
            concat!(
                "FROM document d WHERE d.collection_no = ?1 AND d.id >= CAST(?3 AS TEXT) AND d.id < CAST(?4 AS TEXT)",
                there!(""),
                " ORDER BY d.id ",
                $order,
                " LIMIT ?5"
            )
        )
    };
}
pub(super) const IN_ORDER: &str = in_order!("ASC");
pub(super) const IN_ORDER_DESCENDING: &str = in_order!("DESC");

/// Documents without a key in an index. The number of a document's indexes has few values, and documents with the same
/// one are alike: one of each tells whether any lacks a key.
pub(super) const OTHERS: &str = concat!(
    "WITH RECURSIVE sets (index_set) AS (
        SELECT (SELECT min(d.index_set) FROM document d WHERE d.collection_no = ?1)
        UNION ALL
        SELECT (SELECT min(d.index_set) FROM document d WHERE d.collection_no = ?1 AND d.index_set > s.index_set)
        FROM sets s WHERE s.index_set IS NOT NULL
    ), lacking AS MATERIALIZED (
        SELECT s.index_set FROM sets s WHERE s.index_set IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM document_key k WHERE k.index_no = ?3 AND k.document_no = (
                SELECT d.document_no FROM document d WHERE d.collection_no = ?1 AND d.index_set = s.index_set
                ORDER BY d.id LIMIT 1))
    ) ",
    select_document!(
        "NULL",
        "FROM (SELECT d.document_no FROM lacking l
             CROSS JOIN document d ON d.collection_no = ?1 AND d.index_set = l.index_set
             WHERE (d.expires_at IS NULL OR d.expires_at > ?2) AND NOT EXISTS (
                 SELECT 1 FROM document_key k WHERE k.document_no = d.document_no AND k.index_no = ?3)
             ORDER BY d.id LIMIT ?4) o
         CROSS JOIN document d ON d.document_no = o.document_no ORDER BY d.id"
    )
);

/// Counts keys, without a look at their documents, less those of the documents whose time is over: few, because
/// retention removes them.
pub(super) const COUNT: &str =
    "SELECT (SELECT count(*) FROM document_key k
        WHERE k.collection_no = ?1 AND k.index_no = ?3 AND k.key >= ?4 AND k.key < ?5)
    - (SELECT count(*) FROM document d INDEXED BY document_expiring_in CROSS JOIN document_key k INDEXED BY document_key_of
        ON k.document_no = d.document_no AND k.collection_no = ?1 AND k.index_no = ?3 AND k.key >= ?4 AND k.key < ?5
        WHERE d.collection_no = ?1 AND d.expires_at <= ?2)";

pub(super) const COUNT_IN_ORDER: &str = "SELECT (SELECT count(*) FROM document d
        WHERE d.collection_no = ?1 AND d.id >= CAST(?3 AS TEXT) AND d.id < CAST(?4 AS TEXT))
    - (SELECT count(*) FROM document d INDEXED BY document_expiring_in
        WHERE d.collection_no = ?1 AND d.expires_at <= ?2 AND d.id >= CAST(?3 AS TEXT) AND d.id < CAST(?4 AS TEXT))";

impl Documents for SqliteLedger {
    async fn write_documents(
        &self,
        owner: &Owner,
        source: DocumentSource,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let (owner, bytes) = (owner.clone(), writes.bytes());
        let work = move |tx: &mut super::ops::Tx<'_>| tx.write_documents(&owner, &source, &writes);
        self.writer.write_sized(Weight::Durable, bytes, work).await
    }

    async fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let incarnation = incarnation.clone();
        let bytes = super::step_bytes(&step) + writes.bytes();
        let work =
            move |tx: &mut super::ops::Tx<'_>| tx.store_step_with_documents(&incarnation, attempt, &step, &writes);
        self.writer.write_sized(Weight::Durable, bytes, work).await
    }

    async fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: Fence,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> LedgerResult<u64> {
        let (space, bytes) = (space.clone(), keys.iter().map(DocumentKeys::bytes).sum());
        let work = move |tx: &mut super::ops::Tx<'_>| tx.rekey_documents(&space, &fence, index_set, &keys);
        self.writer.write_sized(Weight::Light, bytes, work).await
    }

    async fn documents(&self, space: &DocumentSpace, ids: &[String]) -> LedgerResult<Vec<StoredDocument>> {
        let (space, ids, now) = (space.clone(), ids.to_vec(), self.clock.now().as_microsecond());
        self.readers
            .read(move |reading| {
                let Some(collection) = collection(reading, &space)? else { return Ok(Vec::new()) };
                let mut found = Vec::with_capacity(ids.len());
                for id in &ids {
                    reading.go_on()?;
                    let read = |row: &Row<'_>| Ok(decode::document(row, reading.unreadable));
                    found.extend(one(reading.conn, BY_ID, params![collection, now, id], read)?);
                }
                Ok(found)
            })
            .await
    }

    async fn find_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
        limit: PageLimit,
        others: PageLimit,
    ) -> LedgerResult<FoundDocuments> {
        let (space, now) = (space.clone(), self.clock.now().as_microsecond());
        self.readers
            .read(move |reading| {
                // One transaction: both parts see one state of the file.
                let tx = reading.conn.unchecked_transaction()?;
                let Some(collection) = collection(reading, &space)? else { return Ok(FoundDocuments::default()) };
                let keyed = keyed(reading, collection, now, &query, limit)?;
                let others = if let Some(index) = query.index {
                    let params = params![collection, now, index, rows(others)];
                    let read = |row: &Row<'_>| Ok(decode::document(row, reading.unreadable));
                    page(reading, OTHERS, params, others, |_| Ok(()), read)?
                } else {
                    Page::default()
                };
                tx.finish()?;
                Ok(FoundDocuments::new(keyed.rows, keyed.more, others.rows, others.more))
            })
            .await
    }

    async fn count_documents(&self, space: &DocumentSpace, query: DocumentQuery) -> LedgerResult<u64> {
        let (space, now) = (space.clone(), self.clock.now().as_microsecond());
        self.readers
            .read(move |reading| {
                let Some(collection) = collection(reading, &space)? else { return Ok(0) };
                let DocumentQuery { index, low, high, .. } = &query;
                let count = if let Some(index) = index {
                    let params = params![collection, now, index, low, high];
                    one(reading.conn, COUNT, params, |row| get_number(row, 0))
                } else {
                    let params = params![collection, now, low, high];
                    one(reading.conn, COUNT_IN_ORDER, params, |row| get_number(row, 0))
                };
                Ok(count?.unwrap_or_default())
            })
            .await
    }

    async fn collections(&self, owner: &Owner, app_id: Option<&str>) -> LedgerResult<Vec<CollectionUse>> {
        let (owner, app_id) = (owner.clone(), app_id.map(str::to_owned));
        self.readers
            .read(move |reading| {
                let sql = "SELECT s.app_id, c.name, count(*) AS documents, sum(min(max(d.bytes, 0), 1 << 40)) AS bytes FROM owner w
                    JOIN shelf s ON s.owner_id = w.owner_id AND (?3 IS NULL OR s.app_id = ?3)
                    JOIN collection c ON c.shelf_no = s.shelf_no
                    JOIN document d ON d.collection_no = c.collection_no
                    WHERE w.tenant_id = ?1 AND w.user_id = ?2 GROUP BY c.collection_no ORDER BY s.app_id, c.name";
                let params = params![&*owner.tenant_id, &*owner.user_id, app_id];
                all(reading.conn, sql, params, |row| Ok(decode::collection(row, reading.unreadable)))
            })
            .await
    }
}

fn collection(reading: &Reading<'_>, space: &DocumentSpace) -> Result<Option<i64>, Fault> {
    let DocumentSpace { owner, app_id, collection } = space;
    let params = params![&*owner.tenant_id, &*owner.user_id, app_id, collection];
    one(reading.conn, COLLECTION, params, |row| Ok(row.get(0)?))
}

/// One row more than the page has, so that it knows whether there are more.
fn rows(limit: PageLimit) -> i64 {
    i64::from(limit.rows) + 1
}

fn keyed(
    reading: &Reading<'_>,
    collection: i64,
    now: i64,
    query: &DocumentQuery,
    limit: PageLimit,
) -> Result<Page<StoredDocument>, Fault> {
    let read = |row: &Row<'_>| Ok(decode::document(row, reading.unreadable));
    let DocumentQuery { index, low, high, descending } = query;
    if let Some(index) = index {
        let sql = if *descending { BY_KEY_DESCENDING } else { BY_KEY };
        let params = params![collection, now, index, low, high, rows(limit)];
        page(reading, sql, params, limit, |_| Ok(()), read)
    } else {
        let sql = if *descending { IN_ORDER_DESCENDING } else { IN_ORDER };
        let params = params![collection, now, low, high, rows(limit)];
        page(reading, sql, params, limit, |_| Ok(()), read)
    }
}
