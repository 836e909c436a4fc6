//! Random interleavings of two nodes that write and read documents, on every backend, against a plain model.
//!
//! Nodes come back as new incarnations, and what an earlier one still sends is refused. Requests are repeated. The
//! model is a map; it predicts each answer and every page. `PROPTEST_RNG_SEED` repeats a run, `PROPTEST_CASES` makes it
//! longer.

mod model;

use std::sync::Arc;
use std::time::Duration;

use imperal::ids::CallId;
use imperal::ledger::conformance::Backend;
use imperal::ledger::{
    Attempt, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Fence, Incarnation, Ledger,
    LedgerError, NewCall, NewDurable, NewStep, NewTask, Owner, PageLimit, Role, StepKind, TurnBody, Work,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::model::{Kind, LIMITS, Rows, Write, as_writes, body, id, index, predict, totals};
use super::{InFile, InMemory};
use crate::postgres::InPostgres;

const LEASE: Duration = Duration::from_secs(100_000);
const PAGE: PageLimit = PageLimit::rows(3);

#[derive(Debug, Clone)]
enum Op {
    /// A node writes for a call of an owner, or for a step of a task of the first owner.
    Write {
        node: usize,
        owner: usize,
        in_step: bool,
        writes: Vec<Write>,
    },
    /// The node repeats its last request.
    Repeat {
        node: usize,
    },
    /// An earlier incarnation writes.
    Zombie {
        which: usize,
        in_step: bool,
        writes: Vec<Write>,
    },
    /// The node begins anew.
    Join {
        node: usize,
    },
    Read {
        node: usize,
        owner: usize,
        low: u8,
        high: u8,
        descending: bool,
    },
}

fn write() -> impl Strategy<Value = Write> {
    let kind = prop_oneof![
        4 => Just(Kind::Put), 2 => Just(Kind::Insert), 2 => Just(Kind::Known), 1 => Just(Kind::Stale), 2 => Just(Kind::Delete)
    ];
    (0..9_u8, prop_oneof![0..8_u8, 200..203_u8], kind).prop_map(|(id, value, kind)| Write { id, value, kind })
}

fn op() -> impl Strategy<Value = Op> {
    let writes = || prop::collection::vec(write(), 1..4);
    prop_oneof![
        6 => (0..2_usize, 0..2_usize, prop::bool::weighted(0.3), writes())
            .prop_map(|(node, owner, in_step, writes)| Op::Write { node, owner, in_step, writes }),
        2 => (0..2_usize).prop_map(|node| Op::Repeat { node }),
        2 => (any::<usize>(), any::<bool>(), writes())
            .prop_map(|(which, in_step, writes)| Op::Zombie { which, in_step, writes }),
        1 => (0..2_usize).prop_map(|node| Op::Join { node }),
        4 => (0..2_usize, 0..2_usize, 0..8_u8, 0..9_u8, any::<bool>())
            .prop_map(|(node, owner, low, high, descending)| Op::Read { node, owner, low, high, descending }),
    ]
}

/// The owner, the writes and the number of a request.
type Request = (usize, Vec<(Write, DocumentWrite)>, i64);

/// An incarnation with a call of each owner and a task of the first.
struct Life {
    ledger: Arc<dyn Ledger>,
    incarnation: Incarnation,
    calls: [CallId; 2],
    attempt: Attempt,
    steps: u16,
    /// The last request of a call.
    last: Option<Request>,
}

struct World {
    owners: [Owner; 2],
    rows: [Rows; 2],
    /// The greatest version of each owner so far.
    versions: [u64; 2],
    nodes: [Life; 2],
    zombies: Vec<Life>,
    requests: i64,
}

fn turn() -> TurnBody {
    TurnBody::new(Role::Bot, "text", "app")
}

async fn join(ledger: Arc<dyn Ledger>, node: usize, owners: &[Owner; 2]) -> Life {
    let incarnation = ledger.join(&format!("node {node}"), LEASE).await.unwrap();
    let calls = [CallId::generate(), CallId::generate()];
    for (call_id, owner) in calls.into_iter().zip(owners) {
        ledger.accept_call(&incarnation, NewCall::new(call_id, owner.clone(), turn())).await.unwrap();
    }
    let new = NewTask::new(calls[0], owners[0].clone(), "app", "work").cap(Duration::from_secs(3600), false);
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    let attempt = ledger.start_task(&incarnation, new.durable(durable)).await.unwrap().attempt();
    Life { ledger, incarnation, calls, attempt, steps: 0, last: None }
}

impl Life {
    async fn write(
        &mut self,
        owner: (usize, &Owner),
        in_step: bool,
        request: DocumentWrites,
    ) -> Result<Vec<u64>, LedgerError> {
        let written = if in_step {
            self.steps += 1;
            let step = NewStep::new(self.steps, format!("step {}", self.steps), StepKind::Step, "1");
            self.ledger.store_step_with_documents(&self.incarnation, self.attempt, step, request).await
        } else {
            let fence = Fence::new(self.incarnation.clone(), Work::Call(self.calls[owner.0]));
            self.ledger.write_documents(owner.1, DocumentSource::Work(fence), request).await
        };
        written.map(|written| written.into_iter().map(|one| one.version).collect())
    }
}

impl World {
    async fn new(backend: &impl Backend) -> Self {
        let owners = [Owner::new("t", "anna"), Owner::new("t", "ben")];
        let nodes = [join(backend.open().await, 0, &owners).await, join(backend.open().await, 1, &owners).await];
        let (rows, versions) = (<[Rows; 2]>::default(), [0; 2]);
        Self { owners, rows, versions, nodes, zombies: Vec::new(), requests: 0 }
    }

    fn space(&self, owner: usize) -> DocumentSpace {
        DocumentSpace::new(self.owners[owner].clone(), "app", "things")
    }

    /// Sends a request and compares the answer.
    async fn send(
        &mut self,
        node: usize,
        owner: usize,
        in_step: bool,
        request: i64,
        writes: Vec<(Write, DocumentWrite)>,
    ) {
        let sent = writes.iter().map(|(_, sent)| sent.clone()).collect();
        let new = DocumentWrites::new("app", request, sent).limits(LIMITS);
        let wanted = predict(&self.rows[owner], &writes, request);
        let is_known = wanted.as_ref() == Ok(&self.rows[owner])
            && writes
                .iter()
                .any(|(write, _)| self.rows[owner].get(&write.id).is_some_and(|row| row.request == request));
        let written = self.nodes[node].write((owner, &self.owners[owner]), in_step, new).await;
        match (wanted, written) {
            (Ok(_), Ok(_)) if is_known => {}
            (Ok(mut after), Ok(versions)) => {
                assert_eq!(versions.len(), writes.len());
                for ((write, sent), version) in writes.iter().zip(&versions) {
                    if sent.document.is_none() {
                        assert_eq!(*version, 0);
                        continue;
                    }
                    assert!(*version > self.versions[owner], "versions only grow");
                    self.versions[owner] = *version;
                    // A later write of the request may have replaced or deleted it.
                    if let Some(row) = after.get_mut(&write.id) {
                        row.version = *version;
                    }
                }
                self.rows[owner] = after;
            }
            (Err(LedgerError::DocumentConflict(wanted)), Err(LedgerError::DocumentConflict(found))) => {
                assert_eq!(wanted.place, found.place, "{writes:?}");
                assert!(wanted.found == found.found || wanted.found == u64::MAX, "{wanted:?} {found:?}");
            }
            (wanted, written) => assert_eq!(wanted.map(drop), written.map(drop), "{writes:?}"),
        }
        if !in_step {
            self.nodes[node].last = Some((owner, writes, request));
        }
    }

    async fn apply(&mut self, backend: &impl Backend, op: Op) {
        match op {
            Op::Write { node, owner, in_step, writes } => {
                let owner = if in_step { 0 } else { owner };
                self.requests += 1;
                let sent = as_writes(&self.rows[owner], &writes);
                self.send(node, owner, in_step, self.requests, writes.into_iter().zip(sent).collect()).await;
            }
            Op::Repeat { node } => {
                if let Some((owner, writes, request)) = self.nodes[node].last.take() {
                    self.send(node, owner, false, request, writes).await;
                }
            }
            Op::Zombie { which, in_step, writes } => {
                self.requests += 1;
                let sent = as_writes(&self.rows[0], &writes);
                let request = DocumentWrites::new("app", self.requests, sent).limits(LIMITS);
                if let Some(at) = which.checked_rem(self.zombies.len()) {
                    let refused = self.zombies[at].write((0, &self.owners[0]), in_step, request).await;
                    assert_eq!(refused, Err(LedgerError::Fenced));
                }
            }
            Op::Join { node } => {
                let new = join(backend.open().await, node, &self.owners).await;
                let old = std::mem::replace(&mut self.nodes[node], new);
                self.zombies.push(old);
            }
            Op::Read { node, owner, low, high, descending } => self.read(node, owner, (low, high), descending).await,
        }
    }

    async fn read(&self, node: usize, owner: usize, (low, high): (u8, u8), descending: bool) {
        let (ledger, space, rows) = (&self.nodes[node].ledger, self.space(owner), &self.rows[owner]);
        let query = DocumentQuery::by_index(1).within(vec![low], vec![high]).descending(descending);
        let found = ledger.find_documents(&space, query.clone(), PAGE, PageLimit::rows(2)).await.unwrap();
        let mut keyed: Vec<_> =
            rows.iter().filter(|(_, row)| index(row.value) == 1 && (low..high).contains(&row.value)).collect();
        keyed.sort_by_key(|(id, row)| (row.value, **id));
        if descending {
            keyed.reverse();
        }
        let seen: Vec<_> = found.keyed.iter().map(|one| (one.id.clone(), one.version, one.body.clone())).collect();
        let wanted: Vec<_> =
            keyed.iter().take(3).map(|(id, row)| (model::id(**id), row.version, body(row.value))).collect();
        assert_eq!((seen, found.more), (wanted, keyed.len() > 3));
        assert_eq!(ledger.count_documents(&space, query).await, Ok(keyed.len() as u64));
        let others: Vec<_> =
            rows.iter().filter(|(_, row)| index(row.value) == 2).map(|(id, _)| model::id(*id)).collect();
        let seen: Vec<_> = found.others.iter().map(|one| one.id.clone()).collect();
        assert_eq!((&seen[..], found.more_others), (&others[..others.len().min(2)], others.len() > 2));
        self.read_all(node, owner).await;
    }

    async fn read_all(&self, node: usize, owner: usize) {
        let (ledger, space, rows) = (&self.nodes[node].ledger, self.space(owner), &self.rows[owner]);
        let all = PageLimit::rows(100);
        let found = ledger.find_documents(&space, DocumentQuery::by_id(), all, all).await.unwrap();
        let seen: Vec<_> = found.keyed.iter().map(|one| (one.id.clone(), one.version, one.body.clone())).collect();
        let wanted: Vec<_> = rows.iter().map(|(id, row)| (model::id(*id), row.version, body(row.value))).collect();
        assert_eq!(seen, wanted);
        let ids: Vec<_> = (0..9).map(id).collect();
        assert_eq!(ledger.documents(&space, &ids).await.unwrap().len(), rows.len());
        let uses = ledger.collections(&self.owners[owner], Some("app")).await.unwrap();
        let uses: Vec<_> = uses.into_iter().map(|one| (one.documents, one.bytes)).collect();
        assert_eq!(uses, if rows.is_empty() { Vec::new() } else { vec![totals(rows)] });
    }
}

fn check<B: Backend>(cases: u32, backend: impl Fn() -> B) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let ops = prop::collection::vec(op(), 1..60);
    let ran = runner.run(&ops, |ops| {
        runtime.block_on(async {
            let backend = backend();
            let mut world = World::new(&backend).await;
            for op in ops {
                world.apply(&backend, op).await;
            }
            for (node, owner) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                world.read_all(node, owner).await;
            }
        });
        Ok(())
    });
    ran.unwrap_or_else(|failed| panic!("{failed}"));
}

#[test]
fn two_nodes_in_memory_agree_with_the_model() {
    check(200, InMemory::new);
}

#[test]
fn two_handles_on_a_file_agree_with_the_model() {
    check(20, InFile::new);
}

mod postgres {
    use super::*;

    #[test]
    fn two_nodes_agree_with_the_model() {
        check(8, InPostgres::new);
    }
}
