//! Drafts of running work: the statement of each method of the contract.

use tokio_postgres::types::Type;
use tokio_postgres::{Row, types::ToSql};

use super::PostgresLedger;
use super::fault::Fault;
use super::pool::{Param, Store, int, ints, text, texts};
use super::rows::{get, number};
use super::stored_text::{original, stored};
use crate::ids::DraftId;
use crate::ledger::contract::{Drafts, LedgerResult};
use crate::ledger::{Attempt, DraftPiece, Incarnation, Owner, Work, decode};

/// The columns of [`head`].
const HEAD: &str = "d.draft_id::text AS draft_id, d.call_id::text AS call_id, d.task_id::text AS task_id, \
    d.attempt AS attempt, d.ends AS ends";

/// Pieces from the one on that has an offset.
const PIECES: &str = "SELECT p.at, p.text FROM @.draft_piece p WHERE p.draft_id = $1::uuid
    AND p.at >= coalesce((SELECT max(q.at) FROM @.draft_piece q WHERE q.draft_id = $1::uuid AND q.at <= $2), 0)
    ORDER BY p.at";

fn ids(values: &(dyn ToSql + Sync)) -> Param<'_> {
    (values, Type::TEXT_ARRAY)
}

impl Drafts for PostgresLedger {
    async fn write_drafts(&self, incarnation: &Incarnation, pieces: Vec<DraftPiece>) -> LedgerResult<()> {
        let sql = "SELECT p.place, p.owner_id, p.tenant_id, p.user_id
                   FROM @.write_drafts($1, $2, $3::uuid[], $4::uuid[], $5::uuid[], $6, $7, $8, $9) AS p";
        let node = stored(&incarnation.node);
        let drafts: Vec<String> = pieces.iter().map(|piece| piece.draft_id.to_string()).collect();
        let calls: Vec<_> = pieces.iter().map(|piece| piece.call_id.map(|id| id.to_string())).collect();
        let tasks: Vec<_> = pieces.iter().map(|piece| piece.task_id.map(|id| id.to_string())).collect();
        let attempts: Vec<i64> = pieces.iter().map(|piece| i64::from(piece.attempt)).collect();
        let starts: Vec<i64> = pieces.iter().map(|piece| number(piece.offset)).collect();
        let ends: Vec<i64> = pieces.iter().map(|piece| number(piece.end())).collect();
        let said: Vec<_> = pieces.iter().map(|piece| stored(&piece.text)).collect();
        let whose = [text(&node), int(&incarnation.number), ids(&drafts), ids(&calls), ids(&tasks)];
        let what = [ints(&attempts), ints(&starts), ints(&ends), texts(&said)];
        let rows = self.counted(self.store.rows(sql, &[&whose[..], &what[..]].concat())).await?;
        drop(said);
        let mut pieces: Vec<Option<DraftPiece>> = pieces.into_iter().map(Some).collect();
        for row in rows {
            let place = usize::try_from(get::<i64>(&row, 0)?).unwrap_or_default();
            if let Some(piece) = pieces.get_mut(place.wrapping_sub(1)).and_then(Option::take) {
                let owner = decode::owner(&row, self.store.unreadable());
                self.notifier.draft(get(&row, 1)?, &owner, piece);
            }
        }
        Ok(())
    }

    async fn drafts(&self, owner: &Owner) -> LedgerResult<Vec<DraftPiece>> {
        let sql = format!(
            "SELECT {HEAD} FROM @.draft d JOIN @.owner w ON w.owner_id = d.owner_id
             WHERE w.owner_key = @.owner_key($1, $2) ORDER BY d.draft_id"
        );
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let rows = self.store.repeatable(&sql, &[text(&tenant), text(&user)]).await?;
        Ok(rows.iter().filter_map(head).collect())
    }

    async fn draft_text(&self, owner: &Owner, draft_id: DraftId, from: u64) -> LedgerResult<Option<DraftPiece>> {
        let sql = format!(
            "SELECT {HEAD} FROM @.draft d JOIN @.owner w ON w.owner_id = d.owner_id
             WHERE w.owner_key = @.owner_key($1, $2) AND d.draft_id = $3::uuid"
        );
        let (tenant, user, id) = (stored(&owner.tenant_id), stored(&owner.user_id), draft_id.to_string());
        let rows = self.store.repeatable(&sql, &[text(&tenant), text(&user), text(&id)]).await?;
        let Some(end) = rows.first().and_then(head) else { return Ok(None) };
        if from >= end.offset {
            return Ok(Some(end));
        }
        Ok(Some(whole(&self.store, &end, from).await?.from(from).unwrap_or(end)))
    }

    async fn drafts_of_work(&self, works: &[Work]) -> LedgerResult<Vec<DraftPiece>> {
        let (mut calls, mut tasks) = (Vec::new(), Vec::new());
        for work in works {
            match work {
                Work::Call(call_id) => calls.push(call_id.to_string()),
                Work::Task(Attempt { task_id, .. }) => tasks.push(task_id.to_string()),
            }
        }
        let mut texts = Vec::new();
        for (column, of_work) in [("call_id", calls), ("task_id", tasks)] {
            if of_work.is_empty() {
                continue;
            }
            let sql = format!("SELECT {HEAD} FROM @.draft d WHERE d.{column} = ANY ($1::uuid[]) ORDER BY d.draft_id");
            for head in self.store.repeatable(&sql, &[ids(&of_work)]).await?.iter().filter_map(head) {
                texts.push(whole(&self.store, &head, 0).await?);
            }
        }
        Ok(texts)
    }
}

/// An empty piece at the draft's end. `None` for a row that cannot be read.
fn head(row: &Row) -> Option<DraftPiece> {
    let id = |column: &str| row.try_get::<_, Option<&str>>(column).ok().flatten();
    let number = |column: &str| row.try_get::<_, i64>(column).ok();
    let work = match id("call_id") {
        Some(call_id) => Work::Call(call_id.parse().ok()?),
        None => Work::Task(Attempt {
            task_id: id("task_id")?.parse().ok()?,
            number: u32::try_from(number("attempt")?).ok()?,
        }),
    };
    Some(DraftPiece::new(id("draft_id")?.parse().ok()?, work, u64::try_from(number("ends")?).ok()?, ""))
}

/// The text from the piece on that has this offset.
async fn whole(store: &Store, head: &DraftPiece, from: u64) -> Result<DraftPiece, Fault> {
    let (id, from) = (head.draft_id.to_string(), number(from));
    let rows = store.repeatable(PIECES, &[text(&id), int(&from)]).await?;
    // The text behind an unreadable piece has lost its place.
    let pieces = rows.iter().map_while(piece);
    Ok(DraftPiece { offset: 0, ..head.clone() }.joined(pieces))
}

fn piece(row: &Row) -> Option<(u64, String)> {
    let offset = u64::try_from(row.try_get::<_, i64>("at").ok()?).ok()?;
    Some((offset, original(row.try_get("text").ok()?).ok()?.into_owned()))
}

/// Drafts that other nodes write: what is new to this one, a piece of each.
pub(super) async fn news(
    store: &Store,
    own_nodes: &Vec<i64>,
    owners: &Vec<i64>,
    known: (Vec<String>, Vec<i64>),
) -> Result<Vec<(Owner, DraftPiece)>, Fault> {
    let sql = format!(
        "SELECT {HEAD}, w.tenant_id, w.user_id, p.at, p.text FROM @.draft d
         JOIN @.owner w ON w.owner_id = d.owner_id JOIN @.draft_piece p ON p.draft_id = d.draft_id
         LEFT JOIN unnest($3::uuid[], $4::bigint[]) AS k (draft_id, ends) ON k.draft_id = d.draft_id
         WHERE d.owner_id = ANY ($2) AND d.node_id <> ALL ($1) AND p.at >= coalesce(k.ends, 0)
         ORDER BY d.draft_id, p.at"
    );
    let rows = store.repeatable(&sql, &[ints(own_nodes), ints(owners), ids(&known.0), ints(&known.1)]).await?;
    let mut news: Vec<(Owner, DraftPiece)> = Vec::new();
    for row in &rows {
        let Some(((offset, text), head)) = piece(row).zip(head(row)) else { continue };
        match news.last_mut() {
            Some((_, last)) if last.draft_id == head.draft_id && last.end() == offset => last.text.push_str(&text),
            _ => news.push((decode::owner(row, store.unreadable()), DraftPiece { offset, text, ..head })),
        }
    }
    Ok(news)
}
