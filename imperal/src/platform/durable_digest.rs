//! Completes the end of a durable task with what only its rows say: the digest that binds the steps to the audit chain,
//! and the effects that may or may not have happened.
//!
//! An attempt has hashed what it stored and read. Values that it never read, and the steps of a task that no process
//! runs, are read from the ledger. The ledger refuses an end that speaks of another number of open effects than it
//! counts; then the rows are read again, and the end is made again.

use super::Node;
use super::drafts::LeftDrafts;
use super::durable_write::{Written, write_backoff};
use super::messages::speak_of_effects;
use crate::context::{DurableRun, StepsDigest, StoredSteps};
use crate::ids::TaskId;
use crate::ledger::{Attempt, Fut, Incarnation, LedgerError, LedgerResult, TaskEnd, Work};

/// The end of a task, with the names of its open effects as far as they are known.
#[derive(Debug, Clone)]
pub(super) struct BoundEnd {
    /// Without what its rows say.
    end: TaskEnd,
    digest: Option<StepsDigest>,
    open: Vec<String>,
}

impl BoundEnd {
    /// The end of a task without rows.
    pub(super) fn plain(end: TaskEnd) -> Self {
        Self::named(end, Vec::new())
    }

    /// The end of a task whose rows could not all be read.
    fn named(end: TaskEnd, open: Vec<String>) -> Self {
        Self { end, digest: None, open }
    }

    /// The end as it is written first.
    pub(super) fn first(&self) -> TaskEnd {
        self.spoken(None)
    }

    /// The end as it is written. `counted` is the ledger's number of open effects, if it has refused another.
    fn spoken(&self, counted: Option<u32>) -> TaskEnd {
        let mut end = self.end.clone();
        if let Some(digest) = &self.digest {
            let detail = end.audit.detail.get_or_insert_default();
            *detail = if detail.is_empty() { digest.to_string() } else { format!("{detail}; {digest}") };
        }
        let known = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        speak_of_effects(&mut end, &self.open, counted.unwrap_or(known));
        end
    }
}

impl Node {
    /// Completes the end of an attempt's task. Repeats reads until the node ends.
    pub(super) async fn bind_end_of_run(&self, task_id: TaskId, run: &DurableRun, end: TaskEnd) -> BoundEnd {
        // A value whose await was dropped may still be on its way.
        if self.ended.run_until_cancelled(run.stored_all()).await.is_none() {
            return BoundEnd::named(end, run.open_effects());
        }
        let mut backoff = write_backoff();
        for (ordinal, name) in run.unread() {
            loop {
                match self.ledger.step_value(task_id, ordinal).await {
                    Ok(value) => {
                        run.note_read(ordinal, &name, value.as_deref().unwrap_or_default());
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "a step cannot be read for the audit row yet"),
                }
                if self.ended.run_until_cancelled(tokio::time::sleep(backoff.next_wait())).await.is_none() {
                    return BoundEnd::named(end, run.open_effects());
                }
            }
        }
        BoundEnd { end, digest: run.digest(), open: run.open_effects() }
    }

    /// Writes the end of an attempt's task until it is stored. Returns whether it is; if not, another incarnation
    /// writes it.
    pub(super) async fn write_end(&self, incarnation: &Incarnation, attempt: Attempt, end: &BoundEnd) -> bool {
        // The ledger's number of open effects, once it has refused another.
        let mut counted = None;
        loop {
            let end = end.spoken(counted);
            let write = || -> Fut<'_, Option<u32>> {
                let finishing = self.ledger.finish_task(incarnation, attempt, end.clone());
                Box::pin(async move {
                    match finishing.await {
                        Err(LedgerError::OpenEffects(open)) if counted != Some(open) => Ok(Some(open)),
                        finished => finished.map(|_| None),
                    }
                })
            };
            match self.retry_ending("outcome", write).await {
                Some(Written::Now(Some(open))) => counted = Some(open),
                stored => return stored.is_some(),
            }
        }
    }

    /// Writes the end of a task that no process runs, with what its rows say of it as far as they were read.
    ///
    /// # Errors
    /// Those of the write.
    pub(super) async fn write_unheld_end<'a, T>(
        &self,
        task_id: TaskId,
        mut read: BoundEnd,
        write: impl Fn(TaskEnd) -> Fut<'a, T>,
    ) -> LedgerResult<T> {
        // If a process takes the task meanwhile, the end is refused.
        let work = Work::Task(Attempt::first(task_id));
        LeftDrafts::read(&*self.ledger, &[work]).await?.end(work, &mut read.end.turn);
        let refused = match write(read.spoken(None)).await {
            Err(LedgerError::OpenEffects(_)) => read.end,
            written => return written,
        };
        // The rows were not read, or the task has run meanwhile.
        let end = match self.bind_end(task_id, refused.clone()).await {
            Ok(end) => end,
            Err(error) => {
                tracing::warn!(task = %task_id, %error, "an end names no effects: the task's rows cannot be read");
                BoundEnd::plain(refused)
            }
        };
        match write(end.spoken(None)).await {
            // The rows and the count of them do not agree: the file is damaged.
            Err(LedgerError::OpenEffects(open)) => write(end.spoken(Some(open))).await,
            written => written,
        }
    }

    /// Completes the end of a task that no process runs.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) async fn bind_end(&self, task_id: TaskId, end: TaskEnd) -> LedgerResult<BoundEnd> {
        let mut steps = StoredSteps::default();
        self.read_steps_into(task_id, &mut steps).await?;
        for (ordinal, name) in steps.unread() {
            let value = self.ledger.step_value(task_id, ordinal).await?;
            steps.note_read(ordinal, &name, value.as_deref().unwrap_or_default());
        }
        Ok(BoundEnd { end, digest: steps.digest(), open: steps.open_effects() })
    }
}
