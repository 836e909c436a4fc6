//! Documents: written by open work of their owner, all of a request or none, and by nobody else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::Backend;
use super::durable::{attempt, step};
use super::scene::{Node, all_of, anna, assert_one_winner, ben, new_audit, ok};
use crate::ids::CallId;
use crate::ledger::{
    Attempt, DocumentConflict, DocumentLimits, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Expected,
    Expiry, Fence, LedgerError, NewDocument, Owner, Release, RetentionPolicy, StoredDocument, TaskState, Work,
    WrittenDocument,
};

/// A request of its own.
pub(super) fn request(writes: Vec<DocumentWrite>) -> DocumentWrites {
    static LAST: AtomicI64 = AtomicI64::new(0);
    DocumentWrites::new("app", LAST.fetch_add(1, Ordering::SeqCst) + 1, writes)
}

pub(super) fn put(id: &str, body: &str) -> DocumentWrite {
    DocumentWrite::put("things", id, NewDocument::new(body))
}

pub(super) fn things(owner: &Owner) -> DocumentSpace {
    DocumentSpace::new(owner.clone(), "app", "things")
}

fn conflict<T>(place: usize, found: u64) -> Result<T, LedgerError> {
    Err(LedgerError::DocumentConflict(DocumentConflict::new(place, found)))
}

impl Node {
    pub(super) fn work(&self, work: Work) -> DocumentSource {
        DocumentSource::Work(Fence { incarnation: self.incarnation.clone(), work })
    }

    pub(super) async fn write(
        &self,
        owner: &Owner,
        call_id: CallId,
        writes: DocumentWrites,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        self.ledger.write_documents(owner, self.work(Work::Call(call_id)), writes).await
    }

    pub(super) async fn write_in_step(
        &self,
        attempt: Attempt,
        ordinal: u16,
        writes: DocumentWrites,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        self.ledger.store_step_with_documents(&self.incarnation, attempt, step(ordinal), writes).await
    }

    /// The document of this owner in the collection of most checks.
    pub(super) async fn document(&self, owner: &Owner, id: &str) -> Option<StoredDocument> {
        ok(self.ledger.documents(&things(owner), &[id.to_owned()]).await).pop()
    }

    async fn bodies(&self, owner: &Owner, ids: &[&str]) -> Vec<Option<String>> {
        let mut bodies = Vec::new();
        for id in ids {
            bodies.push(self.document(owner, id).await.map(|document| document.body));
        }
        bodies
    }
}

/// With its id, its times and everything that its program stored with it. It makes no event and no audit row.
pub async fn document_comes_back_as_it_was_written(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let call_id = node.call(&anna()).await;
    let before = node.look(&anna()).await;
    let body =
        r#"{"z":1,"a":"ü \"q\" \\ \u0000 日本","big":123456789012345678901234567890,"f":1.50,"n":null,"z2":[{}]}"#;
    for id in ["one", "ü/日本 \\ '\"", "nul \0 and \\000", "x".repeat(512).as_str()] {
        let new = NewDocument::new(body).shape(3).keyed(7, vec![(1, b"\x00\xffkey".to_vec())]);
        let keys = [(1, [b"\x00\xffkey", id.as_bytes()].concat())];
        let new = new.keyed(7, keys.to_vec());
        let written = ok(node.write(&anna(), call_id, request(vec![DocumentWrite::put("things", id, new)])).await);
        assert!(matches!(&*written, [WrittenDocument { existed: false, version: 1.. }]), "{written:?}");
        let Some(stored) = other.document(&anna(), id).await else { panic!("{id:?} is not there") };
        assert_eq!((&*stored.id, &*stored.body), (id, body));
        assert_eq!((stored.version, stored.shape, stored.index_set), (written[0].version, 3, 7));
        assert_eq!((stored.created_at, stored.expires_at), (stored.updated_at, None));
        let changed = DocumentWrite::put("things", id, NewDocument::new("{}").shape(4));
        let again = ok(node.write(&anna(), call_id, request(vec![changed])).await);
        assert!(again[0].existed && again[0].version > written[0].version, "{again:?}");
        let Some(second) = other.document(&anna(), id).await else { panic!("{id:?} is gone") };
        assert_eq!((second.created_at, &*second.body, second.shape), (stored.created_at, "{}", 4));
        assert!(second.updated_at >= stored.updated_at);
        let gone = ok(node.write(&anna(), call_id, request(vec![DocumentWrite::delete("things", id)])).await);
        assert_eq!(gone, [WrittenDocument { version: 0, existed: true }]);
        assert_eq!(other.document(&anna(), id).await, None);
        let gone = ok(node.write(&anna(), call_id, request(vec![DocumentWrite::delete("things", id)])).await);
        assert_eq!(gone, [WrittenDocument { version: 0, existed: false }]);
    }
    assert_eq!(node.look(&anna()).await, before, "a document makes no event and no audit row");
}

/// Nothing of the request is written then.
pub async fn another_document_than_expected_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let write = async |writes: Vec<DocumentWrite>| node.write(&anna(), call_id, request(writes)).await;
    let [first, second] = ok(write(vec![put("a", "1"), put("b", "2")]).await)[..] else { panic!("two versions") };
    let cases = [
        (put("a", "9").expecting(Expected::Absent), first.version),
        (put("a", "9").expecting(Expected::Version(second.version)), first.version),
        (put("c", "9").expecting(Expected::Version(first.version)), 0),
        (DocumentWrite::delete("things", "a").expecting(Expected::Version(second.version)), first.version),
        (DocumentWrite::delete("things", "c").expecting(Expected::Version(first.version)), 0),
    ];
    for (refused, found) in cases {
        let writes = vec![put("b", "9"), DocumentWrite::delete("things", "a"), put("a", "1"), refused.clone()];
        let writes = if found == 0 { writes } else { vec![put("b", "9"), put("d", "9"), refused] };
        let place = writes.len() - 1;
        assert_eq!(write(writes).await, conflict(place, found));
        assert_eq!(node.bodies(&anna(), &["a", "b", "c", "d"]).await, [Some("1".into()), Some("2".into()), None, None]);
    }
    let right = [
        put("a", "3").expecting(Expected::Version(first.version)),
        put("c", "3").expecting(Expected::Absent),
        DocumentWrite::delete("things", "b").expecting(Expected::Version(second.version)),
    ];
    ok(write(right.to_vec()).await);
    assert_eq!(node.bodies(&anna(), &["a", "b", "c"]).await, [Some("3".into()), None, Some("3".into())]);
    // The writes of a request happen in their order.
    let Some(a) = node.document(&anna(), "a").await else { panic!("it was written") };
    let in_order = [
        put("a", "4").expecting(Expected::Version(a.version)),
        DocumentWrite::delete("things", "a"),
        put("a", "5").expecting(Expected::Absent),
    ];
    ok(write(in_order.to_vec()).await);
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("5".into())]);
}

/// A document that was deleted and made again is another document for a writer that has read the first.
pub async fn versions_never_come_back(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let first = ok(node.write(&anna(), call_id, request(vec![put("a", "1")])).await)[0];
    ok(node.write(&anna(), call_id, request(vec![DocumentWrite::delete("things", "a")])).await);
    let again = ok(node.write(&anna(), call_id, request(vec![put("a", "1")])).await)[0];
    assert!(again.version > first.version);
    let late = put("a", "2").expecting(Expected::Version(first.version));
    assert_eq!(node.write(&anna(), call_id, request(vec![late])).await, conflict(0, again.version));
}

/// Not in the same tenant and not by names that run together.
pub async fn owners_and_extensions_share_no_documents(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let owners = [anna(), ben(), Owner::new("tenan", "tanna"), Owner::new("other", "anna")];
    for (place, owner) in owners.iter().enumerate() {
        let call_id = node.call(owner).await;
        ok(node.write(owner, call_id, request(vec![put("a", &place.to_string())])).await);
    }
    for (place, owner) in owners.iter().enumerate() {
        assert_eq!(node.bodies(owner, &["a"]).await, [Some(place.to_string())]);
        for (app, collection) in [("other", "things"), ("app", "other"), ("appthings", "")] {
            let space = DocumentSpace::new(owner.clone(), app, collection);
            assert_eq!(ok(node.ledger.documents(&space, &["a".to_owned()]).await), []);
        }
        assert_eq!(ok(node.ledger.collections(owner, None).await).len(), 1);
    }
    let call_id = node.call(&ben()).await;
    ok(node.write(&ben(), call_id, request(vec![DocumentWrite::delete("things", "a")])).await);
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("0".to_owned())]);
}

/// Every refusal leaves no document.
pub async fn document_write_needs_open_work_of_its_owner(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let call_id = node.call(&anna()).await;
    let task_id = node.durable(&anna()).await;
    let write = async |node: &Node, owner: &Owner, work| {
        let writes = request(vec![put("a", "1")]);
        node.ledger.write_documents(owner, node.work(work), writes).await.map(|_| ())
    };
    let [call, task] = [Work::Call(call_id), Work::Task(attempt(task_id, 1))];
    for work in [call, task] {
        assert_eq!(write(&node, &ben(), work).await, Err(LedgerError::NotFound), "{work:?}");
        assert_eq!(write(&node, &Owner::new("no", "one"), work).await, Err(LedgerError::NotFound), "{work:?}");
        assert_eq!(write(&other, &anna(), work).await, Err(LedgerError::NotHolder), "{work:?}");
    }
    assert_eq!(write(&node, &anna(), Work::Call(CallId::generate())).await, Err(LedgerError::NotFound));
    assert_eq!(write(&node, &anna(), Work::Task(attempt(task_id, 2))).await, Err(LedgerError::NotHolder));
    ok(node.reply(call_id).await);
    assert_eq!(write(&node, &anna(), call).await, Err(LedgerError::AlreadyReplied));
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    assert_eq!(write(&node, &anna(), task).await, Err(LedgerError::NotHolder));
    assert_eq!(node.claim_one().await.record.task.attempt, 2);
    assert_eq!(write(&node, &anna(), task).await, Err(LedgerError::NotHolder), "a zombie of the first attempt");
    assert_eq!(node.document(&anna(), "a").await, None);
    ok(write(&node, &anna(), Work::Task(attempt(task_id, 2))).await);
    ok(node.end(attempt(task_id, 2), TaskState::Succeeded).await);
    let ended = request(vec![put("a", "2")]);
    let source = node.work(Work::Task(attempt(task_id, 2)));
    assert_eq!(node.ledger.write_documents(&anna(), source, ended).await, Err(LedgerError::AlreadyEnded));
    let call_id = node.call(&anna()).await;
    node.crash().await;
    assert_eq!(write(&node, &anna(), Work::Call(call_id)).await, Err(LedgerError::Fenced));
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("1".to_owned())]);
}

/// Both or neither, and once.
pub async fn documents_and_their_step_are_stored_together(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let (of, other) = (attempt(task_id, 1), attempt(node.durable(&ben()).await, 1));
    ok(node.write_in_step(of, 1, request(vec![put("a", "1"), put("b", "1")])).await);
    assert_eq!(node.bodies(&anna(), &["a", "b"]).await, [Some("1".into()), Some("1".into())]);
    assert_eq!(node.document(&ben(), "a").await, None, "the documents are those of the task's owner");
    // A conflict leaves no step.
    let stale = request(vec![put("c", "1"), put("a", "2").expecting(Expected::Absent)]);
    assert!(matches!(node.write_in_step(of, 2, stale).await, Err(LedgerError::DocumentConflict(_))));
    assert_eq!(node.document(&anna(), "c").await, None);
    assert_eq!(node.steps(task_id).await.len(), 1);
    // A step that exists leaves no document.
    let repeated = node.write_in_step(of, 1, request(vec![put("a", "3")])).await;
    assert_eq!(repeated, Err(LedgerError::IdExists));
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("1".to_owned())]);
    let steps = vec![node.write_in_step(of, 2, request(vec![put("a", "4")])).await];
    assert_one_winner(&steps, &LedgerError::NotHolder);
    ok(node.write_in_step(other, 1, request(vec![put("a", "5")])).await);
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("4".to_owned())]);
    // The leftover of an earlier attempt writes neither.
    ok(node.release(of, Release::HandOver).await);
    node.claim_one().await;
    let zombie = node.write_in_step(of, 3, request(vec![put("a", "6")])).await;
    assert_eq!(zombie, Err(LedgerError::NotHolder));
    assert_eq!((node.steps(task_id).await.len(), node.bodies(&anna(), &["a"]).await), (2, vec![Some("4".to_owned())]));
    let background = node.detached(&anna()).await;
    let not_durable = node.write_in_step(attempt(background, 1), 1, request(vec![put("a", "7")])).await;
    assert_eq!(not_durable, Err(LedgerError::NotFound));
}

/// A writer whose answer was lost learns the versions.
pub async fn repeated_request_writes_once(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let (call_id, other_call) = (node.call(&anna()).await, other.call(&anna()).await);
    let new = request(vec![
        put("a", "1").expecting(Expected::Absent),
        put("b", "1").expecting(Expected::Absent),
        DocumentWrite::delete("things", "c"),
    ]);
    let first = ok(node.write(&anna(), call_id, new.clone()).await);
    let again = ok(node.write(&anna(), call_id, new.clone()).await);
    let versions = |all: &[WrittenDocument]| all.iter().map(|one| one.version).collect::<Vec<_>>();
    assert_eq!(versions(&first), versions(&again));
    ok(other.write(&anna(), other_call, request(vec![put("a", "2")])).await);
    let late = ok(node.write(&anna(), call_id, new.clone()).await);
    assert_eq!((late[0].version, late[1].version), (0, first[1].version), "the first document is another one now");
    assert_eq!(node.bodies(&anna(), &["a", "b"]).await, [Some("2".into()), Some("1".into())]);
}

/// Each of many writers on two nodes adds to one document what it read.
pub async fn racing_writers_lose_no_change(backend: &impl Backend) {
    let nodes = [Node::start(backend, "n").await, Node::start(backend, "m").await];
    let call_id = nodes[0].call(&anna()).await;
    ok(nodes[0].write(&anna(), call_id, request(vec![put("n", "0")])).await);
    let mut writers = Vec::new();
    for writer in 0..8 {
        let node = nodes[writer % 2].clone();
        let call_id = node.call(&anna()).await;
        writers.push(tokio::spawn(async move {
            let mut added = 0;
            while added < 5 {
                let Some(stored) = node.document(&anna(), "n").await else { panic!("it is gone") };
                let next = stored.body.parse::<u32>().map_or(0, |n| n + 1).to_string();
                let new = put("n", &next).expecting(Expected::Version(stored.version));
                match node.write(&anna(), call_id, request(vec![new])).await {
                    Ok(_) => added += 1,
                    Err(LedgerError::DocumentConflict(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    all_of(writers).await;
    assert_eq!(nodes[1].bodies(&anna(), &["n"]).await, [Some("40".to_owned())]);
}

/// Also the one of bytes; and a write that makes them fewer is never refused.
pub async fn limits_of_documents_hold_in_races(backend: &impl Backend) {
    let nodes = [Node::start(backend, "n").await, Node::start(backend, "m").await];
    let few = DocumentLimits::new(10, 1000);
    let mut writers = Vec::new();
    for writer in 0..16 {
        let node = nodes[writer % 2].clone();
        let call_id = node.call(&anna()).await;
        let new = request(vec![put(&format!("d{writer:02}"), "1")]).limits(few);
        writers.push(tokio::spawn(async move { node.write(&anna(), call_id, new).await }));
    }
    let outcomes = all_of(writers).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(LedgerError::TooManyDocuments(10)));
    assert_eq!(refused.count(), 6);
    let [used] = &ok(nodes[0].ledger.collections(&anna(), Some("app")).await)[..] else { panic!("one collection") };
    assert_eq!((used.documents, used.bytes), (10, 40));
    let call_id = nodes[0].call(&anna()).await;
    let write = async |writes: Vec<DocumentWrite>, limits| {
        nodes[0].write(&anna(), call_id, request(writes).limits(limits)).await.map(|_| ())
    };
    let Some(first) = outcomes.iter().position(Result::is_ok) else { panic!("ten were written") };
    let id = format!("d{first:02}");
    // 40 bytes are stored, 960 are left.
    assert_eq!(write(vec![put(&id, &"1".repeat(962))], few).await, Err(LedgerError::TooManyDocumentBytes(1000)));
    ok(write(vec![put(&id, &"1".repeat(961))], few).await);
    assert_eq!(write(vec![put(&id, &"1".repeat(962))], few).await, Err(LedgerError::TooManyDocumentBytes(1000)));
    // The limits were lowered: what makes it less is written.
    let low = DocumentLimits::new(2, 10);
    ok(write(vec![put(&id, &"1".repeat(500))], low).await);
    ok(write(vec![DocumentWrite::delete("things", &id)], low).await);
    assert_eq!(write(vec![put(&id, "1")], low).await, Err(LedgerError::TooManyDocuments(2)));
    ok(write(vec![put(&id, "1")], few).await);
    // Another owner and another extension have their own.
    let call_id = nodes[0].call(&ben()).await;
    ok(nodes[0].write(&ben(), call_id, request(vec![put("d", "1")]).limits(few)).await);
    let [used] = &ok(nodes[0].ledger.collections(&anna(), Some("app")).await)[..] else { panic!("one collection") };
    assert_eq!((used.documents, used.bytes), (10, 40));
}

/// With the audit row in the same transaction, and without the audit row when it is refused.
pub async fn operator_writes_are_audited(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let before = node.look(&anna()).await;
    let write = async |writes| {
        let source = DocumentSource::Operator(new_audit(&anna(), "documents.import"));
        node.ledger.write_documents(&anna(), source, request(writes)).await
    };
    ok(write(vec![put("a", "1")]).await);
    let after = node.look(&anna()).await;
    assert_eq!((after.audit.len(), after.head), (before.audit.len() + 1, before.head));
    assert_eq!(after.audit.last().map(|row| &*row.body.action), Some("documents.import"));
    assert!(matches!(
        write(vec![put("a", "2").expecting(Expected::Absent)]).await,
        Err(LedgerError::DocumentConflict(_))
    ));
    assert_eq!(node.look(&anna()).await, after);
    assert_eq!(node.bodies(&anna(), &["a"]).await, [Some("1".to_owned())]);
}

/// From their time on: for readers and for writers. Retention removes them and what they take of the limits.
pub async fn expired_documents_are_gone(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let hour = Duration::from_secs(3600);
    let with = |id: &str, expiry| DocumentWrite::put("things", id, NewDocument::new("1").expiry(expiry));
    let write = async |writes| node.write(&anna(), call_id, request(writes)).await;
    ok(write(vec![
        with("a", Expiry::In(hour)),
        with("b", Expiry::In(3 * hour)),
        with("c", Expiry::Never),
        with("d", Expiry::In(hour)),
        with("e", Expiry::In(hour)),
    ])
    .await);
    // `d` keeps its time, `e` loses it.
    ok(write(vec![with("d", Expiry::Keep), with("e", Expiry::Never)]).await);
    let Some(d) = node.document(&anna(), "d").await else { panic!("it is there") };
    assert_eq!(d.expires_at.map(|at| at.duration_since(d.created_at).as_secs()), Some(3600));
    backend.age_tasks(2 * hour).await;
    let there = ["a", "b", "c", "d", "e"];
    let found: Vec<_> = node.bodies(&anna(), &there).await.iter().map(Option::is_some).collect();
    assert_eq!(found, [false, true, true, false, true]);
    let written = ok(write(vec![with("a", Expiry::Keep).expecting(Expected::Absent)]).await);
    assert!(!written[0].existed);
    assert!(!ok(write(vec![DocumentWrite::delete("things", "d")]).await)[0].existed);
    ok(write(vec![with("f", Expiry::In(hour))]).await);
    backend.age_tasks(2 * hour).await;
    let (mut from, mut removed) = (Some(0), 0);
    while let Some(at) = from {
        let pruned = ok(node.ledger.prune(&RetentionPolicy::FOREVER, at, 1).await);
        (from, removed) = (pruned.next, removed + pruned.documents);
    }
    assert_eq!(removed, 2, "b and f");
    let [used] = &ok(node.ledger.collections(&anna(), None).await)[..] else { panic!("one collection") };
    assert_eq!((used.documents, used.bytes), (3, 6), "a, c and e");
    // Three of three: what was removed no longer counts.
    let full = request(vec![with("g", Expiry::Never)]).limits(DocumentLimits::new(4, 8));
    ok(node.write(&anna(), call_id, full).await);
}
