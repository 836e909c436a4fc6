//! The stored steps and messages of a task, as one attempt knows them.
//!
//! Owns the limits of a task, the ordinals, and how much of the values is in memory: a node may resume 256 tasks
//! of 10,000 steps at once, so an attempt keeps 1 MiB of small values and reads the others when they are asked
//! for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::digest::{RowHashes, StepsDigest};
use crate::codes;
use crate::error::Error;
use crate::ids::TurnId;
use crate::result::Result;
use crate::rows::{StepKind, StoredStep};

/// Most bytes of the values of a task's steps and messages.
const BYTES: u64 = 16 << 20;
/// Most bytes of values that an attempt keeps in memory.
const IN_MEMORY: usize = 1 << 20;

/// A stored step that the attempt knows.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) ordinal: u16,
    pub(crate) kind: StepKind,
    /// `None` for a value that is not in memory: it is read when it is asked for.
    pub(crate) value: Option<Arc<str>>,
}

/// The stored steps and messages of a task.
#[derive(Debug, Default)]
pub(crate) struct StoredSteps {
    steps: HashMap<String, Known>,
    messages: HashMap<String, TurnId>,
    /// How many of them are steps, not waits.
    count: u32,
    /// The highest ordinal that an earlier attempt stored.
    loaded: u16,
    last_ordinal: u16,
    bytes: u64,
    in_memory: usize,
    hashes: RowHashes,
}

impl StoredSteps {
    /// Adds rows as the ledger returns them.
    pub(crate) fn add_rows(&mut self, rows: Vec<StoredStep>) {
        for row in rows {
            self.last_ordinal = self.last_ordinal.max(row.ordinal);
            if row.kind != StepKind::Question {
                // What a user answers does not use up the task's own limit.
                self.bytes += row.bytes;
            }
            self.hashes.add(row.ordinal, row.kind, &row.name, row.value.as_deref());
            match row.kind {
                StepKind::Step | StepKind::Sleep | StepKind::Question => {
                    self.loaded = self.loaded.max(row.ordinal);
                    self.add(row.ordinal, row.kind, row.name, row.value.as_deref());
                }
                StepKind::Message => {
                    if let Some(turn_id) = row.value.and_then(|value| value.parse().ok()) {
                        self.messages.insert(row.name, turn_id);
                    }
                }
            }
        }
    }

    /// Adds a step or a wait that this attempt has stored, with the ordinal that it took; or changes the value of
    /// one.
    pub(super) fn add_step(&mut self, ordinal: u16, kind: StepKind, name: String, value: &str) {
        self.hashes.add(ordinal, kind, &name, Some(value));
        let is_small = value.len() as u64 <= StoredStep::INLINE;
        self.add(ordinal, kind, name, is_small.then_some(value));
    }

    /// Adds a message that this attempt has said. Its ordinal was taken before.
    pub(super) fn add_message(&mut self, ordinal: u16, key: String, turn_id: TurnId) {
        self.hashes.add(ordinal, StepKind::Message, &key, Some(&turn_id.to_string()));
        self.messages.insert(key, turn_id);
    }

    fn add(&mut self, ordinal: u16, kind: StepKind, name: String, value: Option<&str>) {
        let value = value.filter(|value| self.in_memory + value.len() <= IN_MEMORY);
        self.in_memory += value.map_or(0, str::len);
        let before = self.steps.insert(name, Known { ordinal, kind, value: value.map(Into::into) });
        self.in_memory -= before.as_ref().and_then(|known| known.value.as_deref()).map_or(0, str::len);
        self.count += u32::from(kind == StepKind::Step && before.is_none());
    }

    /// The highest ordinal so far.
    pub(crate) fn last_ordinal(&self) -> u16 {
        self.last_ordinal
    }

    /// Notes the value of a step that was not in memory.
    pub(crate) fn note_read(&mut self, ordinal: u16, name: &str, value: &str) {
        if let Some(known) = self.steps.get(name) {
            self.hashes.add(ordinal, known.kind, name, Some(value));
        }
    }

    /// The steps whose values have to be read before there is a digest.
    pub(crate) fn unread(&self) -> Vec<(u16, String)> {
        let unread: HashSet<u16> = self.hashes.unread().collect();
        if unread.is_empty() {
            return Vec::new();
        }
        let steps = self.steps.iter().filter(|(_, known)| unread.contains(&known.ordinal));
        steps.map(|(name, known)| (known.ordinal, name.clone())).collect()
    }

    /// The digest of all rows; `None` if there are none or a value has not been read.
    pub(crate) fn digest(&self) -> Option<StepsDigest> {
        self.hashes.digest()
    }

    /// The number of steps, without waits.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether an earlier attempt stored it.
    pub(super) fn is_loaded(&self, known: &Known) -> bool {
        known.ordinal <= self.loaded
    }

    pub(super) fn steps(&self) -> &HashMap<String, Known> {
        &self.steps
    }

    pub(super) fn step(&self, name: &str) -> Option<&Known> {
        self.steps.get(name)
    }

    pub(super) fn message(&self, key: &str) -> Option<TurnId> {
        self.messages.get(key).copied()
    }

    /// Takes the next ordinal for something of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_ordinal(&mut self, bytes: u64) -> Result<u16> {
        if self.bytes + bytes > BYTES {
            let text = format!("The values of a task's steps have at most {} MiB in all.", BYTES >> 20);
            return Err(Error::platform(codes::STEPS_EXCEEDED, text));
        }
        self.last_ordinal = self.last_ordinal.checked_add(1).ok_or_else(|| {
            Error::platform(codes::STEPS_EXCEEDED, "A task has too many steps and messages.".to_owned())
        })?;
        self.bytes += bytes;
        Ok(self.last_ordinal)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn row(ordinal: u16, kind: StepKind, value: String) -> StoredStep {
        StoredStep {
            ordinal,
            name: format!("row {ordinal}"),
            kind,
            attempt: 1,
            began_at: Timestamp::UNIX_EPOCH,
            done_at: Timestamp::UNIX_EPOCH,
            bytes: value.len() as u64,
            value: Some(value),
            log: None,
        }
    }

    fn in_memory(stored: &StoredSteps) -> usize {
        stored.steps.values().filter_map(|known| known.value.as_deref()).map(str::len).sum()
    }

    #[test]
    fn an_attempt_keeps_one_mebibyte_of_values_in_memory_and_knows_every_step() {
        let mut stored = StoredSteps::default();
        stored.add_rows((1..=1_000).map(|n| row(n, StepKind::Step, "x".repeat(4096))).collect());
        assert_eq!((stored.count(), stored.last_ordinal), (1_000, 1_000));
        assert!(stored.step("row 1").unwrap().value.is_some());
        assert!(stored.step("row 1000").unwrap().value.is_none(), "it is read when it is asked for");
        for n in 0..1_000 {
            let ordinal = stored.take_ordinal(4096).unwrap();
            stored.add_step(ordinal, StepKind::Step, format!("new {n}"), &"y".repeat(4096));
        }
        assert_eq!((stored.count(), in_memory(&stored)), (2_000, IN_MEMORY));
    }

    #[test]
    fn a_message_is_known_however_full_the_memory_is() {
        let mut stored = StoredSteps::default();
        stored.add_rows((1..=300).map(|n| row(n, StepKind::Step, "x".repeat(4096))).collect());
        let turn_id = TurnId::generate();
        stored.add_rows(vec![row(301, StepKind::Message, turn_id.to_string())]);
        assert_eq!(stored.message("row 301"), Some(turn_id));
    }
}
