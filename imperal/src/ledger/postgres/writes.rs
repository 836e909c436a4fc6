//! The longer writes of the contract, and how each write is counted.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresLedger;
use super::fault::Fault;
use super::pool::{Param, flag, int, text, texts};
use super::rows::{audit, get, get_number, get_time, to_json};
use super::stored_text::stored;
use crate::ids::{CallId, TaskId};
use crate::ledger::{Incarnation, LedgerError, NewTask, Task, TaskEnd, Turn, TurnBody, decode};

impl PostgresLedger {
    /// Counts a write and its duration, waiting for a connection included.
    pub(super) async fn counted<T>(&self, write: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let begun = Instant::now();
        let done = write.await;
        // A refusal counts as an answer; any other fault as a failed transaction.
        self.meters.record_transaction(1, begun.elapsed(), done.as_ref().err().is_none_or(Fault::is_refusal));
        done
    }

    pub(super) async fn one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, Fault> {
        self.counted(self.store.rows(sql, params)).await.and_then(one)
    }

    /// Runs a statement that returns a stamp, and notifies the feed of the turn.
    pub(super) async fn write_turn(
        &self,
        sql: &str,
        params: &[Param<'_>],
        body: TurnBody,
    ) -> Result<Turn, LedgerError> {
        let row = self.one(sql, params).await?;
        let turn = Turn { seq: get_number(&row, 0)?, at: get_time(&row, 1)?, body };
        self.notifier.events(get(&row, 2)?, &decode::owner(&row, self.store.unreadable()), turn.seq);
        Ok(turn)
    }

    pub(super) async fn settle_call(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        reclaim: bool,
        body: TurnBody,
    ) -> Result<Turn, LedgerError> {
        let sql = "SELECT * FROM @.reply($1, $2, $3::uuid, $4, $5::uuid, $6)";
        let (node, id, json) = (stored(&incarnation.node), call_id.to_string(), to_json(&body)?);
        let turn_id = body.turn_id.to_string();
        let params = [text(&node), int(&incarnation.number), text(&id), flag(&reclaim), text(&turn_id), text(&json)];
        let _permit = self.permits.acquire_for_call(call_id).await?;
        let replied = self.write_turn(sql, &params, body).await;
        self.permits.replied(call_id, &replied);
        replied
    }

    pub(super) async fn end_task(
        &self,
        incarnation: &Incarnation,
        task_id: TaskId,
        reclaim: bool,
        end: TaskEnd,
    ) -> Result<Turn, LedgerError> {
        let sql = "SELECT * FROM @.finish_task($1, $2, $3::uuid, $4, $5, $6::uuid, $7, $8)";
        let (node, id, json) = (stored(&incarnation.node), task_id.to_string(), to_json(&end.turn)?);
        let (turn_id, row, state) = (end.turn.turn_id.to_string(), audit(&end.audit), end.state.as_str());
        let whose = [text(&node), int(&incarnation.number), text(&id), flag(&reclaim)];
        let what = [text(&state), text(&turn_id), text(&json), texts(&row)];
        let _permit = self.permits.acquire_for_audit(&end.audit).await?;
        self.write_turn(sql, &[whose, what].concat(), end.turn).await
    }

    pub(super) async fn begin_task(&self, incarnation: &Incarnation, new: NewTask) -> Result<Task, LedgerError> {
        let sql = "SELECT * FROM @.start_task($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10, $11)";
        let (node, call_id, task_id) = (stored(&incarnation.node), new.call_id.to_string(), new.task_id.to_string());
        let (tenant, user) = (stored(&new.owner.tenant_id), stored(&new.owner.user_id));
        let names = vec![stored(&new.app_id), stored(&new.function), stored(&new.name)];
        let key = new.key.as_deref().map(stored);
        let (cap, most) = (micros(new.cap), i64::from(new.max_running));
        let whose = [text(&node), int(&incarnation.number), text(&call_id), text(&task_id), text(&tenant), text(&user)];
        let what = [texts(&names), text(&key), flag(&new.long_running), int(&cap), int(&most)];
        let _permit = self.permits.acquire(&new.owner).await?;
        let begun = self.one(sql, &[&whose[..], &what[..]].concat()).await.map_err(LedgerError::from);
        let row = begun.map_err(|error| match error {
            LedgerError::TooManyTasks(_) => LedgerError::TooManyTasks(new.max_running),
            error => error,
        })?;
        self.notifier.events(get(&row, 2)?, &new.owner, get_number(&row, 3)?);
        drop((tenant, user, names, key));
        Ok(new.into_task(get_time(&row, 0)?, get_time(&row, 1)?, true))
    }
}

pub(super) fn one(mut rows: Vec<Row>) -> Result<Row, Fault> {
    rows.pop().ok_or_else(|| Fault::Row("a function returned no row".to_owned()))
}

/// Capped at the last moment that programs can represent.
pub(super) fn micros(time: Duration) -> i64 {
    let most = Timestamp::MAX.as_microsecond();
    i64::try_from(time.as_micros()).map_or(most, |micros| micros.min(most))
}
