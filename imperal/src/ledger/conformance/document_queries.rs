//! Queries of documents: by keys that are compared as bytes, in pages, and never without a document.

use std::time::Duration;

use super::Backend;
use super::documents::{put, request, things};
use super::durable::attempt;
use super::scene::{ALL, Node, anna, ben, new_audit, ok};
use crate::ids::CallId;
use crate::ledger::{
    DocumentConflict, DocumentKeys, DocumentQuery, DocumentSource, DocumentWrite, Expected, Expiry, Fence,
    FoundDocuments, LedgerError, NewDocument, PageLimit, StoredDocument, Work,
};

const INDEX: i64 = 11;
const SET: i64 = 5;
const APART: i64 = 13;

/// A document with one key, which ends with its id.
fn keyed(id: &str, key: &[u8], set: i64) -> DocumentWrite {
    let key = [key, id.as_bytes()].concat();
    DocumentWrite::put("things", id, NewDocument::new("{}").keyed(set, vec![(INDEX, key), (12, id.into())]))
}

/// A document of a program that has another index.
fn apart(id: &str, set: i64) -> DocumentWrite {
    DocumentWrite::put("things", id, NewDocument::new("{}").keyed(set, vec![(APART, id.into())]))
}

fn ids(documents: &[StoredDocument]) -> Vec<&str> {
    documents.iter().map(|document| &*document.id).collect()
}

impl Node {
    async fn find(&self, query: DocumentQuery, limit: PageLimit) -> FoundDocuments {
        ok(self.ledger.find_documents(&things(&anna()), query, limit, ALL).await)
    }

    async fn add(&self, call_id: CallId, writes: Vec<DocumentWrite>) {
        ok(self.write(&anna(), call_id, request(writes)).await);
    }
}

/// Of bytes, whatever they are.
pub async fn query_returns_its_range_in_order(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let keys: [&[u8]; 6] = [b"", b"\x00", b"\x7f", b"\x80", b"a\x00", b"\xfe\xff"];
    let writes = keys.iter().enumerate().rev().map(|(place, key)| keyed(&format!("d{place}"), key, SET));
    node.add(call_id, writes.collect()).await;
    let other = node.call(&ben()).await;
    ok(node.write(&ben(), other, request(vec![keyed("other", b"a", SET)])).await);
    let all = DocumentQuery::by_index(INDEX);
    let found = node.find(all.clone(), ALL).await;
    let mut sorted: Vec<_> = (0..keys.len()).map(|n| ([keys[n], format!("d{n}").as_bytes()].concat(), n)).collect();
    sorted.sort();
    let wanted: Vec<_> = sorted.iter().map(|(_, n)| format!("d{n}")).collect();
    assert_eq!(ids(&found.keyed), wanted);
    assert_eq!(
        found.keyed.iter().map(|one| one.key.clone()).collect::<Vec<_>>(),
        sorted.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
    );
    assert_eq!((found.more, found.others.len()), (false, 0));
    let reversed = node.find(all.clone().descending(true), ALL).await;
    assert!(ids(&reversed.keyed).iter().rev().eq(wanted.iter()), "{:?}", ids(&reversed.keyed));
    for low in 0..sorted.len() {
        for high in low..sorted.len() {
            let range = all.clone().within(sorted[low].0.clone(), sorted[high].0.clone());
            assert_eq!(ids(&node.find(range.clone(), ALL).await.keyed), wanted[low..high]);
            assert_eq!(ok(node.ledger.count_documents(&things(&anna()), range).await), (high - low) as u64);
        }
    }
    // A new version leaves its old place, a deleted document has none.
    node.add(call_id, vec![keyed("d0", b"\xfe\xff\xff", SET), DocumentWrite::delete("things", "d1")]).await;
    let found = node.find(all.clone(), ALL).await;
    assert_eq!((ids(&found.keyed).last(), found.keyed.len()), (Some(&"d0"), 5));
    assert_eq!(ok(node.ledger.count_documents(&things(&anna()), all).await), 5);
}

/// With at least one row, and the next page goes on behind the last key.
pub async fn pages_of_documents_end_at_rows_and_bytes(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    node.add(call_id, (0..25).map(|n| keyed(&format!("d{n:02}"), b"k", SET)).collect()).await;
    for descending in [false, true] {
        let mut query = DocumentQuery::by_index(INDEX).descending(descending);
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let found = node.find(query.clone(), PageLimit::rows(10)).await;
            pages += 1;
            seen.extend(found.keyed.iter().map(|one| one.id.clone()));
            let Some(last) = found.keyed.last().filter(|_| found.more) else { break };
            if descending {
                query.high.clone_from(&last.key);
            } else {
                query.low = [&*last.key, b"\0"].concat();
            }
        }
        let mut wanted: Vec<_> = (0..25).map(|n| format!("d{n:02}")).collect();
        if descending {
            wanted.reverse();
        }
        assert_eq!((seen, pages), (wanted, 3));
    }
    let body = format!("\"{}\"", "x".repeat(1000));
    let large =
        |id: &str| DocumentWrite::put("things", id, NewDocument::new(&*body).keyed(SET, vec![(INDEX, id.into())]));
    node.add(call_id, ["a", "b", "c"].map(large).to_vec()).await;
    let of_three = DocumentQuery::by_index(INDEX).within(b"a".to_vec(), b"d".to_vec());
    for (bytes, rows) in [(1, 1), (1500, 1), (2600, 2), (10_000, 3)] {
        let found = node.find(of_three.clone(), PageLimit::rows(10).bytes(bytes)).await;
        assert_eq!((found.keyed.len(), found.more), (rows, rows < 3), "{bytes} bytes");
    }
}

/// In their order, which is that of their bytes, whatever indexes they have.
pub async fn documents_are_read_by_their_ids(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let wanted = ["A", "B", "Z", "_", "a", "a\0", "a\u{1}", "aa", "ä", "日"];
    let mut writes: Vec<_> = wanted.iter().map(|id| put(id, "1")).collect();
    writes.reverse();
    writes.push(keyed("b", b"k", SET));
    node.add(call_id, writes).await;
    let found = node.find(DocumentQuery::by_id(), ALL).await;
    let with_b = [&wanted[..8], &["b"], &wanted[8..]].concat();
    assert_eq!((ids(&found.keyed), found.others.len()), (with_b.clone(), 0));
    let range = DocumentQuery::by_id().within(b"B".to_vec(), b"a\x01".to_vec()).descending(true);
    let part = node.find(range.clone(), PageLimit::rows(3)).await;
    assert_eq!((ids(&part.keyed), part.more), (vec!["a\0", "a", "_"], true));
    assert_eq!(part.keyed[0].key, b"a\0");
    assert_eq!(ok(node.ledger.count_documents(&things(&anna()), range).await), 5);
    let asked: Vec<String> = ["aa", "none", "日"].map(str::to_owned).to_vec();
    let mut found = ok(node.ledger.documents(&things(&anna()), &asked).await);
    found.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(ids(&found), ["aa", "日"]);
}

/// So a program with new indexes misses no document of an older one, and counts none twice.
pub async fn documents_of_other_indexes_are_returned_beside(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let hour = Duration::from_secs(3600);
    let old = NewDocument::new("{}").expiry(Expiry::In(hour));
    let writes = vec![
        keyed("new", b"k", SET),
        apart("low", i64::MIN),
        apart("high", i64::MAX),
        put("none", "{}"),
        DocumentWrite::put("things", "old", old),
        apart("low2", i64::MIN),
        // Another program, which has the same index among others.
        keyed("shared", b"k", 99),
    ];
    node.add(call_id, writes).await;
    let all = DocumentQuery::by_index(INDEX);
    let found = node.find(all.clone(), ALL).await;
    let others = ["high", "low", "low2", "none", "old"];
    assert_eq!((ids(&found.keyed), ids(&found.others)), (vec!["new", "shared"], others.to_vec()));
    assert_eq!(ok(node.ledger.count_documents(&things(&anna()), all.clone()).await), 2);
    let few = ok(node.ledger.find_documents(&things(&anna()), all.clone(), ALL, PageLimit::rows(2)).await);
    assert_eq!((ids(&few.others), few.more_others, few.more), (vec!["high", "low"], true, false));
    backend.age_tasks(2 * hour).await;
    assert_eq!(ids(&node.find(all, ALL).await.others), others[..4]);
}

impl Node {
    async fn add_keys(&self, call_id: CallId, set: i64, index: i64, documents: &[StoredDocument]) -> u64 {
        let fence = Fence { incarnation: self.incarnation.clone(), work: Work::Call(call_id) };
        ok(self.ledger.rekey_documents(&things(&anna()), fence, set, keys(index, documents)).await)
    }
}

fn keys(index: i64, documents: &[StoredDocument]) -> Vec<DocumentKeys> {
    let of = |one: &StoredDocument| {
        DocumentKeys::new(&*one.id, one.version, one.index_set, vec![(index, one.id.clone().into())])
    };
    documents.iter().map(of).collect()
}

/// Programs with different indexes find each document by their own ones, while both run. A document that has changed
/// meanwhile keeps the keys of its writer.
pub async fn keys_are_added_to_those_of_other_programs(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    node.add(call_id, vec![apart("a", 1), apart("b", 1), apart("c", 1)]).await;
    let documents = node.find(DocumentQuery::by_id(), ALL).await.keyed;
    node.add(call_id, vec![apart("b", 1)]).await;
    assert_eq!(node.add_keys(call_id, SET, INDEX, &documents).await, 2, "b has changed");
    assert_eq!(node.add_keys(call_id, SET, INDEX, &documents).await, 0, "they have them already");
    for (index, keyed, others) in [(INDEX, vec!["a", "c"], vec!["b"]), (APART, vec!["a", "b", "c"], vec![])] {
        let found = node.find(DocumentQuery::by_index(index), ALL).await;
        assert_eq!((ids(&found.keyed), ids(&found.others)), (keyed, others));
        assert_eq!((found.keyed[0].version, &*found.keyed[0].key), (documents[0].version, b"a".as_slice()));
    }
    // The document did not change.
    let same = keyed("a", b"z", SET).expecting(Expected::Version(documents[0].version));
    node.add(call_id, vec![same]).await;
    let found = node.find(DocumentQuery::by_index(APART), ALL).await;
    assert_eq!((ids(&found.keyed), ids(&found.others)), (vec!["b", "c"], vec!["a"]));
    // One that was imported has no keys.
    node.add(call_id, vec![DocumentWrite::put("things", "d", NewDocument::new("{}"))]).await;
    let imported = node.find(DocumentQuery::by_index(INDEX), ALL).await.others;
    assert_eq!((ids(&imported), node.add_keys(call_id, SET, INDEX, &imported).await), (vec!["b", "d"], 2));
    assert_eq!(ids(&node.find(DocumentQuery::by_index(INDEX), ALL).await.others), [""; 0]);
    ok(node.reply(call_id).await);
    let fence = Fence { incarnation: node.incarnation.clone(), work: Work::Call(call_id) };
    let late = node.ledger.rekey_documents(&things(&anna()), fence, SET, keys(INDEX, &documents)).await;
    assert_eq!(late, Err(LedgerError::AlreadyReplied));
}

/// A document has at most 24. Then new ones replace the others, but not those of a program that set them a moment ago.
pub async fn a_document_has_a_limited_number_of_keys(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let many = (100..124).map(|index| (index, b"a".to_vec())).collect();
    node.add(call_id, vec![DocumentWrite::put("things", "a", NewDocument::new("{}").keyed(1, many))]).await;
    let documents = node.find(DocumentQuery::by_id(), ALL).await.keyed;
    assert_eq!(node.add_keys(call_id, SET, 100, &documents).await, 1, "it has this one already");
    let documents = node.find(DocumentQuery::by_id(), ALL).await.keyed;
    assert_eq!(node.add_keys(call_id, SET, INDEX, &documents).await, 0, "it was keyed a moment ago");
    backend.age_tasks(Duration::from_secs(601)).await;
    assert_eq!(node.add_keys(call_id, SET, INDEX, &documents).await, 1);
    assert_eq!(ids(&node.find(DocumentQuery::by_index(INDEX), ALL).await.keyed), ["a"]);
    let found = node.find(DocumentQuery::by_index(100), ALL).await;
    assert_eq!((ids(&found.keyed), ids(&found.others)), (vec![], vec!["a"]));
    assert_eq!(found.others[0].index_set, SET);
}

/// A program would drop the fields that it does not know. It may delete the document, and an operator may replace it.
pub async fn work_replaces_no_document_of_a_newer_type(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let of_shape = |shape, body: &str| DocumentWrite::put("things", "a", NewDocument::new(body).shape(shape));
    node.add(call_id, vec![of_shape(2, "1")]).await;
    let attempt = attempt(node.durable(&anna()).await, 1);
    let stored = node.document(&anna(), "a").await.map_or(0, |stored| stored.version);
    for expected in [Expected::Any, Expected::Version(stored)] {
        let writes = || request(vec![put("b", "1"), of_shape(1, "2").expecting(expected)]);
        let refused = Err(LedgerError::DocumentConflict(DocumentConflict::new(1, stored).newer(Some(2))));
        assert_eq!(node.write(&anna(), call_id, writes()).await, refused);
        assert_eq!(node.write_in_step(attempt, 1, writes()).await, refused);
    }
    let other = of_shape(1, "2").expecting(Expected::Version(stored + 1));
    let refused = Err(LedgerError::DocumentConflict(DocumentConflict::new(0, stored)));
    assert_eq!(node.write(&anna(), call_id, request(vec![other])).await, refused, "the first reason counts");
    assert_eq!(node.document(&anna(), "b").await, None);
    node.add(call_id, vec![of_shape(2, "3"), of_shape(3, "4")]).await;
    let operator = DocumentSource::Operator(new_audit(&anna(), "documents.import"));
    ok(node.ledger.write_documents(&anna(), operator, request(vec![of_shape(1, "5")])).await);
    node.add(call_id, vec![of_shape(2, "6"), DocumentWrite::delete("things", "a"), of_shape(1, "7")]).await;
    assert_eq!(node.document(&anna(), "a").await.map(|stored| (stored.shape, stored.body)), Some((1, "7".to_owned())));
    // One whose time is over is not there.
    let brief = NewDocument::new("8").shape(9).expiry(Expiry::In(Duration::ZERO));
    node.add(call_id, vec![DocumentWrite::put("things", "a", brief)]).await;
    node.add(call_id, vec![of_shape(1, "9")]).await;
}

/// By extension and name, with what they hold.
pub async fn collections_are_listed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let of = |collection: &str, id: &str| DocumentWrite::put(collection, id, NewDocument::new("12"));
    node.add(call_id, vec![of("b", "x"), of("a", "xy"), of("a", "z"), of("c", "gone")]).await;
    node.add(call_id, vec![DocumentWrite::delete("c", "gone")]).await;
    let mut other = request(vec![of("b", "x")]);
    "another".clone_into(&mut other.app_id);
    let source = DocumentSource::Work(Fence { incarnation: node.incarnation.clone(), work: Work::Call(call_id) });
    ok(node.ledger.write_documents(&anna(), source, other).await);
    let list = async |app_id: Option<&str>| {
        let found = ok(node.ledger.collections(&anna(), app_id).await);
        found.into_iter().map(|one| (one.app_id, one.collection, one.documents, one.bytes)).collect::<Vec<_>>()
    };
    let row = |app: &str, name: &str, documents, bytes| (app.to_owned(), name.to_owned(), documents, bytes);
    let all = [row("another", "b", 1, 3), row("app", "a", 2, 7), row("app", "b", 1, 3)];
    assert_eq!(list(None).await, all);
    assert_eq!(list(Some("app")).await, all[1..]);
    assert_eq!(ok(node.ledger.collections(&ben(), None).await), []);
}
