//! Recovery's writes: the replies to many calls, or the ends of many tasks, in one statement.
//!
//! One that a rule refuses has the refusal in its row and undoes nothing: several nodes may settle the same work. Any other
//! fault undoes the statement, and each of its writes is sent again by itself, a few at a time. A statement waits for another
//! transaction for a second at most, so a user whose rows are held delays the others no longer than that.

use std::borrow::Cow;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use tokio_postgres::Row;

use super::PostgresLedger;
use super::fault::{Fault, refusal};
use super::pool::{Param, int, ints, text, texts};
use super::rows::{audit, get, get_number, json_text, to_json};
use super::stored_text::stored;
use crate::ids::{CallId, TaskId};
use crate::ledger::contract::LedgerResult;
use crate::ledger::{Incarnation, LedgerError, TaskEnd, TurnBody, decode};

/// Writes of one statement. It holds the rows of their users until its end.
const TOGETHER: usize = 32;
/// Writes that are sent by themselves at the same time.
const ALONE_AT_ONCE: usize = 4;

const REPLIES: &str = "SELECT (r.stamp).*, r.code FROM @.reclaim_calls($1, $2, $3::uuid[], $4::uuid[], $5)
    WITH ORDINALITY AS r (code, stamp, place) ORDER BY r.place";

const ENDS: &str = "SELECT (r.stamp).*, r.code
    FROM @.reclaim_tasks($1, $2, $3::uuid[], $4, $5::uuid[], $6, $7, $8, $9)
    WITH ORDINALITY AS r (code, stamp, place) ORDER BY r.place";

type Answers = Vec<LedgerResult<()>>;

impl PostgresLedger {
    pub(super) async fn settle_left_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> LedgerResult<Answers> {
        in_groups(&replies, |some| self.reply_together(incarnation, some).boxed()).await
    }

    pub(super) async fn end_left_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Answers> {
        in_groups(&ends, |some| self.end_together(incarnation, some).boxed()).await
    }

    async fn reply_together(&self, incarnation: &Incarnation, replies: &[(CallId, TurnBody)]) -> LedgerResult<Answers> {
        let calls: Vec<String> = replies.iter().map(|(call_id, _)| call_id.to_string()).collect();
        let turns: Vec<String> = replies.iter().map(|(_, turn)| turn.turn_id.to_string()).collect();
        let bodies: Vec<String> = replies.iter().map(|(_, turn)| to_json(turn)).collect::<LedgerResult<_>>()?;
        let node = stored(&incarnation.node);
        let params = [text(&node), int(&incarnation.number), texts(&calls), texts(&turns), texts(&bodies)];
        self.settle_together(REPLIES, &params, replies.len()).await
    }

    async fn end_together(&self, incarnation: &Incarnation, ends: &[(TaskId, TaskEnd)]) -> LedgerResult<Answers> {
        let tasks: Vec<String> = ends.iter().map(|(task_id, _)| task_id.to_string()).collect();
        let states: Vec<&str> = ends.iter().map(|(_, end)| end.state.as_str()).collect();
        let turns: Vec<String> = ends.iter().map(|(_, end)| end.turn.turn_id.to_string()).collect();
        let bodies: Vec<String> = ends.iter().map(|(_, end)| to_json(&end.turn)).collect::<LedgerResult<_>>()?;
        let audits: Vec<Option<Cow<'_, str>>> = ends.iter().flat_map(|(_, end)| audit(&end.audit)).collect();
        let effects: Vec<i64> = ends.iter().map(|(_, end)| end.open_effects.into()).collect();
        let notes = ends.iter().map(|(_, end)| end.notes.as_deref().map(json_text).transpose());
        let notes: Vec<Option<&str>> = notes.collect::<LedgerResult<_>>()?;
        let node = stored(&incarnation.node);
        let whose = [text(&node), int(&incarnation.number), texts(&tasks)];
        let what = [texts(&states), texts(&turns), texts(&bodies), texts(&audits), ints(&effects), texts(&notes)];
        self.settle_together(ENDS, &[&whose[..], &what[..]].concat(), ends.len()).await
    }

    /// Sends a statement that returns a stamp and the code of a refusal for each of its writes.
    async fn settle_together(&self, sql: &str, params: &[Param<'_>], count: usize) -> LedgerResult<Answers> {
        let begun = Instant::now();
        let sent = self.store.rows(sql, params).await;
        let answered = sent.as_ref().err().is_none_or(Fault::is_refusal);
        self.meters.record_transaction(count, begun.elapsed(), answered);
        let answers: Answers = sent?.iter().map(|row| self.settled(row)).collect();
        if answers.len() != count {
            return Err(LedgerError::Unavailable(format!("{} rows came for {count} writes", answers.len())));
        }
        Ok(answers)
    }

    fn settled(&self, row: &Row) -> LedgerResult<()> {
        if let Some(code) = get::<Option<&str>>(row, 6)? {
            let unknown = || LedgerError::Unavailable(format!("the write was refused with the unknown code {code}"));
            return Err(refusal(code).unwrap_or_else(unknown));
        }
        self.notifier.events(get(row, 2)?, &decode::owner(row, self.store.unreadable()), get_number(row, 0)?);
        if get::<Option<bool>>(row, 5)? == Some(true) {
            self.notifier.task_is_ready();
        }
        Ok(())
    }
}

/// Sends writes in groups. The writes of a group that fails are sent one by one, and each has its own answer.
async fn in_groups<'a, T: Sync>(
    all: &'a [T],
    send: impl Fn(&'a [T]) -> BoxFuture<'a, LedgerResult<Answers>> + Send,
) -> LedgerResult<Answers> {
    let mut answers = Vec::with_capacity(all.len());
    for group in all.chunks(TOGETHER) {
        match send(group).await {
            Ok(settled) => answers.extend(settled),
            Err(LedgerError::Fenced) => return Err(LedgerError::Fenced),
            Err(_) => {
                let alone: Vec<_> = group.chunks(1).map(&send).collect();
                let alone: Vec<_> = stream::iter(alone).buffered(ALONE_AT_ONCE).collect().await;
                answers.extend(alone.into_iter().flat_map(|one| one.unwrap_or_else(|error| vec![Err(error)])));
            }
        }
    }
    if answers.contains(&Err(LedgerError::Fenced)) { Err(LedgerError::Fenced) } else { Ok(answers) }
}
