//! Promises of this backend alone: the file, its schema, its errors, its query plans.
//!
//! The conformance suite tests the rules of the contract.

mod document_plans;
mod durable;
mod ends;
mod file;
mod questions;
mod reading;
mod schedule_plans;
mod synced;
mod trail;
mod writing;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::job::Weight;
use super::{SqliteLedger, operators, ops, queues, reads, schema};
use crate::ids::CallId;
use crate::ledger::{
    Incarnation, Ledger, LedgerError, MessageSource, NewCall, Owner, PageLimit, Role, SystemClock, TurnBody,
};

const LEASE: Duration = Duration::from_secs(60);

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn open(&self) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(self.file())
    }

    /// A connection as the ledger has it, whose plans do not depend on values.
    fn connect(&self) -> Connection {
        schema::connect(&self.file(), schema::BUSY).unwrap()
    }

    /// Waits only 20 ms for a lock.
    fn open_hasty(&self) -> SqliteLedger {
        let clock = std::sync::Arc::new(SystemClock);
        SqliteLedger::open_waiting(&self.file(), clock, Duration::from_millis(20)).unwrap()
    }
}

fn turn(text: &str) -> TurnBody {
    TurnBody::new(Role::User, text, "app")
}

fn anna() -> Owner {
    Owner::new("t", "anna")
}

async fn accept(ledger: &SqliteLedger, incarnation: &Incarnation, text: &str) -> Result<u64, LedgerError> {
    let call = NewCall { call_id: CallId::generate(), owner: anna(), turn: turn(text), max_stored: None };
    Ok(ledger.accept_call(incarnation, call).await?.seq)
}

/// Runs `batch` so that its jobs become one transaction: another job keeps the writer busy while they are queued.
async fn as_one_batch<T>(ledger: &SqliteLedger, batch: impl Future<Output = T>) -> T {
    let (begin, mut ready) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = ledger.writer.write(Weight::Light, move |_| {
        begin.send(()).unwrap();
        wait.recv().unwrap();
        Ok(())
    });
    let batch = async {
        ready.recv().await.unwrap();
        // The batch is polled first; one poll queues each of its jobs.
        let go = async { go.send(()).unwrap() };
        tokio::join!(biased; batch, go).0
    };
    let (busy, batch) = tokio::join!(busy, batch);
    assert_eq!(busy, Ok(()));
    batch
}

#[track_caller]
fn unusable<T: std::fmt::Debug>(outcome: Result<T, LedgerError>, way_out: &str) {
    match outcome {
        Err(LedgerError::Unusable(why)) => assert!(why.contains(way_out) && why.contains("ledger.db"), "{why}"),
        other => panic!("expected Unusable, got {other:?}"),
    }
}
