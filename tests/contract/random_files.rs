//! Random histories of files of two extensions on two nodes, on every backend: after each step the totals that the limits
//! use are the sums of a plain list.
//!
//! `PROPTEST_RNG_SEED` repeats a run, `PROPTEST_CASES` makes it longer.

use std::sync::Arc;
use std::time::Duration;

use imperal::ids::{CallId, FileId};
use imperal::ledger::conformance::Backend;
use imperal::ledger::{
    FileContent, FileLimits, FileRemoval, FileSource, Incarnation, Ledger, LedgerError, NewCall, NewFile, Owner, Role,
    TurnBody,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{InFile, InMemory};
use crate::postgres::InPostgres;

const LEASE: Duration = Duration::from_secs(100 * 24 * 3600);
const APPS: [&str; 2] = ["app", "other"];
/// The longest time that an expiring file is kept. Histories take less time, and each step of age more.
const KEPT: u64 = 1000;
const DAY: u64 = 24 * 3600;

#[derive(Debug, Clone)]
enum Op {
    Begin {
        node: usize,
        app: usize,
        size: u64,
        expires: bool,
    },
    Complete {
        which: usize,
        size: u64,
        is_stored: bool,
    },
    /// A call takes a file.
    Claim {
        which: usize,
    },
    Delete {
        node: usize,
        which: usize,
    },
    Age {
        by: u64,
    },
    Sweep {
        node: usize,
    },
    /// The node begins anew: what it has begun stays pending.
    Join {
        node: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..2_usize, 0..2_usize, 0..50_u64, prop::bool::weighted(0.3))
            .prop_map(|(node, app, size, expires)| Op::Begin { node, app, size, expires }),
        6 => (any::<usize>(), 0..50_u64, any::<bool>())
            .prop_map(|(which, size, is_stored)| Op::Complete { which, size, is_stored }),
        3 => any::<usize>().prop_map(|which| Op::Claim { which }),
        3 => (0..2_usize, any::<usize>()).prop_map(|(node, which)| Op::Delete { node, which }),
        1 => prop_oneof![Just(KEPT + 1), Just(DAY + 1)].prop_map(|by| Op::Age { by }),
        2 => (0..2_usize).prop_map(|node| Op::Sweep { node }),
        1 => (0..2_usize).prop_map(|node| Op::Join { node }),
    ]
}

#[derive(Debug, Clone)]
struct File {
    id: FileId,
    app: usize,
    size: u64,
    node: usize,
    /// The number of the node's incarnation that began it.
    begun_by: i64,
    has_content: bool,
    is_stored: bool,
    expires: bool,
    /// Seconds that have passed.
    age: u64,
}

impl File {
    fn is_there(&self) -> bool {
        !self.expires || self.age <= KEPT
    }

    /// The sweep deletes it.
    fn is_over(&self) -> bool {
        if self.is_stored { !self.is_there() } else { self.age > DAY }
    }
}

struct World {
    owner: Owner,
    nodes: [(Arc<dyn Ledger>, Incarnation); 2],
    /// Those that count.
    files: Vec<File>,
}

async fn join(backend: &impl Backend, node: usize) -> (Arc<dyn Ledger>, Incarnation) {
    let ledger = backend.open().await;
    let incarnation = ledger.join(&format!("node {node}"), LEASE).await.unwrap();
    (ledger, incarnation)
}

impl World {
    fn totals(&self, app: usize) -> (u64, u64) {
        let of_app = self.files.iter().filter(|file| file.app == app);
        of_app.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.size))
    }

    fn upload(&self, node: usize) -> FileSource {
        FileSource::Upload(self.nodes[node].1.clone())
    }

    async fn begin(&self, node: usize, file: NewFile) -> Result<(), LedgerError> {
        self.nodes[node].0.begin_file(&self.owner, self.upload(node), file).await
    }

    /// One file more is refused where these are allowed, and so is one byte more.
    async fn check(&self) {
        for (app, node) in [(0, 1), (1, 0)] {
            let (count, bytes) = self.totals(app);
            let new = || NewFile::new(FileId::generate(), APPS[app], "x").size(1);
            let refused = self.begin(node, new().limits(FileLimits::new(count, u64::MAX))).await;
            assert_eq!(refused, Err(LedgerError::TooManyFiles(count)));
            let refused = self.begin(node, new().limits(FileLimits::new(u64::MAX, bytes))).await;
            assert_eq!(refused, Err(LedgerError::TooManyFileBytes(bytes)));
            // And neither is counted as more than it is.
            let last = new().limits(FileLimits::new(count + 1, bytes + 1));
            self.begin(node, last.clone()).await.unwrap();
            assert!(self.delete(node, last.file_id).await);
        }
    }

    async fn delete(&self, node: usize, file_id: FileId) -> bool {
        self.nodes[node].0.delete_file(&self.owner, FileRemoval::default(), file_id).await.unwrap()
    }

    fn at(&self, which: usize) -> Option<usize> {
        which.checked_rem(self.files.len())
    }

    async fn apply(&mut self, backend: &impl Backend, op: Op) {
        match op {
            Op::Begin { node, app, size, expires } => {
                let id = FileId::generate();
                let keep_for = expires.then(|| Duration::from_secs(KEPT));
                let new = NewFile::new(id, APPS[app], "a").size(size).keep_for(keep_for);
                self.begin(node, new).await.unwrap();
                let begun_by = self.nodes[node].1.number;
                let (has_content, is_stored, age) = (false, false, 0);
                self.files.push(File { id, app, size, node, begun_by, has_content, is_stored, expires, age });
            }
            Op::Complete { which, size, is_stored } => {
                let Some(at) = self.at(which) else { return };
                let file = &self.files[at];
                let content = FileContent::new(file.id, "text/plain", size, [7; 32]).is_stored(is_stored);
                let completed =
                    self.nodes[file.node].0.complete_file(&self.owner, self.upload(file.node), content).await;
                let is_own = file.begun_by == self.nodes[file.node].1.number && file.is_there();
                let wanted = is_own && (!file.has_content || file.size == size);
                assert_eq!(completed.map(drop), if wanted { Ok(()) } else { Err(LedgerError::FileMissing(file.id)) });
                if wanted && !file.has_content {
                    let file = &mut self.files[at];
                    (file.size, file.has_content, file.is_stored) = (size, true, is_stored);
                }
            }
            Op::Claim { which } => {
                let Some(at) = self.at(which) else { return };
                let file = &self.files[at];
                let (ledger, incarnation) = &self.nodes[1 - file.node];
                let turn = TurnBody::new(Role::User, "text", APPS[file.app]);
                let call = NewCall::new(CallId::generate(), self.owner.clone(), turn);
                let claimed = ledger.accept_call_with_files(incarnation, call, vec![file.id]).await;
                let wanted = file.has_content && file.is_there();
                assert_eq!(claimed.map(drop), if wanted { Ok(()) } else { Err(LedgerError::FileMissing(file.id)) });
                self.files[at].is_stored |= wanted;
            }
            Op::Delete { node, which } => {
                let Some(at) = self.at(which) else { return };
                let is_there = self.files[at].is_there();
                assert_eq!(self.delete(node, self.files[at].id).await, is_there);
                if is_there {
                    self.files.remove(at);
                }
            }
            Op::Age { by } => {
                backend.age_tasks(Duration::from_secs(by)).await;
                self.files.iter_mut().for_each(|file| file.age += by);
            }
            Op::Sweep { node } => {
                let before = self.files.len();
                self.files.retain(|file| !file.is_over());
                let ledger = &self.nodes[node].0;
                let swept = ledger.sweep_files(10_000).await.unwrap();
                assert_eq!(swept.deleted, (before - self.files.len()) as u64);
                ledger.forget_files(&swept.due).await.unwrap();
            }
            Op::Join { node } => self.nodes[node] = join(backend, node).await,
        }
        self.check().await;
    }
}

fn check<B: Backend>(cases: u32, backend: impl Fn() -> B) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&prop::collection::vec(op(), 1..40), |ops| {
        runtime.block_on(async {
            let backend = backend();
            let nodes = [join(&backend, 0).await, join(&backend, 1).await];
            let mut world = World { owner: Owner::new("t", "anna"), nodes, files: Vec::new() };
            for op in ops {
                world.apply(&backend, op).await;
            }
        });
        Ok(())
    });
    ran.unwrap_or_else(|failed| panic!("{failed}"));
}

#[test]
fn totals_in_memory_are_the_sums_of_the_files() {
    check(200, InMemory::new);
}

#[test]
fn totals_in_a_file_are_the_sums_of_the_files() {
    check(20, InFile::new);
}

mod postgres {
    use super::*;

    #[test]
    fn totals_are_the_sums_of_the_files() {
        check(8, InPostgres::new);
    }
}
