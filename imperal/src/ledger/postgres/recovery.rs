//! Work that incarnations left: the statements of recovery, and its writes in groups.
//!
//! The replies to many calls, or the ends of many tasks, are one statement. One that is settled already, held by a process or missing has the refusal in its row and undoes nothing: several nodes may
//! settle the same work. The work of users whose rows another transaction holds is left out, and sent again by user, in
//! statements that wait for a second. After any other fault of the work itself each write is sent alone. If the server
//! is out of reach, that is the answer of all that is left.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use tokio_postgres::Row;

use super::fault::{Fault, refusal, was_a_loss};
use super::pool::{Lane, Param, STATEMENT, flag, int, ints, text, texts};
use super::rows::{RECORD_COLUMNS, audit, get, get_number, json_text, orphan, to_json};
use super::stored_text::stored;
use super::writes::one;
use super::{PostgresLedger, reads};
use crate::ids::{CallId, TaskId};
use crate::ledger::contract::{LedgerResult, Recovery};
use crate::ledger::{Incarnation, LedgerError, Orphan, TaskEnd, Turn, TurnBody, decode};

/// Writes of one statement. It holds the rows of their users until its end.
const TOGETHER: usize = 16;
/// Statements that are sent again at the same time.
const AGAIN_AT_ONCE: usize = 2;

/// The server's code for a row that another transaction holds.
const HELD: &str = "55P03";

const REPLIES: &str = "SELECT (r.stamp).*, r.code FROM @.reclaim_calls($1, $2, $3, $4::uuid[], $5::uuid[], $6)
    WITH ORDINALITY AS r (code, stamp, place) ORDER BY r.place";

const ENDS: &str = "SELECT (r.stamp).*, r.code
    FROM @.reclaim_tasks($1, $2, $3, $4::uuid[], $5, $6::uuid[], $7, $8, $9, $10)
    WITH ORDINALITY AS r (code, stamp, place) ORDER BY r.place";

type Answer = LedgerResult<()>;

/// The answer to a write, or the reason why it has none yet.
enum Piece {
    Answered(Answer),
    /// Another transaction holds the row of this owner.
    Held(i64),
}

impl Piece {
    fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            Self::Held(_) => {
                Err(LedgerError::Unavailable("another transaction holds the user's row, or it is missing".to_owned()))
            }
        }
    }
}

type Pieces = Result<Vec<Piece>, Fault>;

impl Recovery for PostgresLedger {
    async fn expire_leases(&self, incarnation: &Incarnation) -> LedgerResult<u64> {
        let node = stored(&incarnation.node);
        let params = [text(&node), int(&incarnation.number)];
        let sql = "SELECT @.expire_leases($1, $2)";
        let row = one(self.counted(self.store.repeat(Lane::Lease, STATEMENT, sql, &params)).await?)?;
        let ended = get_number(&row, 0)?;
        if ended > 0 {
            self.notifier.task_is_ready();
        }
        Ok(ended)
    }

    async fn orphans(&self, limit: u32) -> LedgerResult<Vec<Orphan>> {
        let sql = format!("SELECT {RECORD_COLUMNS} {}", reads::ORPHANS);
        let limit = i64::from(limit);
        let orphans = self.counted(self.store.repeat(Lane::Lease, STATEMENT, &sql, &[int(&limit)])).await?;
        Ok(orphans.iter().map(|row| orphan(row, self.store.unreadable())).collect())
    }

    async fn reclaim_call(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        self.settle_call(incarnation, call_id, true, turn).await
    }

    async fn reclaim_task(&self, incarnation: &Incarnation, task_id: TaskId, end: TaskEnd) -> LedgerResult<Turn> {
        self.end_task(incarnation, task_id, None, end).await
    }

    async fn reclaim_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> LedgerResult<Vec<Answer>> {
        in_groups(&replies, |some, waits| self.reply_together(incarnation, some, waits).boxed()).await
    }

    async fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Vec<Answer>> {
        in_groups(&ends, |some, waits| self.end_together(incarnation, some, waits).boxed()).await
    }
}

impl PostgresLedger {
    async fn reply_together(
        &self,
        incarnation: &Incarnation,
        replies: Vec<&(CallId, TurnBody)>,
        waits: bool,
    ) -> Pieces {
        let calls: Vec<String> = replies.iter().map(|(call_id, _)| call_id.to_string()).collect();
        let turns: Vec<String> = replies.iter().map(|(_, turn)| turn.turn_id.to_string()).collect();
        let bodies: Vec<String> = replies.iter().map(|(_, turn)| to_json(turn)).collect::<LedgerResult<_>>()?;
        let node = stored(&incarnation.node);
        let whose = [text(&node), int(&incarnation.number), flag(&waits)];
        let what = [texts(&calls), texts(&turns), texts(&bodies)];
        self.settle_together(REPLIES, &[whose, what].concat(), replies.len()).await
    }

    async fn end_together(&self, incarnation: &Incarnation, ends: Vec<&(TaskId, TaskEnd)>, waits: bool) -> Pieces {
        let tasks: Vec<String> = ends.iter().map(|(task_id, _)| task_id.to_string()).collect();
        let states: Vec<&str> = ends.iter().map(|(_, end)| end.state.as_str()).collect();
        let turns: Vec<String> = ends.iter().map(|(_, end)| end.turn.turn_id.to_string()).collect();
        let bodies: Vec<String> = ends.iter().map(|(_, end)| to_json(&end.turn)).collect::<LedgerResult<_>>()?;
        let audits: Vec<Option<Cow<'_, str>>> = ends.iter().flat_map(|(_, end)| audit(&end.audit)).collect();
        let effects: Vec<i64> = ends.iter().map(|(_, end)| end.open_effects.into()).collect();
        let notes = ends.iter().map(|(_, end)| end.notes.as_deref().map(json_text).transpose());
        let notes: Vec<Option<&str>> = notes.collect::<LedgerResult<_>>()?;
        let node = stored(&incarnation.node);
        let whose = [text(&node), int(&incarnation.number), flag(&waits), texts(&tasks)];
        let what = [texts(&states), texts(&turns), texts(&bodies), texts(&audits), ints(&effects), texts(&notes)];
        self.settle_together(ENDS, &[&whose[..], &what[..]].concat(), ends.len()).await
    }

    /// Sends a statement that returns a stamp and the code of a refusal for each of its writes.
    async fn settle_together(&self, sql: &str, params: &[Param<'_>], count: usize) -> Pieces {
        let begun = Instant::now();
        let sent = self.store.rows(sql, params).await;
        // The writes of one that is undone are counted when they are sent again.
        if sent.is_ok() || count == 1 {
            let answered = sent.as_ref().err().is_none_or(Fault::is_refusal);
            self.meters.record_transaction(count, begun.elapsed(), answered);
        }
        let pieces = sent?.iter().map(|row| self.piece(row)).collect::<Result<Vec<_>, Fault>>()?;
        if pieces.len() != count {
            return Err(Fault::Row(format!("{} rows came for {count} writes", pieces.len())));
        }
        Ok(pieces)
    }

    fn piece(&self, row: &Row) -> Result<Piece, Fault> {
        let owner_id = get::<Option<i64>>(row, 2)?;
        match (get::<Option<&str>>(row, 6)?, owner_id) {
            (None, Some(owner_id)) => {
                let owner = decode::owner(row, self.store.unreadable());
                self.notifier.events(owner_id, &owner, get_number(row, 0)?);
                if get::<Option<bool>>(row, 5)? == Some(true) {
                    self.notifier.task_is_ready();
                }
                Ok(Piece::Answered(Ok(())))
            }
            (Some(HELD), Some(owner_id)) => Ok(Piece::Held(owner_id)),
            (code, _) => {
                let refused = code.and_then(refusal);
                let refused = refused.ok_or_else(|| Fault::Row(format!("a write was refused with {code:?}")))?;
                Ok(Piece::Answered(Err(refused)))
            }
        }
    }
}

/// Whether one of the writes may be the reason, and the others may succeed without it.
fn is_of_a_write(fault: &Fault) -> bool {
    match fault {
        Fault::Postgres(error) => error.code().is_some_and(|code| code.code() != "IM001") && !was_a_loss(error),
        Fault::Refused(error) => matches!(error, LedgerError::TooDeep(_)),
        Fault::Row(_) => true,
    }
}

/// Sends writes in groups, and returns an answer for each.
async fn in_groups<'a, T: Sync>(
    all: &'a [T],
    send: impl Fn(Vec<&'a T>, bool) -> BoxFuture<'a, Pieces> + Send + Sync,
) -> LedgerResult<Vec<Answer>> {
    let mut answers = Vec::with_capacity(all.len());
    for group in all.chunks(TOGETHER) {
        match send(group.iter().collect(), false).await {
            Ok(pieces) => answers.extend(send_held(group, pieces, &send).await),
            Err(fault) if !is_of_a_write(&fault) => {
                answers.resize(all.len(), Err(fault.into()));
                break;
            }
            Err(fault) if group.len() == 1 => answers.push(Err(fault.into())),
            Err(_) => {
                let alone: Vec<_> = group.iter().map(|one| send(vec![one], true)).collect();
                for sent in stream::iter(alone).buffered(AGAIN_AT_ONCE).collect::<Vec<_>>().await {
                    match sent {
                        Ok(pieces) => answers.extend(pieces.into_iter().map(Piece::answer)),
                        Err(fault) => answers.push(Err(fault.into())),
                    }
                }
            }
        }
    }
    if answers.contains(&Err(LedgerError::Fenced)) { Err(LedgerError::Fenced) } else { Ok(answers) }
}

/// Sends the writes of held owners again, those of each owner in one statement that waits.
async fn send_held<'a, T: Sync>(
    group: &'a [T],
    pieces: Vec<Piece>,
    send: &(impl Fn(Vec<&'a T>, bool) -> BoxFuture<'a, Pieces> + Send + Sync),
) -> Vec<Answer> {
    let mut held: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, piece) in pieces.iter().enumerate() {
        if let Piece::Held(owner_id) = piece {
            held.entry(*owner_id).or_default().push(place);
        }
    }
    let mut answers: Vec<Answer> = pieces.into_iter().map(Piece::answer).collect();
    let again: Vec<_> = held.values().map(|places| send(places.iter().map(|at| &group[*at]).collect(), true)).collect();
    let again: Vec<_> = stream::iter(again).buffered(AGAIN_AT_ONCE).collect().await;
    for (places, sent) in held.values().zip(again) {
        match sent {
            Ok(pieces) => places.iter().zip(pieces).for_each(|(at, piece)| answers[*at] = piece.answer()),
            Err(fault) => {
                let error = LedgerError::from(fault);
                for at in places {
                    answers[*at] = Err(error.clone());
                }
            }
        }
    }
    answers
}
