//! Work of ended incarnations.

use super::fault::Fault;
use super::job::Weight;
use super::ops::{EndIsolation, Tx, WorkEnd};
use super::{SqliteLedger, end_json, json, reads};
use crate::ids::{CallId, TaskId};
use crate::ledger::contract::{LedgerResult, Recovery};
use crate::ledger::{Incarnation, Orphan, TaskEnd, Turn, TurnBody};

impl Recovery for SqliteLedger {
    async fn expire_leases(&self, incarnation: &Incarnation) -> LedgerResult<u64> {
        let incarnation = incarnation.clone();
        self.writer.write(Weight::Durable, move |tx| tx.expire_leases(&incarnation)).await
    }

    async fn orphans(&self, limit: u32) -> LedgerResult<Vec<Orphan>> {
        self.readers.read(move |reading| reads::orphans(reading, limit)).await
    }

    async fn reclaim_call(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();

        let row = json(&turn)?;
        let bytes = row.json.len();
        let work = move |tx: &mut Tx<'_>| tx.reclaim_call(&incarnation, call_id, &row);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn reclaim_task(&self, incarnation: &Incarnation, task_id: TaskId, end: TaskEnd) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();
        let (end, turn) = end_json(end)?;
        let bytes = end.turn.json.len();
        let work = move |tx: &mut Tx<'_>| tx.reclaim_task(&incarnation, task_id, &end);
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn reclaim_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let end = |(call_id, turn)| json(&turn).map(|turn| WorkEnd::Call(call_id, turn));
        self.reclaim_many(incarnation, replies.into_iter().map(end)).await
    }

    async fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let end = |(task_id, end)| end_json(end).map(|(end, _)| WorkEnd::Task(task_id, Box::new(end)));
        self.reclaim_many(incarnation, ends.into_iter().map(end)).await
    }
}

impl SqliteLedger {
    /// Writes the ends in one transaction. One that cannot be made into JSON has that error in its answer.
    async fn reclaim_many(
        &self,
        incarnation: &Incarnation,
        ends: impl Iterator<Item = LedgerResult<WorkEnd>>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let incarnation = incarnation.clone();
        let mut rows = Vec::new();
        let mut answers: Vec<LedgerResult<()>> = ends.map(|end| end.map(|end| rows.push(end))).collect();
        let bytes = rows.iter().map(WorkEnd::bytes).sum();
        let mut isolation = EndIsolation::default();
        let work = move |tx: &mut Tx<'_>| tx.reclaim_many(&incarnation, &rows, &mut isolation);
        let mut written = self.writer.write_sized(Weight::Durable, bytes, work).await?.into_iter();
        for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
            let missing = || Err(Fault::Row("an end has no answer".to_owned()));
            *answer = written.next().unwrap_or_else(missing).map_err(|fault| fault.into_ledger(&self.path));
        }
        Ok(answers)
    }
}
