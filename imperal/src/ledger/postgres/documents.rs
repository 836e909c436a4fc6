//! Documents: the statement of each method of the contract.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::document_arrays::{Arrays, FenceTexts, bytes};
use super::fault::Fault;
use super::pool::{Param, int, ints, text, texts};
use super::rows::{audit, get, get_number, micros, number, step_texts};
use super::stored_text::stored;
use super::writes::one;
use crate::ledger::contract::{Documents, LedgerResult};
use crate::ledger::rules::{KEYED_FOR, MOST_KEYS};
use crate::ledger::{
    Attempt, CollectionUse, DocumentKeys, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrites, Fence,
    FoundDocuments, Incarnation, NewStep, Owner, PageLimit, StoredDocument, WrittenDocument, decode,
};
use crate::rows::document_key::joined_index_set;

/// The collection that `$1` to `$4` name, and the time.
macro_rules! in_space {
    ($rest:expr) => {
        in_space!("", $rest)
    };
    ($more:expr, $rest:expr) => {
        concat!(
            "WITH RECURSIVE space AS MATERIALIZED (
                SELECT c.collection_no, @.micros() AS now FROM @.shelf s
                JOIN @.collection c ON c.shelf_no = s.shelf_no AND c.name = $4
                WHERE s.owner_id = @.find_owner($1, $2) AND s.app_id = $3
            )",
            $more,
            " ",
            $rest
        )
    };
}

macro_rules! columns {
    ($key:literal) => {
        concat!(
            "d.document_no, d.id, d.version, d.shape, d.index_set, d.created_at, d.updated_at, d.expires_at, ",
            // A damaged number does not end the page.
            "greatest(least(d.bytes, 2097152), 0) AS bytes, d.body, ",
            $key,
            " AS key"
        )
    };
}

/// A document whose time is over is not there.
macro_rules! there {
    () => {
        " AND (d.expires_at IS NULL OR d.expires_at > (SELECT now FROM space))"
    };
}

/// The rows of `$rows`, in order, up to a number of rows and bytes. `following` says whether there are more.
macro_rules! up_to {
    ($part:literal, $order:literal, $limit:literal, $bytes:literal, $rows:expr) => {
        concat!(
            "(SELECT ",
            $part,
            " AS part, q.* FROM (
                SELECT p.*, lead(p.document_no) OVER w IS NOT NULL AS following,
                    row_number() OVER w = 1 OR sum(p.bytes) OVER w <= ",
            $bytes,
            " AS fits FROM (",
            $rows,
            " LIMIT ",
            $limit,
            " + 1) AS p WINDOW w AS (ORDER BY ",
            $order,
            ")) AS q WHERE q.fits ORDER BY ",
            $order,
            " LIMIT ",
            $limit,
            ")"
        )
    };
}

/// The numbers of indexes that documents of the space have, then those without the index `$5`. There are few, and
/// documents with the same number are alike: one of each tells. A subquery for one value reads by its index, always.
macro_rules! lacking {
    () => {
        ", sets AS (
            SELECT (
                SELECT min(d.index_set) FROM @.document d WHERE d.collection_no = (SELECT collection_no FROM space)
            ) AS index_set
            UNION ALL
            SELECT (
                SELECT min(d.index_set) FROM @.document d
                WHERE d.collection_no = (SELECT collection_no FROM space) AND d.index_set > s.index_set
            ) FROM sets s WHERE s.index_set IS NOT NULL
        ), lacking AS MATERIALIZED (
            SELECT s.index_set FROM sets s WHERE s.index_set IS NOT NULL AND (
                SELECT k.index_no FROM @.document_key k WHERE k.index_no = $5 AND k.document_no = (
                    SELECT d.document_no FROM @.document d
                    WHERE d.collection_no = (SELECT collection_no FROM space) AND d.index_set = s.index_set
                    ORDER BY d.id LIMIT 1
                ) LIMIT 1
            ) IS NULL
        ) "
    };
}

/// The documents of an index in order, then those without a key in it.
macro_rules! by_key {
    ($order:literal) => {
        in_space!(
            lacking!(),
            concat!(
                up_to!(
                    "1",
                    $order,
                    "$8",
                    "$9",
                    concat!(
                        "SELECT ",
                        columns!("k.key"),
                        " FROM @.document_key k JOIN @.document d
                ON d.document_no = k.document_no AND d.collection_no = k.collection_no
                WHERE k.collection_no = (SELECT collection_no FROM space) AND k.index_no = $5 AND k.key >= $6
                    AND k.key < $7",
                        there!(),
                        " ORDER BY k.",
                        $order
                    )
                ),
                " UNION ALL ",
                up_to!(
                    "2",
                    "id",
                    "$10",
                    "$11",
                    concat!(
                        "SELECT ",
                        columns!("NULL::bytea"),
                        " FROM (
                    SELECT o.document_no FROM lacking l CROSS JOIN LATERAL (
                        SELECT d.document_no, d.id FROM @.document d
                        WHERE d.collection_no = (SELECT collection_no FROM space) AND d.index_set = l.index_set AND (
                            SELECT k.index_no FROM @.document_key k
                            WHERE k.document_no = d.document_no AND k.index_no = $5 LIMIT 1
                        ) IS NULL",
                        there!(),
                        " ORDER BY d.id LIMIT $10 + 1
                    ) AS o ORDER BY o.id LIMIT $10 + 1
                ) AS o JOIN @.document d ON d.document_no = o.document_no ORDER BY d.id"
                    )
                )
            )
        )
    };
}
const BY_KEY: &str = by_key!("key");
const BY_KEY_DESCENDING: &str = by_key!("key DESC");

/// The documents of a collection in the order of their ids.
macro_rules! in_order {
    ($order:literal) => {
        in_space!(up_to!(
            "1",
            $order,
            "$7",
            "$8",
            concat!(
                "SELECT ",
                columns!("d.id"),
                " FROM @.document d
            WHERE d.collection_no = (SELECT collection_no FROM space) AND d.id >= $5 AND d.id < $6",
                there!(),
                " ORDER BY d.",
                $order
            )
        ))
    };
}
const IN_ORDER: &str = in_order!("id");
const IN_ORDER_DESCENDING: &str = in_order!("id DESC");

const BY_IDS: &str = in_space!(concat!(
    "SELECT ",
    columns!("NULL::bytea"),
    " FROM @.document d WHERE d.collection_no = (SELECT collection_no FROM space) AND d.id = ANY ($5)",
    there!()
));

/// Counts keys, without a look at their documents, less those of the documents whose time is over: few, because
/// retention removes them.
const COUNT: &str = in_space!(
    "SELECT (
        SELECT count(*) FROM @.document_key k
        WHERE k.collection_no = (SELECT collection_no FROM space) AND k.index_no = $5 AND k.key >= $6 AND k.key < $7
    ) - (
        SELECT count(*) FROM @.document d
        JOIN @.document_key k ON k.document_no = d.document_no AND k.collection_no = d.collection_no
        WHERE d.collection_no = (SELECT collection_no FROM space) AND d.expires_at <= (SELECT now FROM space)
            AND k.index_no = $5 AND k.key >= $6 AND k.key < $7
    )"
);

const COUNT_IN_ORDER: &str = in_space!(
    "SELECT (
        SELECT count(*) FROM @.document d
        WHERE d.collection_no = (SELECT collection_no FROM space) AND d.id >= $5 AND d.id < $6
    ) - (
        SELECT count(*) FROM @.document d
        WHERE d.collection_no = (SELECT collection_no FROM space) AND d.expires_at <= (SELECT now FROM space)
            AND d.id >= $5 AND d.id < $6
    )"
);

const COLLECTIONS: &str = "SELECT s.app_id, c.name, d.documents, d.bytes FROM @.shelf s
    JOIN @.collection c ON c.shelf_no = s.shelf_no
    CROSS JOIN LATERAL (
        SELECT count(*) AS documents, sum(greatest(least(d.bytes, 1::bigint << 40), 0))::bigint AS bytes FROM @.document d
        WHERE d.collection_no = c.collection_no
    ) AS d
    WHERE s.owner_id = @.find_owner($1, $2) AND ($3 IS NULL OR s.app_id = $3) AND d.documents > 0
    ORDER BY s.app_id COLLATE \"C\", c.name COLLATE \"C\"";

impl PostgresLedger {
    fn document(&self, row: &Row) -> StoredDocument {
        decode::document(row, self.store.unreadable())
    }

    async fn documents_written(&self, sql: &str, params: &[Param<'_>]) -> LedgerResult<Vec<WrittenDocument>> {
        let rows = self.counted(self.store.rows(sql, params)).await?;
        let read = |row: &Row| Ok(WrittenDocument::new(get_number(row, 0)?, get(row, 1)?));
        Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
    }
}

/// The names of a space as they are stored.
fn names(space: &DocumentSpace) -> [String; 4] {
    let DocumentSpace { owner, app_id, collection } = space;
    [&*owner.tenant_id, &*owner.user_id, app_id, collection].map(|name| stored(name).into_owned())
}

impl Documents for PostgresLedger {
    async fn write_documents(
        &self,
        owner: &Owner,
        source: DocumentSource,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let sql = "SELECT * FROM @.write_documents($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
                   $14, $15, $16, $17, $18, $19, $20, $21, $22)";
        let (fence, audited) = match &source {
            DocumentSource::Work(fence) => (Some(FenceTexts::from(fence)), None),
            DocumentSource::Operator(row) => (None, Some(audit(row))),
        };
        let node = fence.as_ref().map(|fence| &*fence.node);
        let incarnation = fence.as_ref().map_or(0, |fence| fence.incarnation);
        let call_id = fence.as_ref().and_then(|fence| fence.call_id.as_deref());
        let task_id = fence.as_ref().and_then(|fence| fence.task_id.as_deref());
        let attempt = fence.as_ref().and_then(|fence| fence.attempt);
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let arrays = Arrays::of(&writes)?;
        let whose = [text(&node), int(&incarnation), text(&call_id), text(&task_id), (&attempt, Type::INT8)];
        let what = [text(&tenant), text(&user), texts(&audited)];
        let _permit = self.permits.acquire(owner).await?;
        self.documents_written(sql, &[&whose[..], &what[..], &arrays.params()[..]].concat()).await
    }

    async fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let sql = "SELECT * FROM @.store_step_documents($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
                   $14, $15, $16, $17, $18, $19)";
        let (node, id, attempt) = (stored(&incarnation.node), attempt.task_id.to_string(), i64::from(attempt.number));
        let (step, arrays) = (step_texts(&step)?, Arrays::of(&writes)?);
        let whose = [text(&node), int(&incarnation.number), text(&id), int(&attempt), texts(&step)];
        self.documents_written(sql, &[&whose[..], &arrays.params()[..]].concat()).await
    }

    async fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: Fence,
        index_set: i64,
        documents: Vec<DocumentKeys>,
    ) -> LedgerResult<u64> {
        let sql = "SELECT @.rekey_documents($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
                   $15, $16, $17, $18, $19)";
        let fence = FenceTexts::from(&fence);
        let [tenant, user, app, collection] = names(space);
        let (mut places, mut indexes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (place, document) in (1_i64..).zip(&documents) {
            for (index, key) in &document.keys {
                places.push(place);
                indexes.push(*index);
                keys.push(&**key);
            }
        }
        let ids: Vec<&[u8]> = documents.iter().map(|document| document.id.as_bytes()).collect();
        let versions: Vec<i64> = documents.iter().map(|document| number(document.version)).collect();
        let sets: Vec<i64> = documents.iter().map(|document| document.index_set).collect();
        let joined: Vec<i64> = sets.iter().map(|stored| joined_index_set(*stored, index_set)).collect();
        let (most_keys, keyed_for) = (number(MOST_KEYS as u64), micros(KEYED_FOR));
        let whose = [
            text(&fence.node),
            int(&fence.incarnation),
            text(&fence.call_id),
            text(&fence.task_id),
            (&fence.attempt, Type::INT8),
            text(&tenant),
            text(&user),
        ];
        let what = [
            text(&app),
            text(&collection),
            int(&index_set),
            bytes(&ids),
            ints(&versions),
            ints(&sets),
            ints(&joined),
            ints(&places),
            ints(&indexes),
            bytes(&keys),
            int(&most_keys),
            int(&keyed_for),
        ];
        let _permit = self.permits.acquire(&space.owner).await?;
        // Running twice keys them once.
        let row = one(self.counted(self.store.repeatable(sql, &[&whose[..], &what[..]].concat())).await?)?;
        Ok(get_number(&row, 0)?)
    }

    async fn documents(&self, space: &DocumentSpace, ids: &[String]) -> LedgerResult<Vec<StoredDocument>> {
        let [tenant, user, app, collection] = names(space);
        let ids: Vec<&[u8]> = ids.iter().map(String::as_bytes).collect();
        let params = [text(&tenant), text(&user), text(&app), text(&collection), bytes(&ids)];
        let rows = self.store.repeatable(BY_IDS, &params).await?;
        Ok(rows.iter().map(|row| self.document(row)).collect())
    }

    async fn find_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
        limit: PageLimit,
        others: PageLimit,
    ) -> LedgerResult<FoundDocuments> {
        let [tenant, user, app, collection] = names(space);
        let DocumentQuery { index, low, high, descending } = &query;
        let (low, high) = (&**low, &**high);
        let [rows, other_rows] = [limit, others].map(|limit| i64::from(limit.rows));
        let [most, other_most] = [limit, others].map(|limit| number(limit.bytes));
        let whose = [text(&tenant), text(&user), text(&app), text(&collection)];
        let found = if let Some(index) = index {
            let sql = if *descending { BY_KEY_DESCENDING } else { BY_KEY };
            let keys = [int(index), (&low, Type::BYTEA), (&high, Type::BYTEA)];
            let limits = [int(&rows), int(&most), int(&other_rows), int(&other_most)];
            self.store.repeatable(sql, &[&whose[..], &keys[..], &limits[..]].concat()).await?
        } else {
            let sql = if *descending { IN_ORDER_DESCENDING } else { IN_ORDER };
            let what: [Param<'_>; 4] = [(&low, Type::BYTEA), (&high, Type::BYTEA), int(&rows), int(&most)];
            self.store.repeatable(sql, &[whose, what].concat()).await?
        };
        let mut answer = FoundDocuments::default();
        for row in &found {
            let following: bool = row.try_get("following").map_err(Fault::from)?;
            let (documents, more) = match row.try_get::<_, i32>("part").map_err(Fault::from)? {
                1 => (&mut answer.keyed, &mut answer.more),
                _ => (&mut answer.others, &mut answer.more_others),
            };
            documents.push(self.document(row));
            *more = following;
        }
        Ok(answer)
    }

    async fn count_documents(&self, space: &DocumentSpace, query: DocumentQuery) -> LedgerResult<u64> {
        let [tenant, user, app, collection] = names(space);
        let (low, high) = (&*query.low, &*query.high);
        let whose = [text(&tenant), text(&user), text(&app), text(&collection)];
        let rows = if let Some(index) = &query.index {
            let keys = [int(index), (&low, Type::BYTEA), (&high, Type::BYTEA)];
            self.store.repeatable(COUNT, &[&whose[..], &keys[..]].concat()).await?
        } else {
            let keys: [Param<'_>; 2] = [(&low, Type::BYTEA), (&high, Type::BYTEA)];
            self.store.repeatable(COUNT_IN_ORDER, &[&whose[..], &keys[..]].concat()).await?
        };
        Ok(get_number(&one(rows)?, 0)?)
    }

    async fn collections(&self, owner: &Owner, app_id: Option<&str>) -> LedgerResult<Vec<CollectionUse>> {
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let app = app_id.map(stored);
        let rows = self.store.repeatable(COLLECTIONS, &[text(&tenant), text(&user), text(&app)]).await?;
        Ok(rows.iter().map(|row| decode::collection(row, self.store.unreadable())).collect())
    }
}
