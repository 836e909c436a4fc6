//! The ledger's content in plain maps.
//!
//! Every method checks everything before it changes anything, so an `Err` leaves no trace. Knows no
//! lock and no feed. Work of an ended incarnation is not marked: `is_current` looks up its holder.
//! This file has the maps and the messages, which concern calls and tasks; each kind of row has a file
//! of its own.

mod attempts;
mod calls;
mod documents;
mod drafts;
mod durable;
mod files;
mod follow;
mod incarnations;
mod journal;
mod operators;
mod prune;
mod questions;
mod queues;
mod schedules;
mod secrets;
mod tasks;
mod trail;
mod unheld;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use self::calls::CallRow;
use self::documents::Shelf;
use self::drafts::DraftRow;
use self::files::FileRow;
use self::incarnations::NodeState;
use self::journal::Journal;
use self::queues::{QueueKey, Turns};
use self::tasks::{Open, TaskRow};
use crate::ids::{CallId, DraftId, FileId, QuestionId, ScheduleId, TaskId, TurnId};
use crate::ledger::clock::day_of;
use crate::ledger::rules;
use crate::ledger::{
    AuditRow, ChainEnds, DurableName, Fence, LedgerError, MessageSource, NewAudit, Owner, SecretPlace, SeenUser,
    StoredSchedule, StoredSecret, Turn, TurnBody, Work,
};

/// The owner with new events, and the answer.
type Told<T> = Result<(Owner, T), LedgerError>;

/// The content of the ledger.
#[derive(Debug, Default)]
pub(super) struct State {
    incarnations: HashMap<Arc<str>, NodeState>,
    calls: HashMap<CallId, CallRow>,
    open_calls: BTreeMap<u64, CallId>,
    tasks: HashMap<TaskId, TaskRow>,
    open: Open,
    /// The tasks that ask them.
    questions: HashMap<QuestionId, TaskId>,
    turns: HashMap<QueueKey, Turns>,
    /// Since when, and by whom.
    paused: BTreeMap<DurableName, (Timestamp, String)>,
    last_order: u64,
    turn_ids: HashSet<TurnId>,
    /// In the order of their first event or audit row, for pruning.
    owners: Vec<Owner>,
    events: HashMap<Owner, Journal>,
    tasks_of: HashMap<Owner, Vec<TaskId>>,
    audit: Vec<AuditRow>,
    last_audit: u64,
    chain_ends: HashMap<Owner, ChainEnds>,
    /// For each owner, the latest day with turns and their bytes.
    stored: HashMap<Owner, (i64, u64)>,
    /// The documents of an owner and an extension.
    shelves: BTreeMap<(Owner, String), Shelf>,
    drafts: BTreeMap<DraftId, DraftRow>,
    schedules: BTreeMap<ScheduleId, StoredSchedule>,
    /// By owner and extension; an empty one stands for any request.
    seen: HashMap<(Owner, String), SeenUser>,
    files: BTreeMap<FileId, FileRow>,
    /// Of an owner and an extension, without deleted files.
    file_totals: HashMap<(Owner, String), rules::Totals>,
    secrets: BTreeMap<SecretPlace, StoredSecret>,
    /// Values under a name for all nodes.
    facts: HashMap<String, Vec<u8>>,
}

/// The bytes of a row as the other backends store it.
pub(super) fn size(row: &impl Serialize) -> u64 {
    struct Counter(u64);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Values that are not JSON are refused elsewhere.
    let _ = serde_json::to_writer(&mut counter, row);
    counter.0
}

impl State {
    fn next_order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    pub(super) fn inject(
        &mut self,
        owner: Owner,
        turn: TurnBody,
        audit: NewAudit,
        source: &MessageSource,
        now: Timestamp,
    ) -> Told<Turn> {
        if let MessageSource::Work(fence) | MessageSource::Step(fence, _) = source {
            self.may_write_for(&owner, fence)?;
        }
        self.fresh(&turn)?;
        if let MessageSource::Step(fence, step) = source {
            self.add_step_of(fence, step.clone(), now)?;
        }
        if let MessageSource::Outside { max_stored } = source {
            self.check_stored(&owner, &turn, *max_stored, now)?;
        }
        self.audit(audit, now);
        Ok(self.add_turn(owner, turn, now))
    }

    fn count_stored(&mut self, owner: &Owner, bytes: u64, now: Timestamp) {
        let (day, stored) = self.stored.entry(owner.clone()).or_default();
        if *day != day_of(now) {
            (*day, *stored) = (day_of(now), 0);
        }
        *stored += bytes;
    }

    fn check_stored(
        &self,
        owner: &Owner,
        turn: &TurnBody,
        max_stored: Option<u64>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let stored = self.stored.get(owner).filter(|(day, _)| *day == day_of(now)).map_or(0, |(_, stored)| *stored);
        rules::check_stored_bytes(stored, size(turn), max_stored)
    }

    fn may_write_for(&self, owner: &Owner, Fence { incarnation, work }: &Fence) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        match work {
            Work::Call(call_id) => {
                let row = self.calls.get(call_id).ok_or(LedgerError::NotFound)?;
                self.call_facts(row).check_owned_write(incarnation, Some(&owner))
            }
            Work::Task(attempt) => {
                let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
                self.task_facts(row).check_owned_write(incarnation, attempt.number, Some(&owner))
            }
        }
    }
}
