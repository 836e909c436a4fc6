//! The stored steps of durable tasks, as the API lists them, and which of them were read already.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::effect_words;
use super::exit::CliError;
use crate::ids::TaskId;
use crate::ledger::{KnownBy, StepKind};

/// Steps per request.
const PAGE: u32 = 500;
/// How far back of the latest step a missing one is looked for: steps that end together may be stored in any order.
const WINDOW: u16 = 64;

/// A stored step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredStep {
    ordinal: u16,
    pub(super) name: String,
    kind: StepKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_by: Option<KnownBy>,
    pub(super) attempt: u32,
    began_at: Timestamp,
    done_at: Timestamp,
}

impl StoredStep {
    /// Whether it is a step that ran or an effect that is done, not a message or a wait.
    pub(super) fn is_step(&self) -> bool {
        self.kind.is_progress()
    }

    /// Why an effect is known not to be done, for such a row.
    pub(super) fn not_done(&self) -> Option<&'static str> {
        (self.kind == StepKind::NotDone).then(|| effect_words::known_words(self.known_by, false))
    }

    pub(super) fn took(&self) -> Duration {
        Duration::try_from(self.done_at.duration_since(self.began_at)).unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
struct StepPage {
    steps: Vec<StoredStep>,
    next: Option<u16>,
}

/// Reads the steps of one task, each of them once.
#[derive(Debug, Default)]
pub(super) struct StepReader {
    /// All steps up to this ordinal were read or are missing for good.
    after: u16,
    /// Ordinals after it that were read.
    ahead: HashSet<u16>,
}

impl StepReader {
    /// The steps that were not read before, in the order of their ends.
    pub(super) async fn read_new(&mut self, client: &Client, task_id: TaskId) -> Result<Vec<StoredStep>, CliError> {
        let mut new = Vec::new();
        let mut after = self.after;
        loop {
            let page: StepPage = client.get(&format!("/v1/tasks/{task_id}/steps?after={after}&limit={PAGE}")).await?;
            new.extend(page.steps.into_iter().filter(|step| !self.ahead.contains(&step.ordinal)));
            let Some(next) = page.next else { break };
            after = next;
        }
        self.note(new.iter().map(|step| step.ordinal));
        Ok(new)
    }

    fn note(&mut self, read: impl Iterator<Item = u16>) {
        self.ahead.extend(read);
        let latest = self.ahead.iter().max().copied().unwrap_or_default();
        // A step that a crash cut off leaves a gap for good.
        self.after = self.after.max(latest.saturating_sub(WINDOW));
        while self.ahead.contains(&self.after.saturating_add(1)) {
            self.after += 1;
        }
        self.ahead.retain(|ordinal| *ordinal > self.after);
    }
}

/// All stored steps of a task.
pub(super) async fn read_all(client: &Client, task_id: TaskId) -> Result<Vec<StoredStep>, CliError> {
    StepReader::default().read_new(client, task_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_stored_late_is_still_read() {
        let mut reader = StepReader::default();
        reader.note([1, 2, 4].into_iter());
        assert_eq!(reader.after, 2, "3 may still come");
        reader.note([3].into_iter());
        assert_eq!((reader.after, reader.ahead.len()), (4, 0));
        reader.note(6..=200);
        assert_eq!((reader.after, reader.ahead.len()), (200, 0), "5 is missing for good");
    }
}
