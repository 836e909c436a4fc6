//! Binds the steps of a durable task to the audit chain: the audit row of its end has their digest.
//!
//! An attempt has hashed what it stored and read. Values that it never read, and the steps of a task that no process
//! runs, are read from the ledger.

use super::Node;
use super::durable_write::write_backoff;
use crate::context::{DurableRun, StepsDigest, StoredSteps};
use crate::ids::TaskId;
use crate::ledger::{LedgerError, TaskEnd};

impl Node {
    /// Adds the digest of an attempt's task to the audit row of its end. Repeats reads until the node ends.
    pub(super) async fn bind_steps_of_run(&self, task_id: TaskId, run: &DurableRun, end: &mut TaskEnd) {
        // A value whose await was dropped may still be on its way.
        if self.ended.run_until_cancelled(run.stored_all()).await.is_none() {
            return;
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
                    return;
                }
            }
        }
        add(run.digest(), end);
    }

    /// Adds the digest of a task that no process runs to the audit row of its end.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) async fn bind_steps(&self, task_id: TaskId, end: &mut TaskEnd) -> Result<(), LedgerError> {
        let mut steps = StoredSteps::default();
        loop {
            let page = self.ledger.steps(task_id, steps.last_ordinal(), super::resume::STEPS_PAGE).await?;
            steps.add_rows(page.rows);
            if !page.more {
                break;
            }
        }
        for (ordinal, name) in steps.unread() {
            let value = self.ledger.step_value(task_id, ordinal).await?;
            steps.note_read(ordinal, &name, value.as_deref().unwrap_or_default());
        }
        add(steps.digest(), end);
        Ok(())
    }
}

fn add(digest: Option<StepsDigest>, end: &mut TaskEnd) {
    if let Some(digest) = digest {
        let detail = end.audit.detail.get_or_insert_default();
        *detail = if detail.is_empty() { digest.to_string() } else { format!("{detail}; {digest}") };
    }
}
