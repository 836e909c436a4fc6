//! The checks of the ledger contract, each as one test per backend.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod damage;
mod model;
mod postgres;
mod random;
mod values;

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::conformance::{Backend, BoxFuture};
use imperal::ledger::{Clock, Ledger, ManualClock, MemoryLedger, SqliteLedger};

fn held_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn set_back(clock: &ManualClock, by: Duration) {
    clock.set(clock.now().checked_sub(jiff::SignedDuration::try_from(by).unwrap()).unwrap());
}

struct InMemory {
    clock: Arc<ManualClock>,
    ledger: Arc<MemoryLedger>,
}

impl InMemory {
    fn new() -> Self {
        let clock = held_clock();
        Self { clock: clock.clone(), ledger: Arc::new(MemoryLedger::with_clock(clock)) }
    }
}

impl Backend for InMemory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>> {
        let ledger: Arc<dyn Ledger> = self.ledger.clone();
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
        set_back(&self.clock, by);
        Box::pin(async {})
    }
}

/// Every handle is a separate `SqliteLedger`, as in two programs on one file.
struct InFile {
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl InFile {
    fn new() -> Self {
        Self { clock: held_clock(), folder: tempfile::tempdir().unwrap() }
    }
}

impl Backend for InFile {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>> {
        let path = self.folder.path().join("ledger.db");
        let ledger = SqliteLedger::open_with_clock(path, self.clock.clone()).unwrap();
        Box::pin(async move { Arc::new(ledger) as Arc<dyn Ledger> })
    }

    fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()> {
        self.clock.advance(lease);
        Box::pin(async {})
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.lapse(time)
    }

    fn set_back(&self, by: Duration) -> BoxFuture<'_, ()> {
        set_back(&self.clock, by);
        Box::pin(async {})
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
    let list = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
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
