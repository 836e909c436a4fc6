//! Files: rows about bytes that are stored elsewhere.

use rusqlite::params;

use super::Tx;
use crate::ids::{FileId, TaskId};
use crate::ledger::clock::after;
use crate::ledger::rules::{self, FILE_GRACE, Totals, TotalsDelta};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::files::FILE;
use crate::ledger::sqlite::rows::{all, execute, number, one};
use crate::ledger::{
    FileChange, FileContent, FileLimits, FileRemoval, FileSource, FileState, LedgerError, NewFile, Owner, StoredFile,
    SweptFiles, Work, decode,
};

/// Files that the sweep has to look at.
pub(in crate::ledger::sqlite) const DUE_FILES: &str = "SELECT file_no, file_id, state FROM file
    WHERE due_at IS NOT NULL AND due_at <= ?1 ORDER BY due_at LIMIT ?2";

/// The number and the bytes of an owner's files of an extension, counted. A damaged size does not overflow the sum.
const COUNTED_FILES: &str = "SELECT count(*), coalesce(sum(min(max(size, 0), 1 << 46)), 0) FROM file
    WHERE owner_id = ?1 AND app_id = ?2 AND state <> 'deleting'";

/// Takes a file from the totals before it is deleted. Totals below the size of the file are damaged: -1 files make the next
/// write count them again.
const TAKE_FILE: &str = "UPDATE shelf SET
        files = CASE WHEN files BETWEEN 1 AND 1 << 50 AND file_bytes BETWEEN taken.bytes AND 1 << 50 THEN files - 1 ELSE -1 END,
        file_bytes = CASE WHEN file_bytes >= taken.bytes THEN file_bytes - taken.bytes ELSE file_bytes END
    FROM (SELECT owner_id, app_id, min(max(size, 0), 1 << 46) AS bytes FROM file
        WHERE file_no = ?1 AND state <> 'deleting') AS taken
    WHERE shelf.owner_id = taken.owner_id AND shelf.app_id = taken.app_id";

/// The attempt that began a pending file still runs.
const BEGUN_BY_RUNNING: &str = "SELECT 1 FROM file f JOIN task t ON t.task_id = f.task_id
    JOIN node n ON n.node = f.node AND n.incarnation = f.incarnation AND n.lease_until IS NOT NULL
    WHERE f.file_no = ?1 AND t.state = 'running' AND t.node = f.node AND t.incarnation = f.incarnation
        AND t.attempt = f.attempt";

/// The work that began a file, as its columns have it.
struct Begun {
    call_id: Option<String>,
    task_id: Option<String>,
    attempt: Option<u32>,
}

impl From<&FileSource> for Begun {
    fn from(source: &FileSource) -> Self {
        let work = match source {
            FileSource::Work(fence) => Some(fence.work),
            FileSource::Upload(_) => None,
        };
        match work {
            Some(Work::Call(call_id)) => Self { call_id: Some(call_id.to_string()), task_id: None, attempt: None },
            Some(Work::Task(of)) => {
                Self { call_id: None, task_id: Some(of.task_id.to_string()), attempt: Some(of.number) }
            }
            None => Self { call_id: None, task_id: None, attempt: None },
        }
    }
}

impl Tx<'_> {
    fn check_file_source(&self, owner: &Owner, source: &FileSource) -> Result<(), Fault> {
        match source {
            FileSource::Work(fence) => self.may_write_for(owner, fence),
            FileSource::Upload(incarnation) => self.fence(incarnation),
        }
    }

    /// Changes the totals of an owner's files of an extension, and refuses what takes them over the limits. The row of the
    /// file is still as it was.
    fn count_file(&self, (owner_id, app_id): (i64, &str), delta: TotalsDelta, limits: FileLimits) -> Result<(), Fault> {
        let sql = "INSERT INTO shelf (owner_id, app_id) VALUES (?1, ?2) ON CONFLICT (owner_id, app_id) DO NOTHING";
        execute(self.conn, sql, params![owner_id, app_id])?;
        let sql = "SELECT files, file_bytes FROM shelf WHERE owner_id = ?1 AND app_id = ?2";
        let stored =
            one(self.conn, sql, params![owner_id, app_id], |row| Ok(rules::sound_totals(row.get(0)?, row.get(1)?)))?;
        let change = |before: Totals| Some((before, before.after(delta)?));
        let (before, after) = if let Some(changed) = stored.flatten().and_then(change) {
            changed
        } else {
            let before = self.counted_files(owner_id, app_id)?;
            (before, before.after(delta).unwrap_or_default())
        };
        before.check_files(after, limits)?;
        let sql = "UPDATE shelf SET files = ?3, file_bytes = ?4 WHERE owner_id = ?1 AND app_id = ?2";
        execute(self.conn, sql, params![owner_id, app_id, number(after.count), number(after.bytes)])?;
        Ok(())
    }

    /// The totals of a shelf whose stored ones are damaged.
    fn counted_files(&self, owner_id: i64, app_id: &str) -> Result<Totals, Fault> {
        let counted = one(self.conn, COUNTED_FILES, params![owner_id, app_id], |row| {
            let count = |column: usize| Ok::<_, Fault>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default());
            Ok(Totals { count: count(0)?, bytes: count(1)? })
        })?;
        Ok(counted.unwrap_or_default())
    }

    pub(in crate::ledger::sqlite) fn begin_file(
        &self,
        owner: &Owner,
        source: &FileSource,
        new: &NewFile,
    ) -> Result<(), Fault> {
        self.check_file_source(owner, source)?;
        let owner_id = self.find_or_add_owner(owner)?;
        let (incarnation, begun) = (source.incarnation(), Begun::from(source));
        let expires_at = new.keep_for.map(|time| after(self.now, time).as_microsecond());
        let sql = "SELECT 1 FROM file WHERE file_id = ?1";
        if one(self.conn, sql, [new.file_id.to_string()], |_| Ok(()))?.is_some() {
            return Err(LedgerError::IdExists.into());
        }
        self.count_file((owner_id, &new.app_id), TotalsDelta::of_file(None, Some(new.size)), new.limits)?;
        let sql = "INSERT INTO file (file_id, owner_id, app_id, state, node, incarnation, call_id, task_id, attempt,
                       size, created_at, expires_at, due_at, name, content_type)
                   VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '')";
        let params = params![
            new.file_id.to_string(),
            owner_id,
            new.app_id,
            &*incarnation.node,
            incarnation.number,
            begun.call_id,
            begun.task_id,
            begun.attempt,
            number(new.size),
            self.now.as_microsecond(),
            expires_at,
            after(self.now, FILE_GRACE).as_microsecond(),
            new.name
        ];
        execute(self.conn, sql, params)?;
        Ok(())
    }

    fn file(&self, owner_id: i64, file_id: FileId) -> Result<Option<StoredFile>, Fault> {
        let params = params![owner_id, self.now.as_microsecond(), file_id.to_string()];
        one(self.conn, FILE, params, |row| Ok(decode::file(row, self.unreadable)))
    }

    pub(in crate::ledger::sqlite) fn complete_file(
        &self,
        owner: &Owner,
        source: &FileSource,
        content: &FileContent,
    ) -> Result<StoredFile, Fault> {
        self.check_file_source(owner, source)?;
        let FileContent { file_id, content_type, size, sha256, is_stored, limits } = content;
        let missing = || Fault::from(LedgerError::FileMissing(*file_id));
        let owner_id = self.find_or_add_owner(owner)?;
        let Some(found) = self.file(owner_id, *file_id)? else { return Err(missing()) };
        let (incarnation, begun) = (source.incarnation(), Begun::from(source));
        let sql = "SELECT 1 FROM file WHERE file_id = ?1 AND node = ?2 AND incarnation = ?3 AND call_id IS ?4
                   AND task_id IS ?5 AND attempt IS ?6";
        let params = params![
            file_id.to_string(),
            &*incarnation.node,
            incarnation.number,
            begun.call_id,
            begun.task_id,
            begun.attempt
        ];
        if one(self.conn, sql, params, |_| Ok(()))?.is_none() {
            return Err(missing());
        }
        if let Some(stored) = found.sha256 {
            return if stored == *sha256 && found.size == *size { Ok(found) } else { Err(missing()) };
        }
        let delta = TotalsDelta::of_file(Some(found.size), Some(*size));
        self.count_file((owner_id, &found.app_id), delta, *limits)?;
        let sql = "UPDATE file SET content_type = ?2, size = ?3, sha256 = ?4, state = iif(?5, 'stored', state),
                       due_at = iif(?5, expires_at, due_at)
                   WHERE file_id = ?1";
        execute(self.conn, sql, params![file_id.to_string(), content_type, number(*size), &sha256[..], is_stored])?;
        self.file(owner_id, *file_id)?.ok_or_else(missing)
    }

    /// Stores pending files of an owner's extension.
    pub(in crate::ledger::sqlite) fn claim_files(
        &self,
        owner: &Owner,
        app_id: &str,
        ids: &[FileId],
    ) -> Result<(), Fault> {
        let owner_id = self.find_or_add_owner(owner)?;
        ids.iter().try_for_each(|file_id| self.claim_file(owner_id, app_id, *file_id))
    }

    fn claim_file(&self, owner_id: i64, app_id: &str, file_id: FileId) -> Result<(), Fault> {
        let sql = "UPDATE file SET state = 'stored', due_at = expires_at
                   WHERE file_id = ?1 AND owner_id = ?2 AND app_id = ?3 AND sha256 IS NOT NULL
                       AND state <> 'deleting' AND (expires_at IS NULL OR expires_at > ?4)";
        let params = params![file_id.to_string(), owner_id, app_id, self.now.as_microsecond()];
        match execute(self.conn, sql, params)? {
            0 => Err(LedgerError::FileMissing(file_id).into()),
            _ => Ok(()),
        }
    }

    /// Changes files of a task's owner with a step, whose right has been checked.
    pub(in crate::ledger::sqlite) fn change_files_of_task(
        &self,
        task_id: TaskId,
        app_id: &str,
        changes: &[FileChange],
    ) -> Result<(), Fault> {
        let task = self.task(task_id)?;
        let owner_id = task.facts().owner;
        for change in changes {
            match change {
                FileChange::Store(file_id) => self.claim_file(owner_id, app_id, *file_id)?,
                FileChange::Delete(file_id) => {
                    self.mark_deleted(owner_id, *file_id)?;
                }
            }
        }
        Ok(())
    }

    fn mark_deleted(&self, owner_id: i64, file_id: FileId) -> Result<bool, Fault> {
        let sql = "SELECT file_no FROM file WHERE (file_id = ?1 OR file_no = ?4) AND owner_id = ?2
                       AND state <> 'deleting' AND (expires_at IS NULL OR expires_at > ?3)";
        let params = params![file_id.to_string(), owner_id, self.now.as_microsecond(), file_id.row()];
        match one(self.conn, sql, params, |row| Ok(row.get::<_, i64>(0)?))? {
            Some(file_no) => self.delete_row(file_no).map(|()| true),
            None => Ok(false),
        }
    }

    /// Deletes a file that counts. Its bytes are removed later.
    fn delete_row(&self, file_no: i64) -> Result<(), Fault> {
        execute(self.conn, TAKE_FILE, [file_no])?;
        let due_at = after(self.now, FILE_GRACE).as_microsecond();
        let sql = "UPDATE file SET due_at = ?2, state = 'deleting' WHERE file_no = ?1";
        execute(self.conn, sql, params![file_no, due_at])?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn delete_file(
        &self,
        owner: &Owner,
        removal: &FileRemoval,
        file_id: FileId,
    ) -> Result<bool, Fault> {
        if let Some(fence) = &removal.fence {
            self.may_write_for(owner, fence)?;
        }
        let Some(owner_id) = self.find_owner(owner)? else { return Ok(false) };
        let existed = self.mark_deleted(owner_id, file_id)?;
        if let Some(audit) = removal.audit.as_ref().filter(|_| existed) {
            self.audit(audit)?;
        }
        Ok(existed)
    }

    pub(in crate::ledger::sqlite) fn sweep_files(&self, limit: u32) -> Result<SweptFiles, Fault> {
        let now = self.now.as_microsecond();
        let later = after(self.now, FILE_GRACE).as_microsecond();
        let due = all(self.conn, DUE_FILES, params![now, limit], |row| {
            Ok((row.get::<_, i64>(0)?, decode::file_id(row), decode::file_state(row)))
        })?;
        let mut swept = SweptFiles::default();
        for (file_no, file_id, state) in due {
            if state == FileState::Deleting {
                swept.due.push(file_id);
                continue;
            }
            let runs =
                state == FileState::Pending && one(self.conn, BEGUN_BY_RUNNING, [file_no], |_| Ok(()))?.is_some();
            if runs {
                execute(self.conn, "UPDATE file SET due_at = ?2 WHERE file_no = ?1", params![file_no, later])?;
                continue;
            }
            self.delete_row(file_no)?;
            swept.deleted += 1;
        }
        Ok(swept)
    }

    pub(in crate::ledger::sqlite) fn forget_files(&self, ids: &[FileId]) -> Result<u64, Fault> {
        let mut removed = 0;
        for file_id in ids {
            let sql = "DELETE FROM file WHERE (file_id = ?1 OR file_no = ?3) AND state = 'deleting' AND due_at <= ?2";
            let params = params![file_id.to_string(), self.now.as_microsecond(), file_id.row()];
            removed += execute(self.conn, sql, params)? as u64;
        }
        Ok(removed)
    }
}
