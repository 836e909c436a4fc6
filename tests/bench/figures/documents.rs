//! Documents in SQLite: a page by a declared filter and order among the 100,000 documents of one user, a count, one
//! document by its id, and a write next to a bare synced commit of the same text.

use std::path::Path;
use std::time::Instant;

use imperal::ids::CallId;
use imperal::ledger::contract::{Calls, Documents, Leases};
use imperal::ledger::{
    DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Fence, Incarnation, NewCall,
    NewDocument, Owner, PageLimit, Role, SqliteLedger, TurnBody, Work,
};

use super::Size;
use super::durable::{bare, bare_commit};
use super::sample::{Sample, Table, time};

/// The number of the index and of its set.
const INDEX: i64 = 7;
const STATES: u32 = 10;
const PAGE: PageLimit = PageLimit::rows(50);

/// A key as the program makes it: status, time, id. Here each has a fixed length.
fn key(status: u32, at: u32, id: &str) -> Vec<u8> {
    [&status.to_be_bytes()[..], &at.to_be_bytes(), id.as_bytes()].concat()
}

fn document(n: u32) -> DocumentWrite {
    let (id, status) = (format!("{n:08}"), n % STATES);
    let body = format!(r#"{{"status":{status},"at":{n},"text":"{}"}}"#, "x".repeat(300));
    let keys = vec![(INDEX, key(status, n, &id))];
    DocumentWrite::put("things", id, NewDocument::new(body).keyed(INDEX, keys))
}

pub(crate) async fn run(size: Size, folder: &Path, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let ledger = SqliteLedger::open(folder.path().join("ledger.db")).unwrap();
    let incarnation = ledger.join("bench", std::time::Duration::from_secs(3600)).await.unwrap();
    let owner = Owner::new("bench", "anna");
    let fence = work(&ledger, &incarnation, &owner).await;
    let documents = u32::try_from(size.of(100_000, 200)).unwrap();
    let mut request = 0;
    let mut write = async |writes: Vec<DocumentWrite>| {
        request += 1;
        let source = DocumentSource::Work(fence.clone());
        ledger.write_documents(&owner, source, DocumentWrites::new("bench", request, writes)).await.unwrap();
    };
    for first in (0..documents).step_by(200) {
        write((first..(first + 200).min(documents)).map(document).collect()).await;
    }

    let space = DocumentSpace::new(owner.clone(), "bench", "things");
    let of_status = |status: u32| {
        let query = DocumentQuery::by_index(INDEX);
        query.within(status.to_be_bytes().to_vec(), (status + 1).to_be_bytes().to_vec()).descending(true)
    };
    let (mut page, mut count, mut one) = (Sample::default(), Sample::default(), Sample::default());
    for round in 0..u32::try_from(size.of(1000, 3)).unwrap() {
        let begun = Instant::now();
        let found = ledger.find_documents(&space, of_status(round % STATES), PAGE, PAGE).await.unwrap();
        page.push(begun.elapsed());
        assert!(!found.keyed.is_empty());
        let begun = Instant::now();
        let counted = ledger.count_documents(&space, of_status(round % STATES)).await.unwrap();
        count.push(begun.elapsed());
        assert_eq!(counted, u64::from(documents / STATES));
        let id = format!("{:08}", (round * 97) % documents);
        let begun = Instant::now();
        let found = ledger.documents(&space, &[id]).await.unwrap();
        one.push(begun.elapsed());
        assert_eq!(found.len(), 1);
    }

    let mut conn = bare(folder.path());
    let (mut bare_row, mut written) = (Sample::default(), Sample::default());
    for n in 0..u32::try_from(size.of(1000, 3)).unwrap() {
        let new = document((n * 101) % documents);
        let body = new.document.as_ref().unwrap().body.clone();
        let took;
        (conn, took) = bare_commit(conn, body).await;
        bare_row.push(took);
        let begun = Instant::now();
        write(vec![new]).await;
        written.push(begun.elapsed());
    }
    let both = |sample: &mut Sample| format!("{} ({})", time(sample.median()), time(sample.at(0.99)));
    table.row(
        format!("50 of {documents} documents of one user by a declared filter and order, p50 (p99)"),
        both(&mut page),
        "1 ms",
    );
    table.row(format!("a count of {} by the same filter, p50 (p99)", documents / STATES), both(&mut count), "");
    table.row("a document by its id, p50 (p99)", both(&mut one), "");
    table.row(
        "one document written, to a bare synced commit",
        format!("{:.2} x", written.median() / bare_row.median()),
        "",
    );
}

/// A call at work, which may write documents.
async fn work(ledger: &SqliteLedger, incarnation: &Incarnation, owner: &Owner) -> Fence {
    let call_id = CallId::generate();
    let call = NewCall::new(call_id, owner.clone(), TurnBody::new(Role::User, "?", "bench"));
    ledger.accept_call(incarnation, call).await.unwrap();
    Fence::new(incarnation.clone(), Work::Call(call_id))
}
