//! The ledger in one SQLite file, for a single machine without a server.
//!
//! Owns [`SqliteLedger`], and maps the contract's methods to one thread that writes and a few that read. Two programs
//! may have the same file open, each as its own node: SQLite's lock orders their writes, but each feed hears only of
//! its own program's commits.

mod documents;
mod drafts;
mod fault;
mod files;
mod job;
mod operators;
mod ops;
mod questions;
mod queues;
mod readers;
mod reads;
mod recovery;
mod rows;
mod schedules;
mod schema;
mod secrets;
#[cfg(test)]
mod tests;
mod wal;
mod writer;
mod writer_thread;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::job::Weight;
use self::ops::{DueOwners, EndJson, TurnJson};
use self::readers::Readers;
use self::writer::Writer;
use super::clock::before;
use super::contract::{AuditTrail, Calls, Chat, DurableTasks, Health, Leases, LedgerResult, Retention, Tasks};
use super::retention::Cutoffs;
use super::{
    Attempt, AttemptReport, AuditFilter, AuditRow, Backlog, CallCancel, CallRecord, CancelOutcome, ChainEnds,
    ClaimRequest, ClaimedTask, Clock, DurableName, DurableProgram, Event, Feed, Incarnation, LedgerError, LedgerMeters,
    MessageSource, NewAudit, NewCall, NewStep, NewTask, Owner, Page, PageLimit, Progress, Pruned, Release, RenewalNews,
    RetentionPolicy, StoredDurable, StoredStep, SystemClock, Task, TaskAttempt, TaskEnd, TaskRecord, Turn, TurnBody,
    rules,
};
use crate::ids::{CallId, TaskId, TurnId};

/// A [`Ledger`](super::Ledger) in a file. It survives a killed process and a power failure.
///
/// Dropping it writes the requested writes and waits for them, at most 2 s.
#[derive(Debug)]
pub struct SqliteLedger {
    path: Arc<Path>,
    clock: Arc<dyn Clock>,
    // Dropped in this order: the last connection to close can remove the log.
    readers: Readers,
    writer: Writer,
    feed: Feed,
    meters: LedgerMeters,
}

impl SqliteLedger {
    /// Opens or creates the file, on the machine's clock. Blocks meanwhile, for up to 5 s if another program has it
    /// locked.
    ///
    /// The file and missing folders are made readable by this user only.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] for a damaged file, a file with another version of the schema, or another program's
    /// file; [`LedgerError::Unavailable`] if it cannot be opened or written now.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// [`SqliteLedger::open`] with another clock.
    pub fn open_with_clock(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Self::open_waiting(path.as_ref(), clock, schema::BUSY)
    }

    /// `busy` is how long to wait for another program's lock.
    fn open_waiting(path: &Path, clock: Arc<dyn Clock>, busy: Duration) -> Result<Self, LedgerError> {
        let path: Arc<Path> = schema::prepare_file(path)?.into();
        let conn = schema::open_writer(&path, busy).map_err(|fault| fault.into_ledger(&path))?;
        let feed = Feed::default();
        let meters = LedgerMeters::default();
        let readers = Readers::start(path.clone(), busy, &meters)?;
        let writer = Writer::start(conn, path.clone(), clock.clone(), feed.clone(), meters.clone())?;
        Ok(Self { path, clock, readers, writer, feed, meters })
    }
}

/// Makes the JSON on the caller's thread, so that the one writer has less to do.
fn json(turn: &TurnBody) -> Result<TurnJson, LedgerError> {
    turn.check_depth()?;
    let json = serde_json::to_string(turn)
        .map_err(|error| LedgerError::Unavailable(format!("a turn cannot be written as JSON: {error}")))?;
    Ok(TurnJson { turn_id: turn.turn_id, json })
}

/// The end with its turn as JSON, and the turn.
fn end_json(TaskEnd { state, turn, audit, open_effects, notes }: TaskEnd) -> Result<(EndJson, TurnBody), LedgerError> {
    Ok((EndJson { state, turn: json(&turn)?, audit, open_effects, notes }, turn))
}

fn start_bytes(task: &NewTask) -> usize {
    task.durable.as_ref().map_or(0, |durable| durable.input.len() + durable.user.len())
}

fn step_bytes(step: &NewStep) -> usize {
    step.name.len() + step.value.len() + step.log.as_ref().map_or(0, String::len)
}

impl Leases for SqliteLedger {
    async fn join(&self, node: &str, lease: Duration) -> LedgerResult<Incarnation> {
        let node = node.to_owned();
        self.writer.write(Weight::Durable, move |tx| tx.join(&node, lease)).await
    }

    async fn renew(&self, incarnation: &Incarnation, lease: Duration) -> LedgerResult<RenewalNews> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Light, move |tx| tx.renew(&incarnation, lease)).await
    }

    async fn drain(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Light, move |tx| tx.drain(&incarnation)).await
    }

    async fn leave(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.leave(&incarnation)).await
    }
}

impl Calls for SqliteLedger {
    async fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();

        let NewCall { call_id, owner, turn, max_stored } = call;
        let row = json(&turn)?;
        let bytes = row.json.len();
        let work = move |tx: &mut ops::Tx<'_>| tx.accept_call(&incarnation, call_id, &owner, &row, max_stored);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn reply(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();

        let row = json(&turn)?;
        let bytes = row.json.len();
        let work = move |tx: &mut ops::Tx<'_>| tx.reply(&incarnation, call_id, &row);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn answer_call(&self, incarnation: &Incarnation, call: NewCall, reply: TurnBody) -> LedgerResult<[Turn; 2]> {
        let incarnation = incarnation.clone();

        let NewCall { call_id, owner, turn, max_stored } = call;
        let (asked, replied) = (json(&turn)?, json(&reply)?);
        let bytes = asked.json.len() + replied.json.len();
        let work =
            move |tx: &mut ops::Tx<'_>| tx.answer_call(&incarnation, call_id, &owner, &asked, max_stored, &replied);
        let [asked, replied] = self.writer.write_sized(Weight::Durable, bytes, work).await?;
        Ok([asked.on(turn), replied.on(reply)])
    }

    async fn accept_and_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
    ) -> LedgerResult<(Turn, Task)> {
        rules::check_is_parent(&call, &task)?;
        let incarnation = incarnation.clone();
        let NewCall { call_id, owner, turn, max_stored } = call;
        let row = json(&turn)?;
        let bytes = row.json.len() + start_bytes(&task);
        let work =
            move |tx: &mut ops::Tx<'_>| tx.accept_and_start(&incarnation, (call_id, &owner, &row, max_stored), &task);
        let (stamp, task) = self.writer.write_sized(Weight::Durable, bytes, work).await?;
        Ok((stamp.on(turn), task))
    }

    async fn start_and_answer(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
    ) -> LedgerResult<(Turn, Task, Turn)> {
        rules::check_is_parent(&call, &task)?;
        let incarnation = incarnation.clone();
        let NewCall { call_id, owner, turn, max_stored } = call;
        let (asked, replied) = (json(&turn)?, json(&reply)?);
        let bytes = asked.json.len() + replied.json.len() + start_bytes(&task);
        let work = move |tx: &mut ops::Tx<'_>| {
            tx.start_and_answer(&incarnation, (call_id, &owner, &asked, max_stored), &task, &replied)
        };
        let (asked, task, replied) = self.writer.write_sized(Weight::Durable, bytes, work).await?;
        Ok((asked.on(turn), task, replied.on(reply)))
    }

    async fn reply_and_finish(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        attempt: Attempt,
        end: TaskEnd,
    ) -> LedgerResult<[Turn; 2]> {
        let incarnation = incarnation.clone();
        let row = json(&turn)?;
        let (end, outcome) = end_json(end)?;
        let bytes = row.json.len() + end.turn.json.len();
        let work = move |tx: &mut ops::Tx<'_>| tx.reply_and_finish(&incarnation, (call_id, &row), (attempt, &end));
        let [replied, ended] = self.writer.write_sized(Weight::Durable, bytes, work).await?;
        Ok([replied.on(turn), ended.on(outcome)])
    }

    async fn request_call_cancel(&self, owner: &Owner, call_id: CallId, audit: NewAudit) -> LedgerResult<CallCancel> {
        let owner = owner.clone();
        self.writer.write(Weight::Durable, move |tx| tx.request_call_cancel(&owner, call_id, &audit)).await
    }

    async fn find_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Option<CallRecord>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::call(reading, &owner, call_id)).await
    }
}

impl Tasks for SqliteLedger {
    async fn start_task(&self, incarnation: &Incarnation, task: NewTask) -> LedgerResult<Task> {
        let incarnation = incarnation.clone();
        let bytes = start_bytes(&task);
        self.writer.write_sized(Weight::Durable, bytes, move |tx| tx.start_task(&incarnation, &task)).await
    }

    async fn finish_task(&self, incarnation: &Incarnation, attempt: Attempt, end: TaskEnd) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();
        let (end, turn) = end_json(end)?;
        let bytes = end.turn.json.len();
        let work = move |tx: &mut ops::Tx<'_>| tx.finish_task(&incarnation, attempt, &end);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn note_progress(&self, incarnation: &Incarnation, latest: Vec<(u32, Progress)>) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Light, move |tx| tx.note_progress(&incarnation, &latest)).await
    }

    async fn request_cancel(&self, task_id: TaskId, audit: NewAudit, end: TaskEnd) -> LedgerResult<CancelOutcome> {
        let (end, _) = end_json(end)?;
        let bytes = end.turn.json.len();
        self.writer.write_sized(Weight::Durable, bytes, move |tx| tx.request_cancel(task_id, &audit, &end)).await
    }

    async fn find_task(&self, task_id: TaskId) -> LedgerResult<Option<TaskRecord>> {
        self.readers.read(move |reading| reads::task(reading, task_id)).await
    }

    async fn open_tasks(&self, owner: &Owner) -> LedgerResult<Vec<Task>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::open_tasks(reading, &owner)).await
    }

    async fn recent_tasks(&self, owner: &Owner, limit: u32) -> LedgerResult<Vec<Task>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::recent_tasks(reading, &owner, limit)).await
    }

    async fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Vec<Task>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::tasks_of_call(reading, &owner, call_id)).await
    }
}

impl DurableTasks for SqliteLedger {
    async fn claim_tasks(&self, incarnation: &Incarnation, request: ClaimRequest) -> LedgerResult<Vec<ClaimedTask>> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.claim_tasks(&incarnation, &request)).await
    }

    async fn next_ready_in(&self, names: &[DurableName]) -> LedgerResult<Option<Duration>> {
        let names = names.to_vec();
        let first = self.readers.read(move |reading| reads::first_ready_at(reading, &names)).await?;
        let left = first.map(|at| at.saturating_sub(self.clock.now().as_microsecond()));
        Ok(left.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default())))
    }

    async fn release_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
    ) -> LedgerResult<Task> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.release_task(&incarnation, attempt, &release, &report)).await
    }

    async fn store_step(&self, incarnation: &Incarnation, attempt: Attempt, step: NewStep) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        let bytes = step_bytes(&step);
        self.writer.write_sized(Weight::Durable, bytes, move |tx| tx.store_step(&incarnation, attempt, &step)).await
    }

    async fn steps(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<StoredStep>> {
        self.readers.read(move |reading| reads::steps(reading, task_id, after, limit)).await
    }

    async fn step_value(&self, task_id: TaskId, ordinal: u16) -> LedgerResult<Option<String>> {
        self.readers.read(move |reading| reads::step_value(reading, task_id, ordinal)).await
    }

    async fn attempts(&self, task_id: TaskId) -> LedgerResult<Vec<TaskAttempt>> {
        self.readers.read(move |reading| reads::attempts(reading, task_id)).await
    }

    async fn find_durable(&self, task_id: TaskId) -> LedgerResult<Option<StoredDurable>> {
        self.readers.read(move |reading| reads::durable(reading, task_id)).await
    }

    async fn register_program(&self, incarnation: &Incarnation, program: DurableProgram) -> LedgerResult<()> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Light, move |tx| tx.register_program(&incarnation, &program)).await
    }

    async fn mark_stuck(&self, incarnation: &Incarnation, untaken_for: Duration) -> LedgerResult<u64> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.mark_stuck(&incarnation, untaken_for)).await
    }

    async fn announce_queued(&self, incarnation: &Incarnation, queued_for: Duration) -> LedgerResult<u64> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.announce_queued(&incarnation, queued_for)).await
    }

    async fn long_stuck(&self, stuck_for: Duration, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        let before = before(self.clock.now(), stuck_for).as_microsecond();
        self.readers.read(move |reading| reads::long_stuck(reading, before, limit)).await
    }

    async fn cancelled_tasks(&self, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        self.readers.read(move |reading| reads::cancelled_tasks(reading, limit)).await
    }

    async fn backlog(&self) -> LedgerResult<Backlog> {
        let now = self.clock.now();
        self.readers.read(move |reading| reads::backlog(reading, now)).await
    }
}

impl Chat for SqliteLedger {
    async fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, from: MessageSource) -> LedgerResult<Turn> {
        let row = json(&turn)?;
        let step = if let MessageSource::Step(_, step) = &from { step_bytes(step) } else { 0 };
        let bytes = row.json.len() + step;
        let work = move |tx: &mut ops::Tx<'_>| tx.inject(&owner, &row, &audit, &from);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn turns(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::turns(reading, &owner, after, limit)).await
    }

    async fn latest_turns(&self, owner: &Owner, before: Option<u64>, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::latest_turns(reading, &owner, before, limit)).await
    }

    async fn find_turn(&self, owner: &Owner, turn_id: TurnId) -> LedgerResult<Option<Turn>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::turn_of(reading, &owner, turn_id)).await
    }

    async fn events(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Event>> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::events(reading, &owner, after, limit)).await
    }

    async fn head(&self, owner: &Owner) -> LedgerResult<u64> {
        let owner = owner.clone();
        self.readers.read(move |reading| reads::head(reading, &owner)).await
    }
}

impl AuditTrail for SqliteLedger {
    async fn write_audit(&self, row: NewAudit) -> LedgerResult<()> {
        self.writer.write(Weight::Durable, move |tx| tx.audit(&row)).await
    }

    async fn audit_rows(&self, filter: AuditFilter) -> LedgerResult<Page<AuditRow>> {
        self.readers.read(move |reading| reads::audit_rows(reading, &filter)).await
    }

    async fn chain_ends(&self, owner: Option<Owner>) -> LedgerResult<Vec<(Owner, ChainEnds)>> {
        self.readers.read(move |reading| reads::chain_ends(reading, owner.as_ref())).await
    }
}

impl Retention for SqliteLedger {
    async fn prune(&self, policy: &RetentionPolicy, from: u64, limit: u32) -> LedgerResult<Pruned> {
        let cuts = Cutoffs::at(self.clock.now(), policy);

        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let due = self.readers.read(move |reading| DueOwners::find(reading.conn, &cuts, from)).await?;
        if due.is_empty() {
            return Ok(Pruned { next: due.next(), ..Pruned::default() });
        }
        self.writer.write(Weight::Light, move |tx| tx.prune(&due, &cuts, limit)).await
    }
}

impl Health for SqliteLedger {
    async fn check_writable(&self) -> LedgerResult<()> {
        self.writer.write(Weight::Light, |tx| tx.check()).await
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }

    fn meters(&self) -> &LedgerMeters {
        &self.meters
    }
}
