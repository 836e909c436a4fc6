//! What a ledger measures of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::unreadable::Unreadable;
use crate::loops::Loops;
use crate::meters::{BATCHES, Counter, Histogram, Text, WRITES};

/// Waits, commits and batches of a ledger. Backends count, `/metrics` reads.
#[derive(Debug, Clone)]
pub struct LedgerMeters(Arc<Numbers>);

#[derive(Debug)]
struct Numbers {
    waits: Histogram,
    commits: Histogram,
    batches: Histogram,
    failures: Counter,
    loops: Loops,
    /// Bytes of the write-ahead log; `u64::MAX` where there is none.
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
    /// A write waited so long until its transaction began.
    pub fn waited(&self, time: Duration) {
        self.0.waits.took(time);
    }

    /// A transaction with so many writes ended after so long, in a commit or not.
    pub fn committed(&self, writes: usize, took: Duration, done: bool) {
        self.0.batches.observe(u64::try_from(writes).unwrap_or(u64::MAX));
        self.0.commits.took(took);
        if !done {
            self.0.failures.inc();
        }
    }

    /// The ledger's maintenance loops.
    pub(crate) fn loops(&self) -> &Loops {
        &self.0.loops
    }

    /// The write-ahead log has so many bytes; for backends that have one of their own.
    pub fn log_has(&self, bytes: u64) {
        self.0.log.store(bytes, Ordering::Relaxed);
    }

    /// How many stored rows this process could not read, each counted once and named in the log.
    pub fn unreadable_rows(&self) -> u64 {
        self.0.unreadable.count().get()
    }

    #[cfg(feature = "platform")]
    pub(super) fn unreadable(&self) -> &Unreadable {
        &self.0.unreadable
    }

    pub(crate) fn text(&self, text: &mut Text) {
        let Numbers { waits, commits, batches, failures, unreadable, log, .. } = &*self.0;
        let name = "imperal_ledger_queue_seconds";
        text.metric(name, "histogram", "How long writes wait until their transaction begins.");
        text.histogram(name, &[], waits);
        let name = "imperal_ledger_commit_seconds";
        text.metric(
            name,
            "histogram",
            "Transactions of the ledger from begin to commit, on PostgreSQL with the way there.",
        );
        text.histogram(name, &[], commits);
        let name = "imperal_ledger_batch_writes";
        text.metric(name, "histogram", "How many writes share a transaction.");
        text.histogram(name, &[], batches);
        let log = log.load(Ordering::Relaxed);
        if log < u64::MAX {
            let name = "imperal_ledger_wal_bytes";
            text.metric(name, "gauge", "Size of the write-ahead log beside the ledger's file.");
            text.sample(name, &[], log);
        }
        text.counter("imperal_ledger_commit_failures_total", "Transactions that did not come about.", failures);
        let help = "Stored rows that could not be read, each counted once; the log names them.";
        text.counter("imperal_ledger_unreadable_rows_total", help, unreadable.count());
    }
}
