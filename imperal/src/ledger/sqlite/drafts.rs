//! Drafts of running work.

use rusqlite::{Row, params};

use super::SqliteLedger;
use super::fault::Fault;
use super::job::Weight;
use super::ops::HAS_DRAFTS;
use super::readers::Reading;
use super::rows::{all, get_number, number, one};
use crate::ids::DraftId;
use crate::ledger::contract::{Drafts, LedgerResult};
use crate::ledger::decode::{Cell, Columns};
use crate::ledger::{Attempt, DraftPiece, Incarnation, Owner, Work};

pub(super) const DRAFTS_OF_OWNER: &str = "SELECT d.draft_id, d.call_id, d.task_id, d.attempt,
        (SELECT ends FROM draft_piece p WHERE p.draft_id = d.draft_id ORDER BY p.at DESC LIMIT 1) AS ends
    FROM draft d WHERE d.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)
    ORDER BY d.draft_id";

pub(super) const DRAFT: &str = "SELECT d.draft_id, d.call_id, d.task_id, d.attempt,
        (SELECT ends FROM draft_piece p WHERE p.draft_id = d.draft_id ORDER BY p.at DESC LIMIT 1) AS ends
    FROM draft d WHERE d.draft_id = ?3
        AND d.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)";

pub(super) const DRAFTS_OF_CALL: &str =
    "SELECT draft_id, call_id, task_id, attempt, 0 AS ends FROM draft WHERE call_id = ?1 ORDER BY draft_id";

pub(super) const DRAFTS_OF_TASK: &str =
    "SELECT draft_id, call_id, task_id, attempt, 0 AS ends FROM draft WHERE task_id = ?1 ORDER BY draft_id";

/// The pieces that end behind an offset. The last one that begins before it has the rest of it.
pub(super) const DRAFT_PIECES: &str = "SELECT at, text FROM draft_piece WHERE draft_id = ?1
    AND at >= coalesce((SELECT max(at) FROM draft_piece WHERE draft_id = ?1 AND at <= ?2), 0) ORDER BY at";

impl Drafts for SqliteLedger {
    async fn write_drafts(&self, incarnation: &Incarnation, pieces: Vec<DraftPiece>) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        let bytes = pieces.iter().map(|piece| piece.text.len()).sum();
        let work = move |tx: &mut super::ops::Tx<'_>| tx.write_drafts(&incarnation, &pieces);
        self.writer.write_sized(Weight::Light, bytes, work).await
    }

    async fn drafts(&self, owner: &Owner) -> LedgerResult<Vec<DraftPiece>> {
        let owner = owner.clone();
        let read = move |reading: &Reading<'_>| {
            let params = params![&*owner.tenant_id, &*owner.user_id];
            Ok(all(reading.conn, DRAFTS_OF_OWNER, params, |row| Ok(head(row)))?.into_iter().flatten().collect())
        };
        self.readers.read(read).await
    }

    async fn draft_text(&self, owner: &Owner, draft_id: DraftId, from: u64) -> LedgerResult<Option<DraftPiece>> {
        let owner = owner.clone();
        let read = move |reading: &Reading<'_>| {
            // One state of the ledger for both statements.
            let look = reading.conn.unchecked_transaction()?;
            let params = params![&*owner.tenant_id, &*owner.user_id, draft_id.to_string()];
            let Some(Some(end)) = all(&look, DRAFT, params, |row| Ok(head(row)))?.pop() else { return Ok(None) };
            if from >= end.offset {
                return Ok(Some(end));
            }
            Ok(Some(text(&look, &end, from)?.from(from).unwrap_or(end)))
        };
        self.readers.read(read).await
    }

    async fn drafts_of_work(&self, works: &[Work]) -> LedgerResult<Vec<DraftPiece>> {
        let works = works.to_vec();
        let read = move |reading: &Reading<'_>| {
            let look = reading.conn.unchecked_transaction()?;
            let mut texts = Vec::new();
            if one(&look, HAS_DRAFTS, (), |_| Ok(()))?.is_none() {
                return Ok(texts);
            }
            for work in &works {
                let (sql, id) = match work {
                    Work::Call(call_id) => (DRAFTS_OF_CALL, call_id.to_string()),
                    Work::Task(Attempt { task_id, .. }) => (DRAFTS_OF_TASK, task_id.to_string()),
                };
                for head in all(&look, sql, [id], |row| Ok(head(row)))?.into_iter().flatten() {
                    texts.push(text(&look, &head, 0)?);
                }
            }
            Ok(texts)
        };
        self.readers.read(read).await
    }
}

/// An empty piece at the draft's end. `None` for a row that cannot be read.
fn head(row: &Row<'_>) -> Option<DraftPiece> {
    let id = |column| if let Cell::Text(id) = row.cell(column) { Some(id) } else { None };
    let attempt = u32::try_from(row.get::<_, i64>("attempt").ok()?).ok()?;
    let work = match id("call_id") {
        Some(call_id) => Work::Call(call_id.parse().ok()?),
        None => Work::Task(Attempt { task_id: id("task_id")?.parse().ok()?, number: attempt }),
    };
    Some(DraftPiece::new(id("draft_id")?.parse().ok()?, work, get_number(row, 4).ok()?, ""))
}

/// The text from the piece on that has this offset.
fn text(conn: &rusqlite::Connection, head: &DraftPiece, from: u64) -> Result<DraftPiece, Fault> {
    let params = params![head.draft_id.to_string(), number(from)];
    let pieces = all(conn, DRAFT_PIECES, params, |row| {
        let text = if let Cell::Text(text) = row.cell("text") { Some(text.to_owned()) } else { None };
        Ok(get_number(row, 0).ok().zip(text))
    })?;
    // The text behind an unreadable piece has lost its place.
    let pieces = pieces.into_iter().map_while(|piece| piece);
    Ok(DraftPiece { offset: 0, ..head.clone() }.joined(pieces))
}
