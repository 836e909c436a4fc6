//! What a query of documents reads in the database: entries of its index, and the rows of its page.

use imperal::ledger::{
    DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Expiry, NewDocument, PageLimit,
    PostgresLedger, RetentionPolicy,
};
use imperal_tests::eventually;

use super::*;

const DOCUMENTS: u32 = 5000;
const INDEX: i64 = 1;
const SET: i64 = 1;
const PAGE: PageLimit = PageLimit::rows(20);

fn space() -> DocumentSpace {
    DocumentSpace::new(anna(), "app", "things")
}

fn key(n: u32) -> Vec<u8> {
    [&n.to_be_bytes()[..], format!("{n:05}").as_bytes()].concat()
}

async fn fill(ledger: &PostgresLedger) {
    let all: Vec<_> = (0..DOCUMENTS)
        .map(|n| {
            let new = NewDocument::new(format!("{n}")).keyed(SET, vec![(INDEX, key(n))]);
            let new = if n == 7 { new.expiry(Expiry::In(Duration::ZERO)) } else { new };
            DocumentWrite::put("things", format!("{n:05}"), new)
        })
        .collect();
    for (request, some) in (0..).zip(all.chunks(500)) {
        let writes = DocumentWrites::new("app", request, some.to_vec());
        ledger.write_documents(&anna(), DocumentSource::Operator(audit()), writes).await.unwrap();
    }
}

/// How often an index was used; rows and entries that were read, with those of whole tables.
async fn reads(backend: &InPostgres, index: &str) -> (i64, i64) {
    let sql = format!(
        "SELECT (SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE schemaname = '{schema}' AND indexrelname = '{index}')::bigint,
            ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = '{schema}'
                AND relname IN ('document', 'document_key'))
            + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = '{schema}'
                AND relname IN ('document', 'document_key')))::bigint",
        schema = backend.schema
    );
    let row = backend.row(&sql).await;
    (row.get::<_, Option<i64>>(0).unwrap_or_default(), row.get(1))
}

/// Without one of the indexes the server reads every document.
#[tokio::test(flavor = "multi_thread")]
async fn queries_read_entries_of_their_index_only() {
    let backend = InPostgres::new();
    fill(&backend.connect().await).await;
    let written = format!(
        "SELECT coalesce(sum(n_tup_ins), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = '{}' AND relname = 'document'",
        backend.schema
    );
    eventually("the server has counted the writes", async || {
        (backend.row(&written).await.get::<_, i64>(0) >= i64::from(DOCUMENTS)).then_some(())
    })
    .await;
    backend.sql("ANALYZE @.document; ANALYZE @.document_key").await;
    let in_index = DocumentQuery::by_index(INDEX).within(key(1000), key(4000));
    let by_id = DocumentQuery::by_id().within(b"01000".to_vec(), b"04000".to_vec());
    let ids = vec!["00020".to_owned(), "00040".to_owned()];
    let of_key = "document_key_pkey";
    let of_id = "document_collection_no_id_key";
    let of_set = "document_set";
    let mut keep = RetentionPolicy::FOREVER;
    keep.turns = Some(Duration::from_secs(3600));
    for (name, index) in [
        ("page", of_key),
        ("page, descending", of_key),
        ("documents of other indexes", of_set),
        ("ids", of_id),
        ("ids, descending", of_id),
        ("some ids", of_id),
        ("count of a small range", of_key),
        ("expired", "document_expiring"),
    ] {
        let before = reads(&backend, index).await;
        // A server process tells what it has read when it ends, at the latest.
        let ledger = backend.connect().await;
        match name {
            "page" | "documents of other indexes" => {
                let found = ledger.find_documents(&space(), in_index.clone(), PAGE, PAGE).await.unwrap();
                assert_eq!((found.keyed.len(), found.more, found.others.len()), (20, true, 0));
            }
            "page, descending" => {
                let found = ledger.find_documents(&space(), in_index.clone().descending(true), PAGE, PAGE).await;
                assert_eq!(found.unwrap().keyed[0].id, "03999");
            }
            "ids" => {
                let found = ledger.find_documents(&space(), by_id.clone(), PAGE, PAGE).await.unwrap();
                assert_eq!(found.keyed[0].id, "01000");
            }
            "ids, descending" => {
                let found = ledger.find_documents(&space(), by_id.clone().descending(true), PAGE, PAGE).await;
                assert_eq!(found.unwrap().keyed[0].id, "03999");
            }
            "some ids" => assert_eq!(ledger.documents(&space(), &ids).await.unwrap().len(), 2),
            "count of a small range" => {
                let small = DocumentQuery::by_index(INDEX).within(key(1000), key(1050));
                assert_eq!(ledger.count_documents(&space(), small).await, Ok(50));
            }
            _ => assert_eq!(ledger.prune(&keep, 0, 100).await.unwrap().documents, 1),
        }
        drop(ledger);
        let after =
            eventually(name, async || Some(reads(&backend, index).await).filter(|after| after.0 > before.0)).await;
        let read = after.1 - before.1;
        // The server may read all of a small table to count.
        let most = if name.starts_with("count") { 3 * i64::from(DOCUMENTS) } else { 500 };
        assert!(read < most, "{name}: {read} rows and entries were read");
    }
}

/// Documents that another program keyed are found by the index of their set, in the order of their ids.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_other_sets_are_a_page_in_order() {
    let backend = InPostgres::new();
    let ledger = backend.connect().await;
    for (request, set, id) in [(1, 5, "c"), (2, 1, "b"), (3, 9, "a"), (4, 9, "d")] {
        let keys = if set == 5 { vec![(INDEX, id.into())] } else { vec![] };
        let new = NewDocument::new("1").keyed(set, keys);
        let writes = DocumentWrites::new("app", request, vec![DocumentWrite::put("things", id, new)]);
        ledger.write_documents(&anna(), DocumentSource::Operator(audit()), writes).await.unwrap();
    }
    let query = DocumentQuery::by_index(INDEX);
    let found = ledger.find_documents(&space(), query, PAGE, PageLimit::rows(2)).await.unwrap();
    let ids: Vec<_> = found.others.iter().map(|one| &*one.id).collect();
    assert_eq!((&ids[..], found.more_others), (&["a", "b"][..], true));
}
