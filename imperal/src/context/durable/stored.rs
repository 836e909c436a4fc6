//! The stored steps and messages of a task, as one attempt knows them.
//!
//! Owns the limits of a task, the ordinals, and how much of the values is in memory: a node may resume 256 tasks
//! of 10,000 steps at once, so an attempt keeps 1 MiB of small values and reads the others when they are asked
//! for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::digest::{RowHashes, StepsDigest};
use super::idle::StoredSleeps;
use crate::codes;
use crate::error::Error;
use crate::ids::TurnId;
use crate::result::Result;
use crate::rows::{StepKind, StoredStep};

/// Most bytes of the values of a task's steps and messages.
const BYTES: u64 = 16 << 20;
/// Most bytes of values that an attempt keeps in memory.
const IN_MEMORY: usize = 1 << 20;

/// Ordinals after this one are left for what becomes of effects that have begun.
const LAST_PLAIN: u16 = 64_000;
/// Bytes beyond [`BYTES`] that are left for the values of effects that have begun.
const OUTCOME_BYTES: u64 = 4 << 20;

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
    /// How many of them are steps and done effects.
    count: u32,
    /// The highest ordinal that an earlier attempt stored.
    loaded: u16,
    last_ordinal: u16,
    bytes: u64,
    in_memory: usize,
    hashes: RowHashes,
    sleeps: StoredSleeps,
}

impl StoredSteps {
    /// Adds rows as the ledger returns them.
    pub(crate) fn add_rows(&mut self, rows: Vec<StoredStep>) {
        for row in rows {
            self.last_ordinal = self.last_ordinal.max(row.ordinal);
            self.sleeps.add(&row);
            if row.kind != StepKind::Question {
                // A user's answers do not use up the task's own limit.
                self.bytes += row.bytes;
            }
            self.hashes.add(row.ordinal, row.kind, &row.name, row.value.as_deref());
            if let Some(log) = &row.log {
                self.add_log(row.ordinal, log);
            }
            match row.kind {
                StepKind::Step
                | StepKind::Sleep
                | StepKind::Question
                | StepKind::Intent
                | StepKind::Effect
                | StepKind::NotDone => {
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

    /// Adds the log of a row.
    pub(super) fn add_log(&mut self, ordinal: u16, log: &str) {
        self.hashes.add_log(ordinal, log);
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
        let was_counted = before.is_some_and(|known| known.kind.is_progress());
        self.count += u32::from(kind.is_progress() && !was_counted);
    }

    /// The highest ordinal so far.
    pub(crate) fn last_ordinal(&self) -> u16 {
        self.last_ordinal
    }

    /// Whether an earlier attempt may have slept in its process.
    pub(crate) fn has_slept(&self) -> bool {
        !self.sleeps.is_empty()
    }

    /// How long earlier attempts that were cut off only waited, of the time that the ledger counts as running time.
    pub(crate) fn slept(&self, was_cut_off: impl Fn(u32) -> bool) -> Duration {
        self.sleeps.sum(was_cut_off)
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

    /// The number of steps and done effects, without waits.
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

    /// The keys and turns of all messages.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&String, TurnId)> {
        self.messages.iter().map(|(key, turn_id)| (key, *turn_id))
    }

    pub(super) fn message(&self, key: &str) -> Option<TurnId> {
        self.messages.get(key).copied()
    }

    /// The effects whose last row is an intent, in the order of their intents.
    pub(crate) fn open_effects(&self) -> Vec<String> {
        let mut open: Vec<_> = self.steps.iter().filter(|(_, known)| known.kind == StepKind::Intent).collect();
        open.sort_unstable_by_key(|(_, known)| known.ordinal);
        open.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// Takes the next ordinal for an intent.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_intent_ordinal(&mut self) -> Result<u16> {
        if self.bytes >= BYTES {
            // Its value would have no place.
            return Err(too_many_bytes());
        }
        self.take_ordinal(0)
    }

    /// Takes the next ordinal for something of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_ordinal(&mut self, bytes: u64) -> Result<u16> {
        if self.bytes + bytes > BYTES {
            return Err(too_many_bytes());
        }
        if self.last_ordinal >= LAST_PLAIN {
            return Err(too_many_rows());
        }
        self.take_next(bytes)
    }

    /// Takes the next ordinal for what becomes of an effect: it has a reserve, because it has happened.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` when the reserve is used up too. Without a value only the ordinals can be.
    pub(super) fn take_outcome_ordinal(&mut self, bytes: u64) -> Result<u16> {
        if bytes > 0 && self.bytes + bytes > BYTES + OUTCOME_BYTES {
            return Err(too_many_bytes());
        }
        self.take_next(bytes)
    }

    fn take_next(&mut self, bytes: u64) -> Result<u16> {
        self.last_ordinal = self.last_ordinal.checked_add(1).ok_or_else(too_many_rows)?;
        self.bytes += bytes;
        Ok(self.last_ordinal)
    }
}

fn too_many_bytes() -> Error {
    let text = format!("The values of a task's steps have at most {} MiB in all.", BYTES >> 20);
    Error::platform(codes::STEPS_EXCEEDED, text)
}

fn too_many_rows() -> Error {
    Error::platform(codes::STEPS_EXCEEDED, "A task has too many steps, messages and effects.".to_owned())
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

    #[test]
    fn what_becomes_of_an_effect_has_a_place_in_a_full_task() {
        let mut full = StoredSteps::default();
        let intent = full.take_intent_ordinal().unwrap();
        full.take_ordinal(BYTES).unwrap();
        assert!(full.take_ordinal(1).is_err() && full.take_intent_ordinal().is_err());
        assert_eq!(full.take_outcome_ordinal(1 << 20).unwrap(), intent + 2);
        assert!(full.take_outcome_ordinal(OUTCOME_BYTES).is_err(), "its value is left out");
        full.take_outcome_ordinal(0).unwrap();

        let mut long = StoredSteps::default();
        long.add_rows(vec![row(LAST_PLAIN, StepKind::Intent, "null".to_owned())]);
        assert!(long.take_ordinal(0).is_err() && long.take_intent_ordinal().is_err());
        assert_eq!(long.take_outcome_ordinal(0).unwrap(), LAST_PLAIN + 1);
    }
}
