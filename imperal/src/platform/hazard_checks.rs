//! Finds faults in the bodies of durable tasks that an interruption would show, and reports them: to the log, once for
//! each place, and to the test kit.
//!
//! The surfaces find the others. This owns the comparison of messages over attempts, and the look whether a stored text
//! is the path of a local file. It opens no file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Node;
use super::task_run::TaskRun;
use crate::context::{Hazard, Origin, PathText, SaidText, are_alike};
use crate::ledger::Owner;

/// Longest look at paths and at messages.
const PATIENCE: Duration = Duration::from_secs(1);
/// Messages of earlier attempts that are read again.
const MESSAGES: usize = 8;

impl Node {
    pub(super) fn tell_hazard(&self, origin: &Origin, hazard: &Hazard) {
        self.progress.tell_hazard(hazard);
        if self.hazards.is_new(origin, hazard) {
            let task = origin.task_id.map(tracing::field::display);
            tracing::warn!(app = origin.app_id, function = origin.function, task, "{hazard}");
        }
    }

    /// Tells of each of these texts of a step's value that is the path of a local file.
    pub(super) async fn find_local_paths(&self, origin: &Origin, step: &str, paths: Vec<PathText>) {
        let data_folder = self.settings.data_folder.clone();
        let Ok(Some(permit)) = tokio::time::timeout(PATIENCE, self.hazards.may_look()).await else { return };
        let looking = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let folders = [Some(std::env::temp_dir()), data_folder].into_iter().flatten();
            let folders: Vec<PathBuf> =
                folders.flat_map(|folder| [folder.canonicalize().ok(), Some(folder)]).flatten().collect();
            paths.into_iter().filter(|text| is_local(&text.path, &folders)).collect::<Vec<_>>()
        });
        let Ok(looked) = tokio::time::timeout(PATIENCE, looking).await else { return self.hazards.give_up() };
        let Ok(local) = looked else { return };
        for PathText { at, .. } in local {
            self.tell_hazard(origin, &Hazard::LocalPath { step: step.to_owned(), at });
        }
    }
}

fn is_local(path: &Path, folders: &[PathBuf]) -> bool {
    // In the root of the file system every path is.
    let is_in = |folder: &PathBuf| folder.parent().is_some() && path != folder && path.starts_with(folder);
    folders.iter().any(is_in) || path.metadata().is_ok_and(|file| file.is_file())
}

impl TaskRun<'_> {
    /// At the end of the last attempt: a message that it said for the first time, and that is like one of an earlier
    /// attempt which it did not say again, was said twice.
    pub(super) async fn warn_of_differing_messages(&self) {
        let Some(run) = self.work.ctx.durable_run() else { return };
        let (unsaid, mut new) = run.differing_messages();
        if unsaid.is_empty() || new.is_empty() {
            return;
        }
        let origin = self.work.ctx.origin();
        let owner = Owner::from(&origin.user);
        let comparing = async {
            for turn_id in unsaid.into_iter().take(MESSAGES) {
                let Ok(Some(turn)) = self.node.ledger.find_turn(&owner, turn_id).await else { continue };
                let text = turn.body.text;
                if let Some(at) = new.iter().position(|later| are_alike(&text, &later.text)) {
                    let (earlier, later) = (SaidText { turn_id, text }, new.remove(at));
                    self.node.tell_hazard(origin, &Hazard::Messages { earlier, later });
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, self.work.lease.lost.run_until_cancelled(comparing)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_path_is_local_in_a_known_folder_or_if_its_file_exists() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image.png");
        assert!(!is_local(&file, &[]), "there is no such file");
        assert!(is_local(&file, &[folder.path().to_owned()]));
        std::fs::write(&file, "x").unwrap();
        assert!(is_local(&file, &[]));
        assert!(!is_local(folder.path(), &[folder.path().to_owned()]), "a folder that exists is no file");
        assert!(!is_local(Path::new("/v1/images"), &[PathBuf::from("/")]));
    }
}
