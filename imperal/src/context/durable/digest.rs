//! One digest of all rows of a durable task's history, for the audit row of its end.
//!
//! Steps make no audit rows of their own. The digest binds them to the chain: SHA-256 over the hashes of the rows in
//! the order of their ordinals. The hash of a row is SHA-256 over ordinal, kind, name and value with a line feed
//! between them; the SHA-256 of its log follows, if it has one. The log names the documents that a step wrote.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::scope::hex;
use crate::rows::StepKind;

/// The hashes of a task's rows.
#[derive(Debug, Default)]
pub(super) struct RowHashes {
    /// `None` for a row whose value has not been read.
    rows: BTreeMap<u16, Option<[u8; 32]>>,
    logs: BTreeMap<u16, [u8; 32]>,
}

impl RowHashes {
    pub(super) fn add(&mut self, ordinal: u16, kind: StepKind, name: &str, value: Option<&str>) {
        if kind == StepKind::Question {
            // Its value changes when it is answered, which has an audit row of its own.
            return;
        }
        let hash = value.map(|value| row_hash(ordinal, kind, name, value));
        self.rows.entry(ordinal).and_modify(|known| *known = known.or(hash)).or_insert(hash);
    }

    pub(super) fn add_log(&mut self, ordinal: u16, log: &str) {
        self.logs.insert(ordinal, Sha256::digest(log).into());
    }

    /// The rows whose value has to be read before there is a digest.
    pub(super) fn unread(&self) -> impl Iterator<Item = u16> {
        self.rows.iter().filter(|(_, hash)| hash.is_none()).map(|(ordinal, _)| *ordinal)
    }

    /// The digest; `None` if there are no rows or one has not been read.
    pub(super) fn digest(&self) -> Option<StepsDigest> {
        let (last, _) = self.rows.last_key_value()?;
        let mut digest = Sha256::new();
        for (ordinal, hash) in &self.rows {
            digest.update((*hash)?);
            if let Some(log) = self.logs.get(ordinal) {
                digest.update(log);
            }
        }
        Some(StepsDigest { rows: self.rows.len(), last: *last, sha256: digest.finalize().into() })
    }
}

fn row_hash(ordinal: u16, kind: StepKind, name: &str, value: &str) -> [u8; 32] {
    Sha256::digest(format!("{ordinal}\n{}\n{name}\n{value}", kind.as_str())).into()
}

/// The digest of the rows up to an ordinal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepsDigest {
    rows: usize,
    last: u16,
    sha256: [u8; 32],
}

impl fmt::Display for StepsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.rows == 1 { "row" } else { "rows" };
        write!(f, "{} {noun} of steps up to {}, sha256 {}", self.rows, self.last, hex(&self.sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_every_part_of_every_row() {
        let digest = |rows: &[(u16, StepKind, &str, &str)]| {
            let mut hashes = RowHashes::default();
            for (ordinal, kind, name, value) in rows {
                hashes.add(*ordinal, *kind, name, Some(value));
            }
            hashes.digest().unwrap().to_string()
        };
        let (first, second) = ((1, StepKind::Step, "a", "1"), (2, StepKind::Message, "b", "2"));
        let all = [
            digest(&[first, second]),
            digest(&[first]),
            digest(&[(1, StepKind::Message, "a", "1"), second]),
            digest(&[(1, StepKind::Step, "b", "1"), second]),
            digest(&[(1, StepKind::Step, "a", "2"), second]),
            digest(&[first, (3, StepKind::Message, "b", "2")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one}");
        }
        assert_eq!(digest(&[second, first]), all[0], "in the order of the ordinals, not of their ends");
    }

    #[test]
    fn a_digest_depends_on_the_logs() {
        let digest = |logs: &[(u16, &str)]| {
            let mut hashes = RowHashes::default();
            for ordinal in [1, 2] {
                hashes.add(ordinal, StepKind::Step, "a", Some("1"));
            }
            for (ordinal, log) in logs {
                hashes.add_log(*ordinal, log);
            }
            hashes.digest().unwrap().to_string()
        };
        let all = [digest(&[]), digest(&[(1, "[1]")]), digest(&[(2, "[1]")]), digest(&[(1, "[1]"), (2, "[1]")])];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one}");
        }
        assert_eq!(digest(&[(3, "[1]")]), all[0], "a log of no hashed row, as that of a question");
    }

    #[test]
    fn there_is_no_digest_before_every_value_was_read() {
        let mut hashes = RowHashes::default();
        hashes.add(1, StepKind::Step, "large", None);
        assert_eq!((hashes.digest(), hashes.unread().collect::<Vec<_>>()), (None, vec![1]));
        hashes.add(1, StepKind::Step, "large", Some("1"));
        hashes.add(1, StepKind::Step, "large", None);
        assert!(hashes.digest().is_some());
    }
}
