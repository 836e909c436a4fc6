//! The ledger in one SQLite file: what a single machine needs, without a server.
//!
//! Owns [`SqliteLedger`] and how the contract's methods map to one writing thread and a few that
//! read. Two programs may have the same file open, each as a node of its own: SQLite's lock
//! orders their writes, but each feed hears of its own program's commits only.

mod fault;
mod job;
mod ops;
mod readers;
mod reads;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod wal;
mod writer;
mod writer_thread;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::job::Weight;
use self::ops::{DueOwners, TurnJson};
use self::readers::Readers;
use self::writer::Writer;
use super::retention::Cuts;
use super::{
    AuditEnds, AuditFilter, AuditRow, CallRecord, CancelAnswer, Clock, Event, Feed, Fut, Incarnation, Keep, Ledger,
    LedgerError, LedgerMeters, Limit, NewAudit, NewCall, NewTask, Orphan, Owner, Page, Progress, Pruned, Sender,
    SystemClock, Task, TaskEnd, TaskRecord, Turn, TurnBody,
};
use crate::ids::{CallId, TaskId, TurnId};

/// A [`Ledger`] in a file. Survives whatever kills the process, and a power failure.
///
/// Dropping it writes what was asked for and waits for that, 2 s at most.
#[derive(Debug)]
pub struct SqliteLedger {
    clock: Arc<dyn Clock>,
    // Dropped in this order: the last connection to close is the one that can tidy the log away.
    readers: Readers,
    writer: Writer,
    feed: Feed,
    meters: LedgerMeters,
}

impl SqliteLedger {
    /// Opens or makes the file, on the machine's clock. Blocks while it does, and for up to 5 s
    /// while another program upgrades the file.
    ///
    /// The file, and folders that are missing, are made readable by this user only.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] for a damaged file, a newer schema, or another program's file;
    /// [`LedgerError::Unavailable`] when it cannot be opened or written now.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// [`SqliteLedger::open`], on this clock.
    pub fn open_with_clock(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Self::open_waiting(path.as_ref(), clock, schema::BUSY)
    }

    /// `busy` is how long another program's lock is waited for.
    fn open_waiting(path: &Path, clock: Arc<dyn Clock>, busy: Duration) -> Result<Self, LedgerError> {
        let path: Arc<Path> = schema::prepare_file(path)?.into();
        let conn = schema::open_writer(&path, busy).map_err(|fault| fault.into_ledger(&path))?;
        let feed = Feed::default();
        let meters = LedgerMeters::default();
        let readers = Readers::start(path.clone(), busy, &meters)?;
        let writer = Writer::start(conn, path, clock.clone(), feed.clone(), meters.clone())?;
        Ok(Self { clock, readers, writer, feed, meters })
    }
}

/// Written on the caller's thread, so that the one writer has less to do.
fn json(turn: &TurnBody) -> Result<TurnJson, LedgerError> {
    turn.check_depth()?;
    let json = serde_json::to_string(turn)
        .map_err(|error| LedgerError::Unavailable(format!("a turn cannot be written as JSON: {error}")))?;
    Ok(TurnJson { turn_id: turn.turn_id, json })
}

impl Ledger for SqliteLedger {
    fn join<'a>(&'a self, node: &'a str, lease: Duration) -> Fut<'a, Incarnation> {
        let node = node.to_owned();
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.join(&node, lease)))
    }

    fn renew<'a>(&'a self, incarnation: &'a Incarnation, lease: Duration) -> Fut<'a, Vec<TaskId>> {
        let incarnation = incarnation.clone();
        Box::pin(self.writer.write(Weight::Light, move |tx| tx.renew(&incarnation, lease)))
    }

    fn leave<'a>(&'a self, incarnation: &'a Incarnation) -> Fut<'a, ()> {
        let incarnation = incarnation.clone();
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.leave(&incarnation)))
    }

    fn accept_call<'a>(&'a self, incarnation: &'a Incarnation, call: NewCall) -> Fut<'a, Turn> {
        let incarnation = incarnation.clone();
        Box::pin(async move {
            let NewCall { call_id, owner, turn, max_stored } = call;
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.accept_call(&incarnation, call_id, &owner, &row, max_stored);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn reply<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn> {
        let incarnation = incarnation.clone();
        Box::pin(async move {
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.reply(&incarnation, call_id, &row);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn start_task<'a>(&'a self, incarnation: &'a Incarnation, task: NewTask) -> Fut<'a, Task> {
        let incarnation = incarnation.clone();
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.start_task(&incarnation, &task)))
    }

    fn finish_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn> {
        let incarnation = incarnation.clone();
        Box::pin(async move {
            let TaskEnd { state, turn, audit } = end;
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.finish_task(&incarnation, task_id, state, &row, &audit);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn note_progress<'a>(&'a self, incarnation: &'a Incarnation, latest: Vec<Progress>) -> Fut<'a, ()> {
        let incarnation = incarnation.clone();
        Box::pin(self.writer.write(Weight::Light, move |tx| tx.note_progress(&incarnation, &latest)))
    }

    fn ask_cancel(&self, task_id: TaskId, audit: NewAudit) -> Fut<'_, CancelAnswer> {
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.ask_cancel(task_id, &audit)))
    }

    fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, from: Sender) -> Fut<'_, Turn> {
        Box::pin(async move {
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.inject(&owner, &row, &audit, &from);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn audit(&self, row: NewAudit) -> Fut<'_, ()> {
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.audit(&row)))
    }

    fn orphans<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>> {
        let incarnation = incarnation.clone();
        Box::pin(self.writer.write(Weight::Durable, move |tx| tx.orphans(&incarnation, limit)))
    }

    fn reclaim_call<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn> {
        let incarnation = incarnation.clone();
        Box::pin(async move {
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.reclaim_call(&incarnation, call_id, &row);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn reclaim_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn> {
        let incarnation = incarnation.clone();
        Box::pin(async move {
            let TaskEnd { state, turn, audit } = end;
            let row = json(&turn)?;
            let work = move |tx: &mut ops::Tx<'_>| tx.reclaim_task(&incarnation, task_id, state, &row, &audit);
            Ok(self.writer.write(Weight::Durable, work).await?.on(turn))
        })
    }

    fn prune<'a>(&'a self, keep: &'a Keep, from: u64, limit: u32) -> Fut<'a, Pruned> {
        let cuts = Cuts::at(self.clock.now(), keep);
        Box::pin(async move {
            let from = i64::try_from(from).unwrap_or(i64::MAX);
            let due = self.readers.read(move |reading| DueOwners::find(reading.conn, &cuts, from)).await?;
            if due.is_empty() {
                return Ok(Pruned { next: due.next(), ..Pruned::default() });
            }
            self.writer.write(Weight::Light, move |tx| tx.prune(&due, &cuts, limit)).await
        })
    }

    fn turns<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Turn>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::turns(reading, &owner, after, limit)))
    }

    fn latest_turns<'a>(&'a self, owner: &'a Owner, before: Option<u64>, limit: Limit) -> Fut<'a, Page<Turn>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::latest_turns(reading, &owner, before, limit)))
    }

    fn turn<'a>(&'a self, owner: &'a Owner, turn_id: TurnId) -> Fut<'a, Option<Turn>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::turn_of(reading, &owner, turn_id)))
    }

    fn call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Option<CallRecord>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::call(reading, &owner, call_id)))
    }

    fn events<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Event>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::events(reading, &owner, after, limit)))
    }

    fn head<'a>(&'a self, owner: &'a Owner) -> Fut<'a, u64> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::head(reading, &owner)))
    }

    fn task(&self, task_id: TaskId) -> Fut<'_, Option<TaskRecord>> {
        Box::pin(self.readers.read(move |reading| reads::task(reading, task_id)))
    }

    fn running_tasks<'a>(&'a self, owner: &'a Owner) -> Fut<'a, Vec<Task>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::running_tasks(reading, &owner)))
    }

    fn recent_tasks<'a>(&'a self, owner: &'a Owner, limit: u32) -> Fut<'a, Vec<Task>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::recent_tasks(reading, &owner, limit)))
    }

    fn tasks_of_call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Vec<Task>> {
        let owner = owner.clone();
        Box::pin(self.readers.read(move |reading| reads::tasks_of_call(reading, &owner, call_id)))
    }

    fn audit_rows(&self, filter: AuditFilter) -> Fut<'_, Page<AuditRow>> {
        Box::pin(self.readers.read(move |reading| reads::audit_rows(reading, &filter)))
    }

    fn audit_ends(&self, owner: Option<Owner>) -> Fut<'_, Vec<(Owner, AuditEnds)>> {
        Box::pin(self.readers.read(move |reading| reads::audit_ends(reading, owner.as_ref())))
    }

    fn check(&self) -> Fut<'_, ()> {
        Box::pin(self.writer.write(Weight::Light, |tx| tx.check()))
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }

    fn meters(&self) -> &LedgerMeters {
        &self.meters
    }
}
