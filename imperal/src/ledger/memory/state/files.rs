//! Files: rows about bytes that are stored elsewhere.

use jiff::Timestamp;

use super::{State, Told};
use crate::ids::FileId;
use crate::ledger::clock::after;
use crate::ledger::rules::{FILE_GRACE, TotalsDelta};
use crate::ledger::{
    Attempt, DocumentWrites, FileChange, FileContent, FileLimits, FileRemoval, FileSource, FileState, Incarnation,
    LedgerError, NewCall, NewFile, NewStep, Owner, StoredFile, SweptFiles, Turn, Work, WrittenDocument,
};

#[derive(Debug)]
pub(super) struct FileRow {
    owner: Owner,
    /// The work or upload that began it.
    source: FileSource,
    file: StoredFile,
    /// When the sweep has to look at it.
    due_at: Option<Timestamp>,
}

impl FileRow {
    fn is_there(&self, now: Timestamp) -> bool {
        self.file.state != FileState::Deleting && self.file.expires_at.is_none_or(|until| until > now)
    }

    fn store(&mut self) {
        self.file.state = FileState::Stored;
        self.due_at = self.file.expires_at;
    }

    fn delete(&mut self, now: Timestamp) {
        self.file.state = FileState::Deleting;
        self.due_at = Some(after(now, FILE_GRACE));
    }
}

impl State {
    fn check_file_source(&self, owner: &Owner, source: &FileSource) -> Result<(), LedgerError> {
        match source {
            FileSource::Work(fence) => self.may_write_for(owner, fence),
            FileSource::Upload(incarnation) => self.fence(incarnation),
        }
    }

    /// Changes the totals of an owner's files of an extension by a file of `before` bytes that becomes one of `after`
    /// bytes; `None` is none.
    fn count_file(
        &mut self,
        owner: &Owner,
        app_id: &str,
        (before, after): (Option<u64>, Option<u64>),
        limits: FileLimits,
    ) -> Result<(), LedgerError> {
        let totals = self.file_totals.entry((owner.clone(), app_id.to_owned())).or_default();
        // They are never damaged here.
        let changed = totals.after(TotalsDelta::of_file(before, after)).unwrap_or_default();
        totals.check_files(changed, limits)?;
        *totals = changed;
        Ok(())
    }

    pub(in crate::ledger::memory) fn begin_file(
        &mut self,
        owner: &Owner,
        source: FileSource,
        new: NewFile,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.check_file_source(owner, &source)?;
        if self.files.contains_key(&new.file_id) {
            return Err(LedgerError::IdExists);
        }
        self.count_file(owner, &new.app_id, (None, Some(new.size)), new.limits)?;
        let file = StoredFile {
            file_id: new.file_id,
            app_id: new.app_id,
            state: FileState::Pending,
            name: new.name,
            content_type: String::new(),
            size: new.size,
            sha256: None,
            created_at: now,
            expires_at: new.keep_for.map(|time| after(now, time)),
        };
        let row = FileRow { owner: owner.clone(), source, file, due_at: Some(after(now, FILE_GRACE)) };
        self.files.insert(new.file_id, row);
        Ok(())
    }

    pub(in crate::ledger::memory) fn complete_file(
        &mut self,
        owner: &Owner,
        source: &FileSource,
        content: FileContent,
        now: Timestamp,
    ) -> Result<StoredFile, LedgerError> {
        self.check_file_source(owner, source)?;
        let missing = LedgerError::FileMissing(content.file_id);
        let found = self.files.get(&content.file_id);
        let began = |row: &&FileRow| row.owner == *owner && row.source == *source && row.is_there(now);
        let Some(row) = found.filter(began) else { return Err(missing) };
        if let Some(stored) = row.file.sha256 {
            let is_same = stored == content.sha256 && row.file.size == content.size;
            return if is_same { Ok(row.file.clone()) } else { Err(missing) };
        }
        let (app_id, sizes) = (row.file.app_id.clone(), (Some(row.file.size), Some(content.size)));
        self.count_file(owner, &app_id, sizes, content.limits)?;
        let row = self.files.get_mut(&content.file_id).ok_or(missing)?;
        (row.file.size, row.file.sha256) = (content.size, Some(content.sha256));
        row.file.content_type = content.content_type;
        if content.is_stored {
            row.store();
        }
        Ok(row.file.clone())
    }

    /// Refuses to store files for an owner's extension unless all of them exist and have content.
    pub(super) fn check_claim(
        &self,
        owner: &Owner,
        app_id: &str,
        ids: impl Iterator<Item = FileId>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let can_claim = |row: &FileRow| {
            row.owner == *owner && row.file.app_id == app_id && row.is_there(now) && row.file.sha256.is_some()
        };
        let mut ids = ids;
        match ids.find(|id| self.files.get(id).is_none_or(|row| !can_claim(row))) {
            Some(missing) => Err(LedgerError::FileMissing(missing)),
            None => Ok(()),
        }
    }

    pub(super) fn claim_file(&mut self, file_id: FileId) {
        if let Some(row) = self.files.get_mut(&file_id).filter(|row| row.file.state == FileState::Pending) {
            row.store();
        }
    }

    pub(in crate::ledger::memory) fn accept_call_with_files(
        &mut self,
        incarnation: &Incarnation,
        call: NewCall,
        files: &[FileId],
        now: Timestamp,
    ) -> Told<Turn> {
        self.check_accept(incarnation, &call, now)?;
        self.check_claim(&call.owner, &call.turn.app_id, files.iter().copied(), now)?;
        for file_id in files {
            self.claim_file(*file_id);
        }
        self.accept_call(incarnation, call, now)
    }

    pub(in crate::ledger::memory) fn store_step_with_files(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: &DocumentWrites,
        files: &[FileChange],
        now: Timestamp,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        let owner = self.tasks.get(&attempt.task_id).map(|row| row.record.owner.clone());
        let claimed = files.iter().filter_map(|change| match change {
            FileChange::Store(file_id) => Some(*file_id),
            FileChange::Delete(_) => None,
        });
        // The refusals of the step come first. A step that is stored has no other.
        let refused = match &owner {
            Some(owner) => self.check_claim(owner, &documents.app_id, claimed, now).err(),
            None => None,
        };
        if let Some(refused) = refused {
            self.check_step(incarnation, attempt, &step)?;
            return Err(refused);
        }
        let written = self.store_step_with_documents(incarnation, attempt, step, documents, now)?;
        let Some(owner) = owner else { return Err(LedgerError::NotFound) };
        for change in files {
            match change {
                FileChange::Store(file_id) => self.claim_file(*file_id),
                FileChange::Delete(file_id) => {
                    self.mark_deleted(&owner, *file_id, now);
                }
            }
        }
        Ok(written)
    }

    fn mark_deleted(&mut self, owner: &Owner, file_id: FileId, now: Timestamp) -> bool {
        let is_there = self.files.get(&file_id).is_some_and(|row| row.owner == *owner && row.is_there(now));
        is_there && self.delete_row(file_id, now)
    }

    /// Deletes a file that counts. Its bytes are removed later.
    fn delete_row(&mut self, file_id: FileId, now: Timestamp) -> bool {
        let Some(row) = self.files.get_mut(&file_id) else { return false };
        row.delete(now);
        let (owner, app_id, size) = (row.owner.clone(), row.file.app_id.clone(), row.file.size);
        self.count_file(&owner, &app_id, (Some(size), None), FileLimits::NONE).is_ok()
    }

    pub(in crate::ledger::memory) fn delete_file(
        &mut self,
        owner: &Owner,
        removal: FileRemoval,
        file_id: FileId,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        if let Some(fence) = &removal.fence {
            self.may_write_for(owner, fence)?;
        }
        let existed = self.mark_deleted(owner, file_id, now);
        if let Some(audit) = removal.audit.filter(|_| existed) {
            self.audit(audit, now);
        }
        Ok(existed)
    }

    pub(in crate::ledger::memory) fn find_files(
        &self,
        owner: &Owner,
        ids: &[FileId],
        now: Timestamp,
    ) -> Vec<StoredFile> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let found = ids.iter().filter_map(|id| self.files.get(id));
        found.filter(|row| row.owner == *owner && row.is_there(now)).map(|row| row.file.clone()).collect()
    }

    pub(in crate::ledger::memory) fn files_of(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<StoredFile> {
        let is_asked = |row: &&FileRow| {
            row.owner == *owner
                && app_id.is_none_or(|app_id| row.file.app_id == app_id)
                && before.is_none_or(|before| row.file.file_id < before)
                && row.is_there(now)
                && row.file.sha256.is_some()
        };
        self.files.values().rev().filter(is_asked).take(limit).map(|row| row.file.clone()).collect()
    }

    pub(in crate::ledger::memory) fn sweep_files(&mut self, limit: usize, now: Timestamp) -> SweptFiles {
        let is_due = |row: &FileRow| row.due_at.is_some_and(|due| due <= now);
        let due: Vec<FileId> =
            self.files.values().filter(|row| is_due(row)).map(|row| row.file.file_id).take(limit).collect();
        let mut swept = SweptFiles::default();
        for file_id in due {
            let Some(row) = self.files.get(&file_id) else { continue };
            let runs = row.file.state == FileState::Pending && self.began_by_running_attempt(row);
            let Some(row) = self.files.get_mut(&file_id) else { continue };
            match row.file.state {
                FileState::Deleting => swept.due.push(file_id),
                FileState::Pending if runs => row.due_at = Some(after(now, FILE_GRACE)),
                FileState::Pending | FileState::Stored => swept.deleted += u64::from(self.delete_row(file_id, now)),
            }
        }
        swept
    }

    fn began_by_running_attempt(&self, row: &FileRow) -> bool {
        match &row.source {
            FileSource::Work(fence) if matches!(fence.work, Work::Task(_)) => {
                self.may_write_for(&row.owner, fence).is_ok()
            }
            _ => false,
        }
    }

    pub(in crate::ledger::memory) fn forget_files(&mut self, ids: &[FileId], now: Timestamp) -> u64 {
        let before = self.files.len();
        for file_id in ids {
            let is_due =
                |row: &FileRow| row.file.state == FileState::Deleting && row.due_at.is_some_and(|due| due <= now);
            if self.files.get(file_id).is_some_and(is_due) {
                self.files.remove(file_id);
            }
        }
        (before - self.files.len()) as u64
    }
}
