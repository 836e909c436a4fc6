//! Files: those of steps and uploads against the ledger's rows, and the rows against the bytes in the folder.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use reqwest::{Method, StatusCode};

use super::contents::{Contents, TaskRow};
use super::driver::{Gone, TrackedUser, path_of, send};
use super::judge::{FILE, Verdict};
use crate::{Dice, User};

/// Makes the sweep look at all files that it may delete or remove, as a day later.
pub(crate) const AGE: &str = "file SET due_at = 0 WHERE due_at IS NOT NULL";
/// How many the sweep has not looked at since then.
pub(crate) const AGED: &str = "file WHERE due_at = 0";

impl TrackedUser {
    /// Uploads a file that no call takes, and sometimes deletes it.
    pub(crate) async fn upload(&self, user: &User, dice: &mut Dice) -> Result<(), Gone> {
        let size = usize::try_from(dice.below(50_000)).unwrap_or_default();
        let request = user.request(Method::POST, "/v1/files?app=probe&name=upload.txt").body(vec![b'x'; size]);
        let (status, answer) = send(request).await?;
        let file_id = answer["file_id"].as_str().unwrap_or_default().to_owned();
        match status {
            StatusCode::CREATED => self.record.open().uploaded.push(file_id.clone()),
            // Many uploads at once, or a node that stops or cannot write.
            StatusCode::TOO_MANY_REQUESTS => return Ok(()),
            StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => return Err(Gone),
            _ => {
                self.record.open().odd_answers.push(format!("an upload was answered with {status}: {answer}"));
                return Ok(());
            }
        }
        if dice.below(2) == 0 {
            return Ok(());
        }
        self.record.open().tried_to_delete.insert(file_id.clone());
        let (status, answer) = send(user.request(Method::DELETE, &format!("/v1/files/{file_id}"))).await?;
        match status {
            StatusCode::OK => self.record.open().deleted.push(file_id),
            StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => return Err(Gone),
            _ => self.record.open().odd_answers.push(format!("a delete was answered with {status}: {answer}")),
        }
        Ok(())
    }
}

/// Each step of the probe's durable tasks stores a file and deletes that of the step before, in the step's transaction.
pub(super) fn judge(verdict: &mut Verdict, ledger: &Contents, tracked_users: &[TrackedUser]) {
    let tasks: HashMap<&str, &TaskRow> = ledger.tasks.iter().map(|task| (&*task.task_id, task)).collect();
    // A task that goes on from another has its steps and its name.
    let mut latest: HashMap<(i64, String), u32> = HashMap::new();
    for (task_id, name) in &ledger.steps {
        let number: Option<u32> = name.strip_prefix("step/").and_then(|number| number.parse().ok());
        let (Some(task), Some(number)) = (tasks.get(task_id.as_str()), number) else { continue };
        let known = latest.entry((task.owner, path_of(&task.name))).or_default();
        *known = number.max(*known);
    }
    let wanted: HashSet<_> =
        latest.into_iter().map(|((owner, path), step)| (owner, format!("{path}.{step}"))).collect();
    let mut stored: HashMap<(i64, String), u32> = HashMap::new();
    for file in ledger.files.iter().filter(|file| file.state == "stored") {
        *stored.entry((file.owner, file.name.clone())).or_default() += 1;
    }
    for file in wanted.iter().chain(stored.keys().filter(|file| !wanted.contains(*file))) {
        let (has_step, count) = (wanted.contains(file), stored.get(file).copied().unwrap_or_default());
        verdict.check(FILE, has_step && count == 1, || {
            format!("the file {file:?} is stored {count} times; its step is the latest: {has_step}")
        });
    }
    for (owner, exact) in &ledger.file_totals {
        verdict.check(FILE, *exact, || format!("the totals of the files of owner {owner} are wrong"));
    }
    let states: HashMap<&str, &str> = ledger.files.iter().map(|file| (&*file.file_id, &*file.state)).collect();
    for tracked in tracked_users {
        let record = tracked.record.open();
        for file_id in record.uploaded.iter().filter(|file_id| !record.tried_to_delete.contains(*file_id)) {
            let state = states.get(file_id.as_str());
            verdict.check(FILE, state == Some(&"pending"), || format!("the upload {file_id} is {state:?}"));
        }
        for file_id in &record.deleted {
            let state = states.get(file_id.as_str());
            verdict.check(FILE, matches!(state, None | Some(&"deleting")), || {
                format!("{file_id} was deleted and is {state:?}")
            });
        }
    }
}

/// Compares a ledger that was swept, with nothing at work, with the folder of the bytes.
pub(crate) fn judge_swept(ledger: &Contents, folder: &Path) -> (u64, Vec<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let bytes: HashSet<String> = entries
        .map(|entry| entry.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .collect();
    let rows: HashMap<&str, &str> = ledger.files.iter().map(|file| (&*file.file_id, &*file.state)).collect();
    let mut found = Vec::new();
    for (file_id, state) in &rows {
        if *state != "stored" {
            found.push(format!("after the sweep {file_id} is {state}"));
        } else if !bytes.contains(*file_id) {
            found.push(format!("{file_id} is stored and has no bytes"));
        }
    }
    found.extend(
        bytes
            .iter()
            .filter(|name| !rows.contains_key(name.as_str()))
            .map(|name| format!("no row has the bytes {name}")),
    );
    ((rows.len() + bytes.len()) as u64, found)
}
