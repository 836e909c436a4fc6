//! The checks of the ledger contract, each as one test per backend.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod damage;
mod fairness;
mod model;
mod postgres;
mod random;
mod random_documents;
mod random_files;
mod values;

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::conformance::{Backend, BoxFuture};
use imperal::ledger::{Clock, Ledger, ManualClock, MemoryLedger, SqliteLedger};

fn held_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

/// A backend whose clock the test moves.
struct Held<S> {
    clock: Arc<ManualClock>,
    storage: S,
}

/// Where a [`Held`] backend keeps its rows.
trait Storage: Send + Sync {
    fn open(&self, clock: &Arc<ManualClock>) -> Arc<dyn Ledger>;
}

impl<S> Held<S> {
    fn with(make: impl FnOnce(&Arc<ManualClock>) -> S) -> Self {
        let clock = held_clock();
        Self { storage: make(&clock), clock }
    }
}

impl<S: Storage> Backend for Held<S> {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>> {
        let ledger = self.storage.open(&self.clock);
        Box::pin(async move { ledger })
    }

    fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()> {
        self.clock.advance(lease);
        Box::pin(async {})
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.lapse(time)
    }

    fn set_back(&self, by: Duration) -> BoxFuture<'_, ()> {
        let earlier = self.clock.now().checked_sub(jiff::SignedDuration::try_from(by).unwrap()).unwrap();
        self.clock.set(earlier);
        Box::pin(async {})
    }
}

/// Every handle is the one ledger.
type InMemory = Held<Arc<MemoryLedger>>;

impl InMemory {
    fn new() -> Self {
        Self::with(|clock| Arc::new(MemoryLedger::with_clock(clock.clone())))
    }
}

impl Storage for Arc<MemoryLedger> {
    fn open(&self, _: &Arc<ManualClock>) -> Arc<dyn Ledger> {
        self.clone()
    }
}

/// Every handle is a separate `SqliteLedger`, as in two programs on one file.
type InFile = Held<tempfile::TempDir>;

impl InFile {
    fn new() -> Self {
        Self::with(|_| tempfile::tempdir().unwrap())
    }
}

impl Storage for tempfile::TempDir {
    fn open(&self, clock: &Arc<ManualClock>) -> Arc<dyn Ledger> {
        Arc::new(SqliteLedger::open_with_clock(self.path().join("ledger.db"), clock.clone()).unwrap())
    }
}

mod memory {
    use super::InMemory;

    imperal::ledger_conformance!(InMemory::new());
}

mod sqlite {
    use super::InFile;

    imperal::ledger_conformance!(durable InFile::new());
}

/// The macro's list is written by hand; a check that is missing in it would never run.
#[test]
fn every_check_of_the_contract_is_listed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../imperal/src/ledger/conformance");
    let list = std::fs::read_to_string(folder.join("checks.rs")).unwrap();
    let listed: Vec<&str> = list.split_whitespace().collect();
    let mut checks = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split('(').next().unwrap();
            assert!(listed.contains(&name), "{name} is in no list");
            checks += 1;
        }
    }
    assert!(checks > 50, "found {checks} checks only");
}
