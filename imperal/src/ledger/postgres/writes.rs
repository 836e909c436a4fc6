//! The longer writes of the contract, and how each write is counted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::batches::Write;
use super::fault::Fault;
use super::pool::{Param, int, ints, text, texts};
use super::rows::{RECORD_COLUMNS, audit, get, get_id, get_number, get_time, json_text, micros, to_json};
use super::stored_text::{original, stored};
use super::{PostgresLedger, number, quota};
use crate::ids::{CallId, TaskId};
use crate::ledger::decode::{Cell, Columns};
use crate::ledger::{
    Attempt, CallCancel, CancelOutcome, Follows, Incarnation, LedgerError, NewAudit, NewCall, NewTask, Owner, Progress,
    Task, TaskEnd, Turn, TurnBody, Work, decode, rules,
};

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
        self.stamped(&row, body)
    }

    /// Sends a write of the owner as a transaction, or with other owners' writes as one.
    pub(super) async fn batched(&self, owner: &Owner, write: Write) -> Result<Row, LedgerError> {
        let _permit = self.permits.acquire(owner).await?;
        Ok(self.batches.send(owner, write).await?)
    }

    /// The turn of a row that begins with a stamp, of which the feed hears.
    fn stamped(&self, row: &Row, body: TurnBody) -> Result<Turn, LedgerError> {
        let turn = Turn { seq: get_number(row, 0)?, at: get_time(row, 1)?, body };
        self.notifier.events(get(row, 2)?, &decode::owner(row, self.store.unreadable()), turn.seq);
        if get::<Option<bool>>(row, 5)? == Some(true) {
            self.notifier.task_is_ready();
        }
        Ok(turn)
    }

    /// Notifies the feed of events of a task, from the columns of [`RECORD_COLUMNS`](super::rows::RECORD_COLUMNS).
    pub(super) fn has_events(&self, row: &Row, owner: &Owner) -> Result<(), Fault> {
        let (owner_id, head): (i64, i64) = (get(row, 20)?, get(row, 21)?);
        self.notifier.events(owner_id, owner, u64::try_from(head).unwrap_or_default());
        Ok(())
    }

    pub(super) async fn settle_call(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        reclaim: bool,
        body: TurnBody,
    ) -> Result<Turn, LedgerError> {
        let write = Write::of(incarnation, "SELECT * FROM @.reply($1, $2, $3::uuid, $4, $5::uuid, $6)")
            .text(call_id.to_string())
            .flag(reclaim)
            .text(body.turn_id.to_string())
            .text(to_json(&body)?);
        let row = match self.permits.caller(call_id) {
            Some(owner) => self.batched(&owner, write).await,
            // A call of another incarnation.
            None => self.alone(&write).await,
        };
        let replied = row.and_then(|row| self.stamped(&row, body));
        self.permits.replied(call_id, &replied);
        replied
    }

    /// Sends a write without others.
    async fn alone(&self, write: &Write) -> Result<Row, LedgerError> {
        Ok(self.one(write.sql(), &write.params()).await?)
    }

    pub(super) async fn write_accepted(&self, incarnation: &Incarnation, call: NewCall) -> Result<Turn, LedgerError> {
        let sql = "SELECT * FROM @.accept_call($1, $2, $3::uuid, $4, $5, $6::uuid, $7, $8)";
        let write = asked(incarnation, sql, &call)?;
        let row = self.batched(&call.owner, write).await;
        let accepted = row.and_then(|row| self.stamped(&row, call.turn));
        self.permits.accepted(call.call_id, call.owner, &accepted);
        accepted.map_err(|error| quota(error, call.max_stored))
    }

    pub(super) async fn write_answered(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        reply: TurnBody,
    ) -> Result<[Turn; 2], LedgerError> {
        let sql = "SELECT * FROM @.answer_call($1, $2, $3::uuid, $4, $5, $6::uuid, $7, $8, $9::uuid, $10)";
        let write = asked(incarnation, sql, &call)?.text(reply.turn_id.to_string()).text(to_json(&reply)?);
        let row = self.batched(&call.owner, write).await.map_err(|error| quota(error, call.max_stored))?;
        let (seq, at, asked_at) = (get_number(&row, 0)?, get_time(&row, 1)?, get_time(&row, 6)?);
        self.notifier.events(get(&row, 2)?, &decode::owner(&row, self.store.unreadable()), seq);
        let asked = Turn { seq: seq - 1, at: asked_at, body: call.turn };
        Ok([asked, Turn { seq, at, body: reply }])
    }

    pub(super) async fn end_task(
        &self,
        incarnation: &Incarnation,
        task_id: TaskId,
        attempt: Option<Attempt>,
        end: TaskEnd,
    ) -> Result<Turn, LedgerError> {
        let sql = "SELECT * FROM @.finish_task($1, $2, $3::uuid, $4, $5, $6::uuid, $7, $8, $9, $10)";
        let write =
            Write::of(incarnation, sql).text(task_id.to_string()).int(attempt.map(|attempt| i64::from(attempt.number)));
        let write = ended(write, &end)?;
        let owner = audited(&end);
        let row = if attempt.is_some() {
            self.batched(&owner, write).await?
        } else {
            // On behalf of another incarnation.
            let _permit = self.permits.acquire(&owner).await?;
            self.alone(&write).await?
        };
        self.stamped(&row, end.turn)
    }

    pub(super) async fn settle_with_end(
        &self,
        incarnation: &Incarnation,
        (call_id, reply): (CallId, TurnBody),
        (attempt, end): (Attempt, TaskEnd),
    ) -> Result<[Turn; 2], LedgerError> {
        // The end reads the result of the reply, so it comes after it.
        let sql = "SELECT e.*, r.seq, r.at FROM @.reply($1, $2, $3::uuid, false, $4::uuid, $5, $6::uuid) AS r
            CROSS JOIN LATERAL @.finish_task($1, $2, CASE WHEN r.seq > 0 THEN $6::uuid END, $7, $8, $9::uuid, $10, $11, \
                   $12, $13) AS e";
        let write = Write::of(incarnation, sql)
            .text(call_id.to_string())
            .text(reply.turn_id.to_string())
            .text(to_json(&reply)?)
            .text(attempt.task_id.to_string())
            .int(i64::from(attempt.number));
        let write = ended(write, &end)?;
        let written = self.batched(&audited(&end), write).await.and_then(|row| {
            let outcome = self.stamped(&row, end.turn)?;
            Ok([Turn { seq: get_number(&row, 6)?, at: get_time(&row, 7)?, body: reply }, outcome])
        });
        // A refusal may be the task's: then the reply is written alone.
        if written.is_ok() {
            self.permits.replied(call_id, &written);
        }
        written
    }

    pub(super) async fn begin_task(&self, incarnation: &Incarnation, new: NewTask) -> Result<Task, LedgerError> {
        let sql = "SELECT * FROM @.start_task($1, $2, $3::uuid, $4, $5::uuid, $6::uuid, $7, $8, $9, $10, $11, $12, $13, \
                   $14, $15, $16)";
        let write = Write::of(incarnation, sql);
        let write = match new.parent {
            Work::Call(call_id) => write.text(call_id.to_string()).int(None),
            Work::Task(attempt) => write.text(attempt.task_id.to_string()).int(i64::from(attempt.number)),
        };
        let row = self.send_start(&new, started(write, &new)?).await?;
        self.notifier.events(get(&row, 2)?, &new.owner, get_number(&row, 3)?);
        task_of(&row, new)
    }

    /// A task that goes on from an ended one copies its rows, which may take long: it goes alone.
    async fn send_start(&self, new: &NewTask, write: Write) -> Result<Row, LedgerError> {
        if new.durable.as_ref().is_some_and(|durable| durable.follows.is_some()) {
            let _permit = self.permits.acquire(&new.owner).await?;
            return self.alone(&write).await;
        }
        self.batched(&new.owner, write).await
    }

    /// Writes a call with its first task, and with its reply if it has one.
    pub(super) async fn write_first_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        new: NewTask,
        reply: Option<TurnBody>,
    ) -> Result<(Turn, Task, Option<Turn>), LedgerError> {
        let sql = "SELECT * FROM @.start_call($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
                   $15::uuid, $16, $17, $18::uuid, $19)";
        rules::check_is_parent(&call, &new)?;
        let write = started(Write::of(incarnation, sql), &new)?
            .text(call.turn.turn_id.to_string())
            .text(to_json(&call.turn)?)
            .int(call.max_stored.map(number))
            .text(reply.as_ref().map(|reply| reply.turn_id.to_string()))
            .text(reply.as_ref().map(to_json).transpose()?);
        let row = self.send_start(&new, write).await.map_err(|error| quota(error, call.max_stored))?;
        let seq = get_number(&row, 3)?;
        let asked = Turn { seq: seq - 1, at: get_time(&row, 7)?, body: call.turn };
        let replied = reply.map(|body| Ok::<_, LedgerError>(Turn { seq: seq + 1, at: get_time(&row, 8)?, body }));
        let replied = replied.transpose()?;
        self.notifier.events(get(&row, 2)?, &call.owner, replied.as_ref().map_or(seq, |turn| turn.seq));
        if get(&row, 9)? {
            self.notifier.task_is_ready();
        }
        Ok((asked, task_of(&row, new)?, replied))
    }

    pub(super) async fn write_progress(
        &self,
        incarnation: &Incarnation,
        latest: Vec<(u32, Progress)>,
    ) -> Result<(), LedgerError> {
        let sql = "SELECT p.task_id::text, p.attempt, p.owner_id, p.tenant_id, p.user_id
                   FROM @.note_progress($1, $2, $3::uuid[], $4, $5, $6, $7, $8) AS p";
        let node = stored(&incarnation.node);
        let ids: Vec<String> = latest.iter().map(|(_, said)| said.task_id.to_string()).collect();
        let attempts: Vec<i64> = latest.iter().map(|(attempt, _)| i64::from(*attempt)).collect();
        let percents: Vec<Option<f64>> = latest.iter().map(|(_, said)| said.percent).collect();
        let messages: Vec<_> = latest.iter().map(|(_, said)| said.message.as_deref().map(stored)).collect();
        let mut steps = Vec::with_capacity(latest.len());
        for (_, said) in &latest {
            let json = said.steps.as_ref().map(serde_json::to_string).transpose();
            let json = json.map_err(|error| LedgerError::Unavailable(format!("steps cannot be written: {error}")))?;
            steps.push(json.map(|json| stored(&json).into_owned()));
        }
        let times: Vec<i64> = latest.iter().map(|(_, said)| said.at.as_microsecond()).collect();
        let whose = [text(&node), int(&incarnation.number), texts(&ids), ints(&attempts)];
        let what = [(&percents as _, Type::FLOAT8_ARRAY), texts(&messages), texts(&steps), ints(&times)];
        let mut kept = HashMap::new();
        for row in self.counted(self.store.rows(sql, &[whose, what].concat())).await? {
            let of = (get_id::<TaskId>(&row, 0)?, get::<i64>(&row, 1)?);
            kept.insert(of, (get::<i64>(&row, 2)?, decode::owner(&row, self.store.unreadable())));
        }
        drop(messages);
        for (attempt, said) in latest {
            if let Some((owner_id, owner)) = kept.get(&(said.task_id, i64::from(attempt))) {
                self.notifier.progress(*owner_id, owner, said);
            }
        }
        Ok(())
    }

    pub(super) async fn write_call_cancel(
        &self,
        owner: &Owner,
        call_id: CallId,
        row: &NewAudit,
    ) -> Result<CallCancel, LedgerError> {
        let sql = "SELECT * FROM @.request_call_cancel($1, $2, $3::uuid, $4)";
        let (tenant, user, id) = (stored(&owner.tenant_id), stored(&owner.user_id), call_id.to_string());
        let said = audit(row);
        let params = [text(&tenant), text(&user), text(&id), texts(&said)];
        let _permit = self.permits.acquire_for_audit(row).await?;
        // Running twice only writes one more audit row.
        let found = one(self.counted(self.store.repeatable(sql, &params)).await?)?;
        if get(&found, 1)? {
            return Ok(CallCancel::Replied);
        }
        if let Cell::Text(node) = found.cell("node")
            && let Ok(node) = original(node)
        {
            self.notifier.cancel_requested(&node);
        }
        Ok(CallCancel::Requested)
    }

    pub(super) async fn write_cancel(
        &self,
        task_id: TaskId,
        row: NewAudit,
        end: TaskEnd,
    ) -> Result<CancelOutcome, LedgerError> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, r.outcome_id::text FROM @.request_cancel($1::uuid, $2, $3, $4::uuid, $5, $6, $7) AS \
             r"
        );
        let (id, turn_id, json) = (task_id.to_string(), end.turn.turn_id.to_string(), to_json(&end.turn)?);
        let (said, state, outcome) = (audit(&row), end.state.as_str(), audit(&end.audit));
        let open = i64::from(end.open_effects);
        let what = [text(&state), text(&turn_id), text(&json), texts(&outcome), int(&open)];
        let params = [&[text(&id), texts(&said)][..], &what[..]].concat();
        let _permit = self.permits.acquire_for_audit(&row).await?;
        // Running twice only writes one more audit row.
        let row = one(self.counted(self.store.repeatable(&sql, &params)).await?)?;
        let record = decode::record(&row, self.store.unreadable());
        if record.task.state.is_open() {
            self.has_events(&row, &record.owner)?;
            if record.task.state.is_held() {
                self.notifier.cancel_requested(&record.incarnation.node);
            }
            return Ok(CancelOutcome::Requested(record));
        }
        if get::<Option<&str>>(&row, row.len() - 1)? != Some(&turn_id) {
            return Ok(CancelOutcome::AlreadyEnded(record));
        }
        self.has_events(&row, &record.owner)?;
        Ok(CancelOutcome::Ended(record))
    }
}

/// A call with its user turn, and the most that its owner may store.
fn asked(incarnation: &Incarnation, sql: &'static str, call: &NewCall) -> Result<Write, LedgerError> {
    Ok(Write::of(incarnation, sql)
        .text(call.call_id.to_string())
        .text(stored(&call.owner.tenant_id).into_owned())
        .text(stored(&call.owner.user_id).into_owned())
        .text(call.turn.turn_id.to_string())
        .text(to_json(&call.turn)?)
        .int(call.max_stored.map(number)))
}

/// The end of a task, behind its id and attempt.
fn ended(write: Write, end: &TaskEnd) -> Result<Write, LedgerError> {
    Ok(write
        .text(end.state.as_str().to_owned())
        .text(end.turn.turn_id.to_string())
        .text(to_json(&end.turn)?)
        .texts(Some(audit(&end.audit)))
        .int(i64::from(end.open_effects))
        .text(end.notes.as_deref().map(json_text).transpose()?.map(str::to_owned)))
}

fn audited(end: &TaskEnd) -> Owner {
    Owner::new(&end.audit.tenant_id, &end.audit.user_id)
}

/// The task that was started, from the columns of `start_task`.
fn task_of(row: &Row, new: NewTask) -> Result<Task, LedgerError> {
    let waits_for = get::<Option<&str>>(row, 5)?.and_then(|word| word.parse().ok());
    let open_effects = u32::try_from(get::<i64>(row, 6)?).unwrap_or_default();
    Ok(Task { open_effects, ..new.into_task(get_time(row, 0)?, get_time(row, 1)?, waits_for) })
}

/// The task that is to start, behind its parent.
fn started(write: Write, new: &NewTask) -> Result<Write, LedgerError> {
    let durable = match &new.durable {
        None => None,
        Some(of) => Some(vec![
            Some(stored(&of.task_name)),
            Some(json_text(&of.input)?.into()),
            Some(json_text(&of.user)?.into()),
            Some(of.root_task.to_string().into()),
            Some(stored(&of.program)),
            of.queue.as_deref().map(stored),
            of.follows.map(|follows| link_json(&follows)).transpose()?.map(Cow::from),
            of.follows.map(|follows| follows.task_id.to_string().into()),
            of.follows.and_then(|follows| follows.through).map(|through| through.to_string().into()),
        ]),
    };
    Ok(write
        .text(new.call_id.to_string())
        .text(new.task_id.to_string())
        .text(stored(&new.owner.tenant_id).into_owned())
        .text(stored(&new.owner.user_id).into_owned())
        .texts(Some(vec![Some(stored(&new.app_id)), Some(stored(&new.function)), Some(stored(&new.name))]))
        .text(new.key.as_deref().map(stored).map(Cow::into_owned))
        .flag(new.long_running)
        .int(micros(new.cap))
        .int(i64::from(new.max_running))
        .int(i64::from(new.max_open))
        .texts(durable)
        .texts(new.audit.as_ref().map(audit)))
}

fn link_json(follows: &Follows) -> Result<String, LedgerError> {
    serde_json::to_string(follows)
        .map_err(|error| LedgerError::Unavailable(format!("the task to follow cannot be written as JSON: {error}")))
}

pub(super) fn one(mut rows: Vec<Row>) -> Result<Row, Fault> {
    rows.pop().ok_or_else(|| Fault::Row("a function returned no row".to_owned()))
}
