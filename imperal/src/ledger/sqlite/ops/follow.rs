//! Tasks that follow ended ones: what they inherit.

use rusqlite::params;

use super::Tx;
use super::tasks::TaskRow;
use crate::ledger::rules::Hold;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, one};
use crate::ledger::{CannotFollow, Follows, LedgerError};

/// Copies rows of one task to another: those that [`is_inherited`](crate::rows::is_inherited) names, and those of which
/// it cannot say. The key of a message in a step has the length of the step's name in bytes.
pub(in crate::ledger::sqlite) const INHERIT: &str =
    "INSERT INTO step (step_id, name, kind, attempt, began_at, done_at, codec, log, value)
    SELECT (?1 << 16) + (step_id & 65535), name, kind, ?4, began_at, done_at, codec, log, value FROM step
    WHERE step_id > (?2 << 16) AND step_id <= (?2 << 16) + 65535
        AND (kind IN ('intent', 'effect', 'not_done') OR (step_id <= (?2 << 16) + ?3 AND (kind <> 'question'
            OR value IS NULL OR (substr(value, 1, 12) = '{\"answered\":' AND name NOT GLOB 'imperal:*'))
            AND (kind <> 'message' OR (name NOT GLOB 'step:*' AND name NOT GLOB 'named:*')
            OR substr(CAST(substr(name, instr(name, ':') + 1) AS BLOB),
                instr(substr(name, instr(name, ':') + 1), ':') + 1,
                CAST(substr(name, instr(name, ':') + 1) AS INTEGER))
            IN (SELECT CAST(name AS BLOB) FROM step WHERE step_id > (?2 << 16) AND step_id <= (?2 << 16) + 65535
                AND (kind = 'effect' OR (kind = 'step' AND step_id <= (?2 << 16) + ?3))))))";

/// Whether a task has a row without its value.
pub(in crate::ledger::sqlite) const HAS_LOST_VALUE: &str = "SELECT 1 FROM step
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND value IS NULL LIMIT 1";

/// The task that a new one follows.
pub(super) struct Followed {
    row: TaskRow,
    through: Option<u16>,
}

impl Tx<'_> {
    /// The task that one of the owner's tasks is to follow.
    pub(super) fn followed(&self, owner_id: i64, follows: Follows) -> Result<Followed, Fault> {
        let row = self.task(follows.task_id)?;
        if row.owner_id != owner_id || !row.durable {
            return Err(LedgerError::NotFound.into());
        }
        Ok(Followed { row, through: follows.through })
    }

    /// Copies what a new task inherits, and counts its open effects.
    pub(super) fn inherit(&self, number: i64, followed: &Followed) -> Result<u32, Fault> {
        let Followed { row, through } = followed;
        if row.facts().hold != Hold::Ended {
            return Err(LedgerError::CannotFollow(CannotFollow::NotEnded).into());
        }
        let Some(through) = *through else { return Ok(0) };
        let sql = "SELECT 1 FROM step WHERE step_id = (?1 << 16) + ?2";
        if through > 0 && one(self.conn, sql, params![row.number, through], |_| Ok(()))?.is_none() {
            return Err(LedgerError::CannotFollow(CannotFollow::NoSuchRow).into());
        }
        execute(self.conn, INHERIT, params![number, row.number, through, Follows::INHERITED])?;
        if one(self.conn, HAS_LOST_VALUE, [number], |_| Ok(()))?.is_some() {
            return Err(LedgerError::CannotFollow(CannotFollow::ValuesGone).into());
        }
        let open = self.open_effects(number)?;
        if open > 0 {
            execute(self.conn, "UPDATE task SET open_effects = ?2 WHERE task_no = ?1", params![number, open])?;
        }
        Ok(open)
    }
}
