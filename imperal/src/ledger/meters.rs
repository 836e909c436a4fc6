//! The measurements of a ledger, and their form in `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::unreadable::Unreadable;
use crate::loops::Loops;
#[cfg(feature = "platform")]
use crate::meters::Text;
use crate::meters::{BATCHES, Counter, Histogram, WRITES};

/// Waits, transactions and batches of a ledger. Backends count them, `/metrics` reads them.
#[derive(Debug, Clone)]
pub struct LedgerMeters(Arc<Numbers>);

#[derive(Debug)]
struct Numbers {
    waits: Histogram,
    commits: Histogram,
    batches: Histogram,
    failures: Counter,
    loops: Loops,
    /// Bytes of the write-ahead log; `u64::MAX` if there is none.
    log: AtomicU64,
    unreadable: Unreadable,
}

impl Default for LedgerMeters {
    fn default() -> Self {
        let numbers = Numbers {
            waits: Histogram::new(&WRITES),
            commits: Histogram::new(&WRITES),
            batches: Histogram::new(&BATCHES),
            failures: Counter::default(),
            loops: Loops::default(),
            log: AtomicU64::new(u64::MAX),
            unreadable: Unreadable::default(),
        };
        Self(Arc::new(numbers))
    }
}

impl LedgerMeters {
    /// Records how long a write waited until its transaction began.
    pub fn record_wait(&self, time: Duration) {
        self.0.waits.took(time);
    }

    /// Records a transaction: its number of writes, its duration, and whether it was committed.
    pub fn record_transaction(&self, writes: usize, took: Duration, committed: bool) {
        self.0.batches.observe(u64::try_from(writes).unwrap_or(u64::MAX));
        self.0.commits.took(took);
        if !committed {
            self.0.failures.inc();
        }
    }

    /// The ledger's maintenance loops.
    pub(crate) fn loops(&self) -> &Loops {
        &self.0.loops
    }

    /// Records the size of the write-ahead log, for backends that keep one.
    pub fn set_log_bytes(&self, bytes: u64) {
        self.0.log.store(bytes, Ordering::Relaxed);
    }

    /// How many stored rows this process could not read. Each is counted once and named in the log.
    pub fn unreadable_rows(&self) -> u64 {
        self.0.unreadable.count().get()
    }

    /// How many transactions failed and were rolled back. A refusal by a rule of the contract is no failure.
    pub fn failed_transactions(&self) -> u64 {
        self.0.failures.get()
    }

    #[cfg(feature = "platform")]
    pub(super) fn unreadable(&self) -> &Unreadable {
        &self.0.unreadable
    }

    #[cfg(feature = "platform")]
    pub(crate) fn text(&self, text: &mut Text) {
        let Numbers { waits, commits, batches, failures, unreadable, log, .. } = &*self.0;
        let name = "imperal_ledger_queue_seconds";
        text.metric(name, "histogram", "Time from a write's request to the begin of its transaction.");
        text.histogram(name, &[], waits);
        let name = "imperal_ledger_commit_seconds";
        text.metric(name, "histogram", "Duration of the ledger's transactions, on PostgreSQL with the round trip.");
        text.histogram(name, &[], commits);
        let name = "imperal_ledger_batch_writes";
        text.metric(name, "histogram", "Writes in one transaction.");
        text.histogram(name, &[], batches);
        let log = log.load(Ordering::Relaxed);
        if log < u64::MAX {
            let name = "imperal_ledger_wal_bytes";
            text.metric(name, "gauge", "Size of the write-ahead log of the ledger's file.");
            text.sample(name, &[], log);
        }
        text.counter(
            "imperal_ledger_commit_failures_total",
            "Transactions that failed and were rolled back.",
            failures,
        );
        let help = "Stored rows that could not be read. Each is counted once and named in the log.";
        text.counter("imperal_ledger_unreadable_rows_total", help, unreadable.count());
    }
}
