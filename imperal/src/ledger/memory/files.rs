//! Files: the methods of the contract.

use super::MemoryLedger;
use crate::ids::FileId;
use crate::ledger::contract::{Files, LedgerResult};
use crate::ledger::{
    Attempt, DocumentWrites, FileChange, FileContent, FileRemoval, FileSource, Incarnation, NewCall, NewFile, NewStep,
    Owner, StoredFile, SweptFiles, Turn, WrittenDocument,
};

impl Files for MemoryLedger {
    async fn begin_file(&self, owner: &Owner, source: FileSource, file: NewFile) -> LedgerResult<()> {
        self.with(|state, now| state.begin_file(owner, source, file, now))
    }

    async fn complete_file(&self, owner: &Owner, source: FileSource, content: FileContent) -> LedgerResult<StoredFile> {
        self.with(|state, now| state.complete_file(owner, &source, content, now))
    }

    async fn accept_call_with_files(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        files: Vec<FileId>,
    ) -> LedgerResult<Turn> {
        call.turn.check_depth()?;
        self.write(|state, now| state.accept_call_with_files(incarnation, call, &files, now))
    }

    async fn store_step_with_files(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: DocumentWrites,
        files: Vec<FileChange>,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.with(|state, now| state.store_step_with_files(incarnation, attempt, step, &documents, &files, now))
    }

    async fn delete_file(&self, owner: &Owner, removal: FileRemoval, file_id: FileId) -> LedgerResult<bool> {
        self.with(|state, now| state.delete_file(owner, removal, file_id, now))
    }

    async fn find_files(&self, owner: &Owner, ids: &[FileId]) -> LedgerResult<Vec<StoredFile>> {
        Ok(self.with(|state, now| state.find_files(owner, ids, now)))
    }

    async fn files(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredFile>> {
        Ok(self.with(|state, now| state.files_of(owner, app_id, before, limit as usize, now)))
    }

    async fn sweep_files(&self, limit: u32) -> LedgerResult<SweptFiles> {
        Ok(self.with(|state, now| state.sweep_files(limit as usize, now)))
    }

    async fn forget_files(&self, ids: &[FileId]) -> LedgerResult<u64> {
        Ok(self.with(|state, now| state.forget_files(ids, now)))
    }
}
