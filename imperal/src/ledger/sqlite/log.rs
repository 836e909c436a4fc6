//! The write-ahead log: when it is moved into the file, and what is said when it cannot be.
//!
//! SQLite moves no page that a reader may still need, so a transaction that another program leaves open keeps
//! all later pages in the log, which then grows with each write. Our own reads are one statement each and hold
//! nobody up.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::ledger::LedgerMeters;

/// Pages of log that are worth a checkpoint when there is nothing else to do.
const IDLE_PAGES: i64 = 1_000;

/// Pages of log that are checkpointed although jobs wait: 64 MiB.
const MOST_PAGES: i64 = 16_000;

/// How long so many pages may wait before it is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the writer knows of the log.
#[derive(Debug)]
pub(super) struct Log {
    file: PathBuf,
    path: PathBuf,
    meters: LedgerMeters,
    held: Held,
}

/// Whether more than [`MOST_PAGES`] wait although they were to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    No,
    Since(Instant),
    Told,
}

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Nothing,
    Held,
    Free,
}

impl Held {
    fn look(&mut self, waiting: i64, now: Instant) -> Word {
        let (next, word) = match *self {
            Self::Told if waiting < MOST_PAGES => (Self::No, Word::Free),
            Self::Told => (Self::Told, Word::Nothing),
            _ if waiting < MOST_PAGES => (Self::No, Word::Nothing),
            Self::No => (Self::Since(now), Word::Nothing),
            Self::Since(begun) if now.duration_since(begun) >= PATIENCE => (Self::Told, Word::Held),
            Self::Since(begun) => (Self::Since(begun), Word::Nothing),
        };
        *self = next;
        word
    }
}

impl Log {
    pub(super) fn new(path: &Path, meters: LedgerMeters) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        Self { file: name.into(), path: path.to_owned(), meters, held: Held::No }
    }

    /// Moves the log into the file when it has grown, best while nobody waits.
    pub(super) fn tidy(&mut self, conn: &Connection, idle: bool) {
        let pages = |mode: &str| {
            conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
                Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
            })
        };
        let due = if idle { IDLE_PAGES } else { MOST_PAGES };
        let mut waiting = pages("NOOP");
        if waiting.as_ref().is_ok_and(|waiting| *waiting >= due) {
            // PASSIVE waits for nobody. What is left, or failed, is done the next time.
            match pages("PASSIVE") {
                Ok(left) => waiting = Ok(left),
                Err(error) => tracing::warn!("ledger: cannot move the log into the file: {error}"),
            }
        }
        let Ok(waiting) = waiting else { return };
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        self.meters.log_has(bytes);
        let path = self.path.display();
        match self.held.look(waiting, Instant::now()) {
            Word::Nothing => {}
            Word::Held => tracing::warn!(
                bytes,
                "ledger: {path}-wal grows and cannot be moved into the file: another program keeps a transaction open \
                 on {path}. Find it (fuser -v {path}) and end its transaction; the log shrinks by itself then"
            ),
            Word::Free => tracing::info!(bytes, "ledger: {path}-wal is moved into the file again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_held_is_said_once_and_its_end_once() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut held = Held::No;
        for second in 0..5 {
            assert_eq!(held.look(MOST_PAGES, at(second)), Word::Nothing, "a burst is no fault");
        }
        assert_eq!(held.look(0, at(5)), Word::Nothing);
        assert_eq!(held.look(MOST_PAGES, at(6)), Word::Nothing, "counted from here");
        assert_eq!(held.look(MOST_PAGES, at(15)), Word::Nothing);
        assert_eq!(held.look(MOST_PAGES, at(16)), Word::Held);
        assert_eq!(held.look(2 * MOST_PAGES, at(600)), Word::Nothing, "once");
        assert_eq!(held.look(10, at(601)), Word::Free);
        assert_eq!(held.look(10, at(602)), Word::Nothing);
    }
}
