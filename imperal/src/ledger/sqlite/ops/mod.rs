//! The writes of the contract, each inside the transaction that the writer holds open.
//!
//! Owns what they share: the fence, owners and their numbers, turns, audit rows. An operation may fail after it has
//! written something; the writer undoes it. It may also run twice, with the first run undone, so it takes its arguments
//! by reference.

mod attempts;
mod calls;
mod claims;
mod documents;
mod drafts;
mod durable;
mod ends;
mod files;
mod follow;
mod incarnations;
mod operators;
mod prune;
mod questions;
mod queues;
mod repair;
mod schedules;
mod secrets;
mod steps;
mod tasks;
mod unheld;

pub(super) use claims::FIRST_READY;
#[cfg(test)]
pub(super) use claims::{CANDIDATE_TASK, READY_TASKS};
#[cfg(test)]
pub(super) use documents::EXPIRED_DOCUMENTS;
pub(super) use drafts::HAS_DRAFTS;
#[cfg(test)]
pub(super) use durable::{HAS_LEFT_ROWS, HELD_DURABLE_TASKS, LAST_PROGRESS, LAST_STEP};
pub(super) use ends::{EndIsolation, WorkEnd};
#[cfg(test)]
pub(super) use ends::{LEFT_CALL, LEFT_TASK};
pub(super) use files::DUE_FILES;
#[cfg(test)]
pub(super) use follow::{HAS_LOST_VALUE, INHERIT};
#[cfg(test)]
pub(super) use incarnations::{CALLS_TO_CANCEL, LAPSED_DURABLE_TASKS, LAPSED_LEASES, TASKS_TO_CANCEL};
pub(super) use incarnations::{LEFT_CALLS, LEFT_TASKS};
#[cfg(test)]
pub(super) use operators::IS_PAUSED;
pub(super) use operators::{crashes, unpaused};
pub(super) use prune::DueOwners;
#[cfg(test)]
pub(super) use prune::{
    OLDEST_ACTIVE_TURN, OLDEST_AUDIT_ROWS, OLDEST_TASKS, OWNERS_WITH_OLD_ROWS, TURNS_BETWEEN, UNREPLIED_CALLS,
};
pub(super) use questions::QUESTION;
#[cfg(test)]
pub(super) use questions::{CLOSE, COUNT_OPEN, IS_OPEN, STEP_OF_LOST, WITHDRAW};
#[cfg(test)]
pub(super) use queues::{OWNERS_IN_TURN, QUEUED_TASKS, QUEUES, TAKEN_SLOTS};
pub(super) use queues::{WAITING_OWNERS, waiting_owner, waits_for_slot};
#[cfg(test)]
pub(super) use repair::{DISPLACED_TASKS, PARTIAL_TASKS};
#[cfg(test)]
pub(super) use steps::{OPEN_EFFECTS, TASKS_WITH_DUE_VALUES};
#[cfg(test)]
pub(super) use tasks::{HAS_UNHELD_TASK, OPEN_TASK_COUNT, RUNNING_TASK_COUNT};
pub(super) use tasks::{TASK, TASK_BY_NUMBER};
pub(super) use unheld::{BACKLOG, CANCELLED_TASKS, LONG_STUCK_TASKS};
#[cfg(test)]
pub(super) use unheld::{UNCLAIMED_TASKS, UNTOLD_TASKS};

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::rows::{execute, get_number, number, one};
use crate::ids::TurnId;
use crate::ledger::clock::day_of;
use crate::ledger::unreadable::{Unreadable, UnreadableRow};
use crate::ledger::{
    AuditHash, DraftPiece, Incarnation, LedgerError, NewAudit, Owner, Progress, TaskState, Turn, decode,
};

/// The bytes that an owner has stored on the day `?2`.
macro_rules! stored_today {
    () => {
        "CASE WHEN stored_day = ?2 AND stored BETWEEN 0 AND 9007199254740992 THEN stored ELSE 0 END"
    };
}
use stored_today;

/// A message to the feed, sent after the commit.
#[derive(Debug)]
pub(in crate::ledger::sqlite) enum Notification {
    Events(Owner),
    Progress(Owner, Progress),
    Draft(Owner, DraftPiece),
    /// A durable task may be ready to be claimed.
    ReadyTask,
}

/// A turn to be written. The caller's thread makes the JSON, so that the one writer has less to do.
#[derive(Debug)]
pub(in crate::ledger::sqlite) struct TurnJson {
    pub(in crate::ledger::sqlite) turn_id: TurnId,
    pub(in crate::ledger::sqlite) json: String,
}

/// The end of a task, to be written.
#[derive(Debug)]
pub(in crate::ledger::sqlite) struct EndJson {
    pub(in crate::ledger::sqlite) state: TaskState,
    pub(in crate::ledger::sqlite) turn: TurnJson,
    pub(in crate::ledger::sqlite) audit: NewAudit,
    pub(in crate::ledger::sqlite) open_effects: u32,
    pub(in crate::ledger::sqlite) notes: Option<String>,
}

/// Number and time of a written turn.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger::sqlite) struct Stamp {
    seq: u64,
    at: Timestamp,
}

impl Stamp {
    pub(in crate::ledger::sqlite) fn on(self, body: crate::ledger::TurnBody) -> Turn {
        Turn { seq: self.seq, at: self.at, body }
    }
}

/// Owners that the cache holds.
const MAX_CACHED_OWNERS: usize = 10_000;

/// Values that the writer need not read from the file again.
#[derive(Debug, Default)]
pub(in crate::ledger::sqlite) struct TxCache {
    /// Incarnations known to be current in this transaction. Another program may end them after it.
    current: RefCell<HashSet<Incarnation>>,
    /// An owner's committed id never changes.
    owner_ids: RefCell<HashMap<Owner, i64>>,
    owners: RefCell<HashMap<i64, Owner>>,
}

impl TxCache {
    /// A transaction begins.
    pub(in crate::ledger::sqlite) fn begin(&mut self) {
        self.current.get_mut().clear();
        if self.owners.get_mut().len() > MAX_CACHED_OWNERS {
            self.roll_back();
        }
    }

    /// Forgets everything: what was read in the transaction may have been undone.
    pub(in crate::ledger::sqlite) fn roll_back(&mut self) {
        *self = Self::default();
    }

    /// Forgets what may have been read in the part of the transaction that was undone.
    fn forget(&self) {
        self.current.borrow_mut().clear();
        self.owner_ids.borrow_mut().clear();
        self.owners.borrow_mut().clear();
    }

    fn remember(&self, owner_id: i64, owner: &Owner) {
        self.owner_ids.borrow_mut().insert(owner.clone(), owner_id);
        self.owners.borrow_mut().insert(owner_id, owner.clone());
    }
}

/// One operation's view of the transaction.
pub(in crate::ledger::sqlite) struct Tx<'c> {
    conn: &'c Connection,
    now: Timestamp,
    cache: &'c TxCache,
    unreadable: &'c Unreadable,
    notifications: Vec<Notification>,
}

impl<'c> Tx<'c> {
    pub(in crate::ledger::sqlite) fn new(
        conn: &'c Connection,
        now: Timestamp,
        cache: &'c TxCache,
        unreadable: &'c Unreadable,
    ) -> Self {
        Self { conn, now, cache, unreadable, notifications: Vec::new() }
    }

    /// For tests that change the file directly.
    #[cfg(test)]
    pub(in crate::ledger::sqlite) fn connection(&self) -> &Connection {
        self.conn
    }

    pub(in crate::ledger::sqlite) fn into_notifications(self) -> Vec<Notification> {
        self.notifications
    }

    /// Refuses an incarnation that has ended.
    fn fence(&self, incarnation: &Incarnation) -> Result<(), Fault> {
        if self.cache.current.borrow().contains(incarnation) {
            return Ok(());
        }
        let sql = "SELECT 1 FROM node WHERE node = ?1 AND incarnation = ?2 AND lease_until IS NOT NULL";
        match one(self.conn, sql, params![&*incarnation.node, incarnation.number], |_| Ok(()))? {
            Some(()) => {
                self.cache.current.borrow_mut().insert(incarnation.clone());
                Ok(())
            }
            None => Err(LedgerError::Fenced.into()),
        }
    }

    fn find_owner(&self, owner: &Owner) -> Result<Option<i64>, Fault> {
        if let Some(owner_id) = self.cache.owner_ids.borrow().get(owner) {
            return Ok(Some(*owner_id));
        }
        let sql = "SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2";
        let found = one(self.conn, sql, params![&*owner.tenant_id, &*owner.user_id], |row| Ok(row.get(0)?))?;
        if let Some(owner_id) = found {
            self.repair_numbers(owner_id, owner)?;
            self.cache.remember(owner_id, owner);
        }
        Ok(found)
    }

    fn find_or_add_owner(&self, owner: &Owner) -> Result<i64, Fault> {
        if let Some(owner_id) = self.find_owner(owner)? {
            return Ok(owner_id);
        }
        let sql = "INSERT INTO owner (tenant_id, user_id) VALUES (?1, ?2)";
        execute(self.conn, sql, params![&*owner.tenant_id, &*owner.user_id])?;
        let owner_id = self.conn.last_insert_rowid();
        self.cache.remember(owner_id, owner);
        Ok(owner_id)
    }

    fn owner(&self, owner_id: i64) -> Result<Owner, Fault> {
        if let Some(owner) = self.cache.owners.borrow().get(&owner_id) {
            return Ok(owner.clone());
        }
        let sql = "SELECT tenant_id, user_id FROM owner WHERE owner_id = ?1";
        let owner = one(self.conn, sql, [owner_id], |row| Ok(decode::owner(row, self.unreadable)))?
            .ok_or_else(|| Fault::Row(format!("owner {owner_id} is missing")))?;
        self.repair_numbers(owner_id, &owner)?;
        self.cache.remember(owner_id, &owner);
        Ok(owner)
    }

    /// Takes the owner's next `count` numbers, counts the bytes that are stored under them, and notes the owner for the
    /// feed. Returns the first number.
    fn take_numbers(&mut self, owner_id: i64, count: u64, bytes: usize) -> Result<u64, Fault> {
        // The owner is read before its number is taken: the first read repairs damaged numbers.
        let owner = self.owner(owner_id)?;
        let today = self.today();
        // Not by RETURNING, for which SQLite makes a table of its own each time.
        let sql = concat!("SELECT head, ", stored_today!(), " FROM owner WHERE owner_id = ?1");
        let read = |row: &Row<'_>| Ok((get_number(row, 0)?, get_number(row, 1)?));
        let (head, stored) = one(self.conn, sql, [owner_id, today], read)?
            .ok_or_else(|| Fault::Row(format!("owner {owner_id} is missing")))?;
        let (last, stored) = (head.saturating_add(count), stored.saturating_add(bytes as u64));
        let sql = "UPDATE owner SET head = ?2, stored = ?3, stored_day = ?4 WHERE owner_id = ?1";
        execute(self.conn, sql, params![owner_id, number(last), number(stored), today])?;
        self.notifications.push(Notification::Events(owner));
        Ok(head.saturating_add(1))
    }

    /// Days since 1970.
    fn today(&self) -> i64 {
        day_of(self.now)
    }

    fn add_turn(&mut self, owner_id: i64, turn: &TurnJson) -> Result<Stamp, Fault> {
        let seq = self.take_numbers(owner_id, 1, turn.json.len())?;
        self.insert_turn(owner_id, seq, turn)
    }

    fn insert_turn(&self, owner_id: i64, seq: u64, turn: &TurnJson) -> Result<Stamp, Fault> {
        let sql = "INSERT INTO turn (turn_id, owner_id, seq, at, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let at = self.now.as_microsecond();
        execute(self.conn, sql, params![turn.turn_id.to_string(), owner_id, number(seq), at, turn.json])?;
        Ok(Stamp { seq, at: self.now })
    }

    /// Writes an audit row.
    pub(in crate::ledger::sqlite) fn audit(&self, row: &NewAudit) -> Result<(), Fault> {
        let owner_id = self.find_or_add_owner(&Owner::new(&row.tenant_id, &row.user_id))?;
        self.add_audit(owner_id, row)
    }

    /// Writes the audit row of a change to this owner's work. The owner's name may be unreadable, so it is not looked
    /// up by name.
    fn audit_of(&self, owner_id: i64, row: &NewAudit) -> Result<(), Fault> {
        let owner = self.owner(owner_id)?;
        if (&*owner.tenant_id, &*owner.user_id) == (&*row.tenant_id, &*row.user_id) {
            self.add_audit(owner_id, row)
        } else {
            self.audit(row)
        }
    }

    fn add_audit(&self, owner_id: i64, row: &NewAudit) -> Result<(), Fault> {
        let sql = "SELECT audit_end FROM owner WHERE owner_id = ?1";
        let previous = one(self.conn, sql, [owner_id], |row| Ok(row.get::<_, Option<Vec<u8>>>(0)?))?.flatten();
        let hash = self.insert_audit(owner_id, self.audit_end(owner_id, previous).as_ref(), row)?;
        let sql = "UPDATE owner SET audit_end = ?2 WHERE owner_id = ?1";
        execute(self.conn, sql, params![owner_id, hash.as_bytes()])?;
        Ok(())
    }

    /// The stored end of an owner's audit chain.
    fn audit_end(&self, owner_id: i64, stored: Option<Vec<u8>>) -> Option<AuditHash> {
        stored.map(|end| {
            // The chain continues from an unreadable end, and the audit check reports the place.
            AuditHash::from_bytes(end.try_into().unwrap_or_else(|_| {
                let row = owner_id.to_string();
                let why = "audit_end is not a hash";
                self.unreadable.report(&UnreadableRow { table: "owner", row: &row, owner: None, why });
                [0; 32]
            }))
        })
    }

    /// Writes an audit row behind the end of its owner's chain. Returns the new end, which the caller stores.
    fn insert_audit(&self, owner_id: i64, end: Option<&AuditHash>, row: &NewAudit) -> Result<AuditHash, Fault> {
        let hash = AuditHash::of(end, self.now, row);
        let sql = "INSERT INTO audit (at, owner_id, actor, app_id, action, target, outcome, detail, hash)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let params = params![
            self.now.as_microsecond(),
            owner_id,
            row.actor,
            row.app_id,
            row.action,
            row.target,
            row.outcome.as_str(),
            row.detail,
            hash.as_bytes()
        ];
        execute(self.conn, sql, params)?;
        Ok(hash)
    }

    /// Writes a row that no reader uses. Succeeds if the file can be written.
    pub(in crate::ledger::sqlite) fn check(&self) -> Result<(), Fault> {
        let sql = "INSERT INTO checked (only, at) VALUES (1, ?1) ON CONFLICT (only) DO UPDATE SET at = excluded.at";
        execute(self.conn, sql, [self.now.as_microsecond()])?;
        Ok(())
    }
}
