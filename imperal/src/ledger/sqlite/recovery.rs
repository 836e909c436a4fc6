//! Work of ended incarnations.

use super::fault::Fault;
use super::job::Weight;
use super::ops::{EndIsolation, Tx};
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

    async fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let incarnation = incarnation.clone();
        let mut answers = Vec::with_capacity(ends.len());
        let mut rows = Vec::with_capacity(ends.len());
        for (task_id, end) in ends {
            answers.push(end_json(end).map(|(end, _)| rows.push((task_id, end))));
        }
        let bytes = rows.iter().map(|(_, end)| end.turn.json.len()).sum();
        let mut isolation = EndIsolation::default();
        let work = move |tx: &mut Tx<'_>| tx.reclaim_tasks(&incarnation, &rows, &mut isolation);
        let mut written = self.writer.write_sized(Weight::Durable, bytes, work).await?.into_iter();
        for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
            let missing = || Err(Fault::Row("an end has no answer".to_owned()));
            *answer = written.next().unwrap_or_else(missing).map_err(|fault| fault.into_ledger(&self.path));
        }
        Ok(answers)
    }
}
