//! Pieces of drafts: appended while their work runs, removed with it.

use rusqlite::{Row, params};

use super::{Notification, Tx};
use crate::ids::{CallId, TaskId};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, get_number, number, one};
use crate::ledger::{Attempt, DraftPiece, Incarnation, LedgerError, Work};

/// Recovery asks this before it looks for the drafts of each piece of work: most often there are none.
pub(in crate::ledger::sqlite) const HAS_DRAFTS: &str = "SELECT 1 FROM draft LIMIT 1";

pub(in crate::ledger::sqlite) const DRAFT_END: &str = "SELECT d.call_id, d.task_id, d.attempt,
        (SELECT ends FROM draft_piece p WHERE p.draft_id = d.draft_id ORDER BY p.at DESC LIMIT 1)
    FROM draft d WHERE d.draft_id = ?1";

pub(in crate::ledger::sqlite) const END_DRAFTS_OF_CALL: &str =
    "DELETE FROM draft WHERE call_id = (SELECT call_id FROM call WHERE call_no = ?1)";

pub(in crate::ledger::sqlite) const END_DRAFTS_OF_TASK: &str =
    "DELETE FROM draft WHERE task_id = (SELECT task_id FROM task WHERE task_no = ?1)";

const END_EARLIER_DRAFTS: &str = "DELETE FROM draft WHERE task_id = ?1 AND attempt < ?2";

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn write_drafts(
        &mut self,
        incarnation: &Incarnation,
        pieces: &[DraftPiece],
    ) -> Result<(), Fault> {
        self.fence(incarnation)?;
        for piece in pieces {
            let Some(work) = piece.work() else { continue };
            let Some(owner_id) = self.draft_owner(incarnation, work)? else { continue };
            let draft_id = piece.draft_id.to_string();
            let (call_id, task_id, attempt) = columns(work);
            let read = |row: &Row<'_>| {
                let is_of_work = row.get_ref(0)?.as_str_or_null().ok() == Some(call_id.as_deref())
                    && row.get_ref(1)?.as_str_or_null().ok() == Some(task_id.as_deref())
                    && row.get_ref(2)?.as_i64().ok() == Some(attempt);
                // A draft whose end cannot be read gets no more pieces.
                Ok(get_number(row, 3).ok().filter(|_| is_of_work))
            };
            let end = match one(self.conn, DRAFT_END, [&draft_id], read)? {
                Some(Some(end)) => end,
                Some(None) => continue,
                None if piece.offset > 0 => continue,
                None => {
                    if task_id.is_some() {
                        execute(self.conn, END_EARLIER_DRAFTS, params![task_id, attempt])?;
                    }
                    let sql = "INSERT INTO draft (draft_id, owner_id, call_id, task_id, attempt)
                               VALUES (?1, ?2, ?3, ?4, ?5)";
                    execute(self.conn, sql, params![draft_id, owner_id, call_id, task_id, attempt])?;
                    0
                }
            };
            if piece.offset > end {
                continue;
            }
            if piece.offset == end {
                let sql = "INSERT INTO draft_piece (draft_id, at, ends, text) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT DO NOTHING";
                execute(self.conn, sql, params![draft_id, number(piece.offset), number(piece.end()), piece.text])?;
            }
            // Work without an owner has no watchers.
            if let Ok(owner) = self.owner(owner_id) {
                self.notifications.push(Notification::Draft(owner, piece.clone()));
            }
        }
        Ok(())
    }

    /// The owner of work for which the incarnation may write drafts.
    fn draft_owner(&self, incarnation: &Incarnation, work: Work) -> Result<Option<i64>, Fault> {
        let found = match work {
            Work::Call(call_id) => {
                self.call(call_id).and_then(|call| Ok(call.facts().check_reply(incarnation).map(|()| call.owner_id)?))
            }
            Work::Task(Attempt { task_id, number }) => self
                .task(task_id)
                .and_then(|task| Ok(task.facts().check_write(incarnation, number).map(|()| task.owner_id)?)),
        };
        match found {
            Ok(owner_id) => Ok(Some(owner_id)),
            Err(Fault::Refused(
                LedgerError::NotFound
                | LedgerError::NotHolder
                | LedgerError::AlreadyReplied
                | LedgerError::AlreadyEnded,
            )) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn end_drafts_of_call(&self, number: i64) -> Result<(), Fault> {
        execute(self.conn, END_DRAFTS_OF_CALL, [number])?;
        Ok(())
    }

    pub(super) fn end_drafts_of_task(&self, number: i64) -> Result<(), Fault> {
        execute(self.conn, END_DRAFTS_OF_TASK, [number])?;
        Ok(())
    }
}

fn columns(work: Work) -> (Option<String>, Option<String>, i64) {
    match work {
        Work::Call(call_id) => (Some(CallId::to_string(&call_id)), None, 0),
        Work::Task(Attempt { task_id, number }) => (None, Some(TaskId::to_string(&task_id)), i64::from(number)),
    }
}
