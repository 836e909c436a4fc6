//! The file changes of a step of a durable task, until the step is stored.

use std::sync::PoisonError;

use crate::ids::FileId;
use crate::rows::FileChange;
use crate::sync::Mutex;

/// The changes of files in one run of a step, which happen with the step.
#[derive(Debug, Default)]
pub(crate) struct StepFiles(Mutex<Vec<FileChange>>);

impl StepFiles {
    pub(super) fn add(&self, change: FileChange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    pub(super) fn has_deleted(&self, file_id: FileId) -> bool {
        self.changes().contains(&FileChange::Delete(file_id))
    }

    /// All changes, in order. A file that the step wrote and deleted is deleted.
    pub(crate) fn changes(&self) -> Vec<FileChange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The files that the step wrote.
    pub(crate) fn written(&self) -> Vec<FileId> {
        let written = |change| match change {
            FileChange::Store(file_id) => Some(file_id),
            FileChange::Delete(_) => None,
        };
        self.changes().into_iter().filter_map(written).collect()
    }
}
