//! Files: the methods of the contract, and their reads.

use rusqlite::{Row, params};

use super::SqliteLedger;
use super::fault::Fault;
use super::job::Weight;
use super::readers::Reading;
use super::rows::{all, one};
use crate::ids::FileId;
use crate::ledger::contract::{Files, LedgerResult};
use crate::ledger::{
    Attempt, DocumentWrites, FileChange, FileContent, FileRemoval, FileSource, Incarnation, NewCall, NewFile, NewStep,
    Owner, StoredFile, SweptFiles, Turn, WrittenDocument, decode,
};

macro_rules! select_file {
    ($rest:expr) => {
        concat!(
            "SELECT f.file_no, f.file_id, f.app_id, f.state, f.name, f.content_type, f.size, f.sha256, f.created_at, ",
            "f.expires_at FROM file f ",
            $rest
        )
    };
}

/// A file that is neither deleted nor expired.
macro_rules! there {
    () => {
        "f.state <> 'deleting' AND (f.expires_at IS NULL OR f.expires_at > ?2)"
    };
}

pub(super) const FILE: &str = select_file!(concat!("WHERE f.file_id = ?3 AND f.owner_id = ?1 AND ", there!()));

/// The latest first. Ids of later files are greater.
pub(super) const FILES: &str = select_file!(concat!(
    "WHERE f.owner_id = ?1 AND f.file_id < ?3 AND (?4 IS NULL OR f.app_id = ?4) AND f.sha256 IS NOT NULL AND ",
    there!(),
    " ORDER BY f.file_id DESC LIMIT ?5"
));

fn owner_id(reading: &Reading<'_>, owner: &Owner) -> Result<Option<i64>, Fault> {
    let sql = "SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2";
    one(reading.conn, sql, params![&*owner.tenant_id, &*owner.user_id], |row| Ok(row.get(0)?))
}

impl Files for SqliteLedger {
    async fn begin_file(&self, owner: &Owner, source: FileSource, file: NewFile) -> LedgerResult<()> {
        let owner = owner.clone();
        self.writer.write(Weight::Durable, move |tx| tx.begin_file(&owner, &source, &file)).await
    }

    async fn complete_file(&self, owner: &Owner, source: FileSource, content: FileContent) -> LedgerResult<StoredFile> {
        let owner = owner.clone();
        self.writer.write(Weight::Durable, move |tx| tx.complete_file(&owner, &source, &content)).await
    }

    async fn accept_call_with_files(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        files: Vec<FileId>,
    ) -> LedgerResult<Turn> {
        let incarnation = incarnation.clone();
        let NewCall { call_id, owner, turn, max_stored } = call;
        let (row, app_id) = (super::json(&turn)?, turn.app_id.clone());
        let bytes = row.json.len();
        let work = move |tx: &mut super::ops::Tx<'_>| {
            let stamp = tx.accept_call(&incarnation, call_id, &owner, &row, max_stored)?;
            tx.claim_files(&owner, &app_id, &files)?;
            Ok(stamp)
        };
        Ok(self.writer.write_sized(Weight::Durable, bytes, work).await?.on(turn))
    }

    async fn store_step_with_files(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: DocumentWrites,
        files: Vec<FileChange>,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let incarnation = incarnation.clone();
        let bytes = super::step_bytes(&step) + documents.bytes();
        let work = move |tx: &mut super::ops::Tx<'_>| {
            let written = tx.store_step_with_documents(&incarnation, attempt, &step, &documents)?;
            tx.change_files_of_task(attempt.task_id, &documents.app_id, &files)?;
            Ok(written)
        };
        self.writer.write_sized(Weight::Durable, bytes, work).await
    }

    async fn delete_file(&self, owner: &Owner, removal: FileRemoval, file_id: FileId) -> LedgerResult<bool> {
        let owner = owner.clone();
        self.writer.write(Weight::Durable, move |tx| tx.delete_file(&owner, &removal, file_id)).await
    }

    async fn find_files(&self, owner: &Owner, ids: &[FileId]) -> LedgerResult<Vec<StoredFile>> {
        let (owner, ids, now) = (owner.clone(), ids.to_vec(), self.clock.now().as_microsecond());
        self.readers
            .read(move |reading| {
                let Some(owner_id) = owner_id(reading, &owner)? else { return Ok(Vec::new()) };
                let mut found = Vec::with_capacity(ids.len());
                for id in &ids {
                    reading.go_on()?;
                    let read = |row: &Row<'_>| Ok(decode::file(row, reading.unreadable));
                    found.extend(one(reading.conn, FILE, params![owner_id, now, id.to_string()], read)?);
                }
                Ok(found)
            })
            .await
    }

    async fn files(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredFile>> {
        let (owner, app_id, now) = (owner.clone(), app_id.map(str::to_owned), self.clock.now().as_microsecond());
        // Beyond the text of every id.
        let before = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
        self.readers
            .read(move |reading| {
                let Some(owner_id) = owner_id(reading, &owner)? else { return Ok(Vec::new()) };
                let read = |row: &Row<'_>| Ok(decode::file(row, reading.unreadable));
                all(reading.conn, FILES, params![owner_id, now, before, app_id, limit], read)
            })
            .await
    }

    async fn sweep_files(&self, limit: u32) -> LedgerResult<SweptFiles> {
        let now = self.clock.now().as_microsecond();
        // The writer works only if there is something to do.
        let due = self
            .readers
            .read(move |reading| one(reading.conn, super::ops::DUE_FILES, params![now, 1], |_| Ok(())))
            .await?;
        if due.is_none() {
            return Ok(SweptFiles::default());
        }
        self.writer.write(Weight::Durable, move |tx| tx.sweep_files(limit)).await
    }

    async fn forget_files(&self, ids: &[FileId]) -> LedgerResult<u64> {
        let ids = ids.to_vec();
        self.writer.write(Weight::Light, move |tx| tx.forget_files(&ids)).await
    }
}
