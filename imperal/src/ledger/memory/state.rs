//! The rules of the contract, over plain maps.
//!
//! Every method checks all it has to check before it changes anything: an `Err` leaves no trace.
//! Knows no lock and no feed. A life that is over needs no mark on its work: whether a holder is
//! still current is looked up. Here is what there is, and a message from outside, which concerns
//! calls and tasks alike; each kind of row has its rules in a room of its own.

mod calls;
mod journal;
mod lives;
mod prune;
mod tasks;
mod trail;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::calls::CallRow;
use self::journal::Journal;
use self::lives::Life;
use self::tasks::{Running, TaskRow};
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{AuditEnds, AuditRow, Fence, LedgerError, NewAudit, Owner, TaskState, Turn, TurnBody, Work};

/// Whose events grew, and what the method returns.
type Told<T> = Result<(Owner, T), LedgerError>;

/// Everything the ledger knows.
#[derive(Debug, Default)]
pub(super) struct State {
    lives: HashMap<Arc<str>, Life>,
    calls: HashMap<CallId, CallRow>,
    open_calls: BTreeMap<u64, CallId>,
    tasks: HashMap<TaskId, TaskRow>,
    running: Running,
    last_order: u64,
    turn_ids: HashSet<TurnId>,
    /// In the order in which they came, for pruning.
    owners: Vec<Owner>,
    events: HashMap<Owner, Journal>,
    tasks_of: HashMap<Owner, Vec<TaskId>>,
    audit: Vec<AuditRow>,
    last_audit: u64,
    audit_ends: HashMap<Owner, AuditEnds>,
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
        fence: Option<&Fence>,
        now: Timestamp,
    ) -> Told<Turn> {
        if let Some(fence) = fence {
            self.may_inject(&owner, fence)?;
        }
        self.fresh(&turn)?;
        self.audit(audit, now);
        Ok(self.add_turn(owner, turn, now))
    }

    fn may_inject(&self, owner: &Owner, Fence { holder, work }: &Fence) -> Result<(), LedgerError> {
        self.fence(holder)?;
        let unsettled = match work {
            Work::Call(call_id) => {
                let call = self.calls.get(call_id).filter(|call| call.owner == *owner).ok_or(LedgerError::Unknown)?;
                if call.holder != *holder {
                    return Err(LedgerError::Unknown);
                }
                call.is_open()
            }
            Work::Task(task_id) => {
                let row = self.tasks.get(task_id).filter(|row| row.record.owner == *owner);
                let record = &row.ok_or(LedgerError::Unknown)?.record;
                if record.holder != *holder {
                    return Err(LedgerError::Fenced);
                }
                record.task.state == TaskState::Running
            }
        };
        if unsettled { Ok(()) } else { Err(LedgerError::Settled) }
    }
}
