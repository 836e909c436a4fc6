//! Files on a ledger that loses answers.

use imperal::ids::FileId;
use imperal::ledger::contract::{Files, LedgerResult};
use imperal::ledger::{
    Attempt, DocumentWrites, FileChange, FileContent, FileRemoval, FileSource, Incarnation, NewCall, NewFile, NewStep,
    Owner, StoredFile, SweptFiles, Turn, WrittenDocument,
};

use super::LosesAnswers;

impl Files for LosesAnswers {
    async fn begin_file(&self, owner: &Owner, source: FileSource, file: NewFile) -> LedgerResult<()> {
        self.losing(self.inner.begin_file(owner, source, file)).await
    }

    async fn complete_file(&self, owner: &Owner, source: FileSource, content: FileContent) -> LedgerResult<StoredFile> {
        self.losing(self.inner.complete_file(owner, source, content)).await
    }

    async fn accept_call_with_files(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        files: Vec<FileId>,
    ) -> LedgerResult<Turn> {
        self.losing(self.inner.accept_call_with_files(incarnation, call, files)).await
    }

    async fn store_step_with_files(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: DocumentWrites,
        files: Vec<FileChange>,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.losing(self.inner.store_step_with_files(incarnation, attempt, step, documents, files)).await
    }

    async fn delete_file(&self, owner: &Owner, removal: FileRemoval, file_id: FileId) -> LedgerResult<bool> {
        self.losing(self.inner.delete_file(owner, removal, file_id)).await
    }

    async fn find_files(&self, owner: &Owner, ids: &[FileId]) -> LedgerResult<Vec<StoredFile>> {
        self.inner.find_files(owner, ids).await
    }

    async fn files(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredFile>> {
        self.inner.files(owner, app_id, before, limit).await
    }

    async fn sweep_files(&self, limit: u32) -> LedgerResult<SweptFiles> {
        self.inner.sweep_files(limit).await
    }

    async fn forget_files(&self, ids: &[FileId]) -> LedgerResult<u64> {
        self.inner.forget_files(ids).await
    }
}
