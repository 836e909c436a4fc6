//! The write-ahead log: when it is checkpointed into the file, and the warning when it cannot be.
//!
//! SQLite moves no page that a reader may still need. So a transaction that another program leaves open keeps all
//! later pages in the log, which then grows with each write. The ledger's own reads are one statement each and do
//! not cause this.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::schema::PAGE_BYTES;
use crate::ledger::LedgerMeters;

/// Bytes of pages that are worth a checkpoint when no job waits.
const IDLE_BYTES: i64 = 4 << 20;

/// Bytes of pages that are checkpointed even if jobs wait.
const MOST_BYTES: i64 = 64 << 20;

/// How long the backlog may last before it is reported.
const REPORT_AFTER: Duration = Duration::from_secs(10);

/// The write-ahead log of one file.
#[derive(Debug)]
pub(super) struct Wal {
    file: PathBuf,
    path: PathBuf,
    page_bytes: i64,
    meters: LedgerMeters,
    backlog: Backlog,
}

/// How long at least [`MOST_BYTES`] have been waiting in spite of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backlog {
    None,
    Since(Instant),
    Reported,
}

/// What to log.
#[derive(Debug, PartialEq, Eq)]
enum Report {
    Nothing,
    Stuck,
    Cleared,
}

impl Backlog {
    fn observe(&mut self, waiting: i64, now: Instant) -> Report {
        let (next, report) = match *self {
            Self::Reported if waiting < MOST_BYTES => (Self::None, Report::Cleared),
            Self::Reported => (Self::Reported, Report::Nothing),
            _ if waiting < MOST_BYTES => (Self::None, Report::Nothing),
            Self::None => (Self::Since(now), Report::Nothing),
            Self::Since(begun) if now.duration_since(begun) >= REPORT_AFTER => (Self::Reported, Report::Stuck),
            Self::Since(begun) => (Self::Since(begun), Report::Nothing),
        };
        *self = next;
        report
    }
}

impl Wal {
    pub(super) fn new(path: &Path, conn: &Connection, meters: LedgerMeters) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        // A file that was made elsewhere has pages of its own size.
        let page_bytes = conn.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap_or(PAGE_BYTES);
        Self { file: name.into(), path: path.to_owned(), page_bytes, meters, backlog: Backlog::None }
    }

    /// Moves the log into the file when it has grown; sooner if the writer is idle.
    pub(super) fn checkpoint(&mut self, conn: &Connection, idle: bool) {
        let left_by = |mode: &str| {
            conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
                Ok((row.get::<_, i64>(1)? - row.get::<_, i64>(2)?).saturating_mul(self.page_bytes))
            })
        };
        let due = if idle { IDLE_BYTES } else { MOST_BYTES };
        let mut waiting = left_by("NOOP");
        if waiting.as_ref().is_ok_and(|waiting| *waiting >= due) {
            // PASSIVE waits for no lock. A later checkpoint moves the remaining pages.
            match left_by("PASSIVE") {
                Ok(left) => waiting = Ok(left),
                Err(error) => tracing::warn!("ledger: cannot move the log into the file: {error}"),
            }
        }
        let Ok(waiting) = waiting else { return };
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        self.meters.set_log_bytes(bytes);
        let path = self.path.display();
        match self.backlog.observe(waiting, Instant::now()) {
            Report::Nothing => {}
            Report::Stuck => tracing::warn!(
                bytes,
                "ledger: {path}-wal grows and cannot be moved into the file: another program keeps a transaction open \
                 on {path}. Find it (fuser -v {path}) and end its transaction; the log shrinks by itself then"
            ),
            Report::Cleared => tracing::info!(bytes, "ledger: {path}-wal is moved into the file again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_reported_once_and_its_end_once() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut backlog = Backlog::None;
        for second in 0..5 {
            assert_eq!(backlog.observe(MOST_BYTES, at(second)), Report::Nothing, "a burst is no fault");
        }
        assert_eq!(backlog.observe(0, at(5)), Report::Nothing);
        assert_eq!(backlog.observe(MOST_BYTES, at(6)), Report::Nothing, "counted from here");
        assert_eq!(backlog.observe(MOST_BYTES, at(15)), Report::Nothing);
        assert_eq!(backlog.observe(MOST_BYTES, at(16)), Report::Stuck);
        assert_eq!(backlog.observe(2 * MOST_BYTES, at(600)), Report::Nothing, "once");
        assert_eq!(backlog.observe(10, at(601)), Report::Cleared);
        assert_eq!(backlog.observe(10, at(602)), Report::Nothing);
    }
}
