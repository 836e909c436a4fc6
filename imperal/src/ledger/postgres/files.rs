//! Files: the statement of each method of the contract.

use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::document_arrays::{Arrays, FenceTexts};
use super::fault::Fault;
use super::pool::{Param, flag, int, text, texts};
use super::rows::{audit, get, get_number, micros, number, step_texts, to_json};
use super::stored_text::stored;
use super::writes::one;
use crate::ids::FileId;
use crate::ledger::contract::{Files, LedgerError, LedgerResult};
use crate::ledger::rules::FILE_GRACE;
use crate::ledger::{
    Attempt, DocumentWrites, Fence, FileChange, FileContent, FileRemoval, FileSource, Incarnation, NewCall, NewFile,
    NewStep, Owner, StoredFile, SweptFiles, Turn, WrittenDocument, decode,
};

macro_rules! columns {
    () => {
        "f.file_no, f.file_id::text AS file_id, f.app_id, f.state, f.name, f.content_type, f.size, f.sha256, \
         f.created_at, f.expires_at"
    };
}

/// A file that is neither deleted nor expired.
macro_rules! there {
    () => {
        "f.owner_id = @.find_owner($1, $2) AND f.state <> 'deleting' \
         AND (f.expires_at IS NULL OR f.expires_at > @.micros())"
    };
}

const BY_IDS: &str = concat!("SELECT ", columns!(), " FROM @.file f WHERE f.file_id = ANY ($3::uuid[]) AND ", there!());

/// The latest first. Ids of later files are greater.
const LATEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM @.file f WHERE ($3::text IS NULL OR f.app_id = $3) AND ($4::uuid IS NULL OR f.file_id < $4::uuid) \
     AND f.sha256 IS NOT NULL AND ",
    there!(),
    " ORDER BY f.file_id DESC LIMIT $5"
);

fn source_texts(source: &FileSource) -> FenceTexts {
    match source {
        FileSource::Work(fence) => FenceTexts::from(fence),
        FileSource::Upload(incarnation) => FenceTexts {
            node: stored(&incarnation.node).into_owned(),
            incarnation: incarnation.number,
            call_id: None,
            task_id: None,
            attempt: None,
        },
    }
}

fn work_params(of: &FenceTexts) -> [Param<'_>; 5] {
    [text(&of.node), int(&of.incarnation), text(&of.call_id), text(&of.task_id), (&of.attempt, Type::INT8)]
}

fn id_texts<'a>(ids: impl IntoIterator<Item = &'a FileId>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

impl Files for PostgresLedger {
    async fn begin_file(&self, owner: &Owner, source: FileSource, file: NewFile) -> LedgerResult<()> {
        let sql =
            "SELECT @.begin_file($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8::uuid, $9, $10, $11, $12, $13, $14, $15)";
        let of = source_texts(&source);
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let (id, app, name) = (file.file_id.to_string(), stored(&file.app_id), stored(&file.name));
        let (size, keep_for, grace) = (number(file.size), file.keep_for.map(micros), micros(FILE_GRACE));
        let (files, bytes) = (number(file.limits.files), number(file.limits.bytes));
        let what = [text(&tenant), text(&user), text(&id), text(&app), text(&name)];
        let sizes = [int(&size), (&keep_for, Type::INT8), int(&grace), int(&files), int(&bytes)];
        let _permit = self.permits.acquire(owner).await?;
        self.one(sql, &[&work_params(&of)[..], &what[..], &sizes[..]].concat()).await?;
        Ok(())
    }

    async fn complete_file(&self, owner: &Owner, source: FileSource, content: FileContent) -> LedgerResult<StoredFile> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM @.complete_file($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8::uuid, $9, $10, $11, $12, $13, $14) AS f"
        );
        let of = source_texts(&source);
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let (id, content_type) = (content.file_id.to_string(), stored(&content.content_type));
        let (size, sha256) = (number(content.size), &content.sha256[..]);
        let (files, bytes) = (number(content.limits.files), number(content.limits.bytes));
        let what = [text(&tenant), text(&user), text(&id), text(&content_type), int(&size), (&sha256, Type::BYTEA)];
        let rest = [flag(&content.is_stored), int(&files), int(&bytes)];
        let _permit = self.permits.acquire(owner).await?;
        let row = self.one(sql, &[&work_params(&of)[..], &what[..], &rest[..]].concat()).await?;
        Ok(decode::file(&row, self.store.unreadable()))
    }

    async fn accept_call_with_files(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        files: Vec<FileId>,
    ) -> LedgerResult<Turn> {
        let sql = "SELECT * FROM @.accept_call_files($1, $2, $3::uuid, $4, $5, $6::uuid, $7, $8, $9, $10::uuid[])";
        let (node, json) = (stored(&incarnation.node), to_json(&call.turn)?);
        let (tenant, user) = (stored(&call.owner.tenant_id), stored(&call.owner.user_id));
        let (call_id, turn_id) = (call.call_id.to_string(), call.turn.turn_id.to_string());
        let (most, app, ids) = (call.max_stored.map(number), stored(&call.turn.app_id).into_owned(), id_texts(&files));
        let whose = [text(&node), int(&incarnation.number), text(&call_id), text(&tenant), text(&user)];
        let what = [text(&turn_id), text(&json), (&most, Type::INT8), text(&app), texts(&ids)];
        let _permit = self.permits.acquire(&call.owner).await?;
        let (call_id, owner) = (call.call_id, call.owner.clone());
        let accepted = self.write_turn(sql, &[&whose[..], &what[..]].concat(), call.turn).await;
        self.permits.accepted(call_id, owner, &accepted);
        accepted.map_err(|error| super::quota(error, call.max_stored))
    }

    async fn store_step_with_files(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        documents: DocumentWrites,
        files: Vec<FileChange>,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        let sql = "SELECT * FROM @.store_step_files($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
                   $14, $15, $16, $17, $18, $19, $20::uuid[], $21::uuid[], $22)";
        let (node, id, attempt) = (stored(&incarnation.node), attempt.task_id.to_string(), i64::from(attempt.number));
        let (step, arrays, grace) = (step_texts(&step)?, Arrays::of(&documents)?, micros(FILE_GRACE));
        let (mut stores, mut deletes) = (Vec::new(), Vec::new());
        for change in &files {
            match change {
                FileChange::Store(file_id) => stores.push(file_id.to_string()),
                FileChange::Delete(file_id) => deletes.push(file_id.to_string()),
            }
        }
        let whose = [text(&node), int(&incarnation.number), text(&id), int(&attempt), texts(&step)];
        let changes = [texts(&stores), texts(&deletes), int(&grace)];
        let rows =
            self.counted(self.store.rows(sql, &[&whose[..], &arrays.params()[..], &changes[..]].concat())).await?;
        let read = |row: &tokio_postgres::Row| Ok(WrittenDocument::new(get_number(row, 0)?, get(row, 1)?));
        Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
    }

    async fn delete_file(&self, owner: &Owner, removal: FileRemoval, file_id: FileId) -> LedgerResult<bool> {
        let sql = "SELECT @.delete_file($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9::uuid, $10)";
        let of = removal.fence.as_ref().map(|fence: &Fence| FenceTexts::from(fence));
        let (node, incarnation) = (of.as_ref().map(|of| &*of.node), of.as_ref().map(|of| of.incarnation));
        let call_id = of.as_ref().and_then(|of| of.call_id.as_deref());
        let task_id = of.as_ref().and_then(|of| of.task_id.as_deref());
        let attempt = of.as_ref().and_then(|of| of.attempt);
        let (audited, grace) = (removal.audit.as_ref().map(audit), micros(FILE_GRACE));
        let (tenant, user, id) = (stored(&owner.tenant_id), stored(&owner.user_id), file_id.to_string());
        let whose: [Param<'_>; 5] =
            [text(&node), (&incarnation, Type::INT8), text(&call_id), text(&task_id), (&attempt, Type::INT8)];
        let what = [texts(&audited), text(&tenant), text(&user), text(&id), int(&grace)];
        let _permit = self.permits.acquire(owner).await?;
        let row = self.one(sql, &[whose, what].concat()).await?;
        Ok(get(&row, 0)?)
    }

    async fn find_files(&self, owner: &Owner, ids: &[FileId]) -> LedgerResult<Vec<StoredFile>> {
        let (tenant, user, ids) = (stored(&owner.tenant_id), stored(&owner.user_id), id_texts(ids));
        let rows = self.store.repeatable(BY_IDS, &[text(&tenant), text(&user), texts(&ids)]).await?;
        Ok(rows.iter().map(|row| decode::file(row, self.store.unreadable())).collect())
    }

    async fn files(
        &self,
        owner: &Owner,
        app_id: Option<&str>,
        before: Option<FileId>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredFile>> {
        let (tenant, user, limit) = (stored(&owner.tenant_id), stored(&owner.user_id), i64::from(limit));
        let (app, before) = (app_id.map(stored), before.map(|id| id.to_string()));
        let params = [text(&tenant), text(&user), text(&app), text(&before), int(&limit)];
        let rows = self.store.repeatable(LATEST, &params).await?;
        Ok(rows.iter().map(|row| decode::file(row, self.store.unreadable())).collect())
    }

    async fn sweep_files(&self, limit: u32) -> LedgerResult<SweptFiles> {
        let (limit, grace) = (i64::from(limit), micros(FILE_GRACE));
        let row = self.one("SELECT * FROM @.sweep_files($1, $2)", &[int(&limit), int(&grace)]).await?;
        let due: Vec<String> = get(&row, 1)?;
        let due = due.iter().map(|id| id.parse()).collect::<Result<_, _>>();
        let due = due.map_err(|error| LedgerError::from(Fault::Row(format!("invalid id of a file: {error}"))))?;
        Ok(SweptFiles::new(get_number(&row, 0)?, due))
    }

    async fn forget_files(&self, ids: &[FileId]) -> LedgerResult<u64> {
        let ids = id_texts(ids);
        // Running twice removes them once.
        let rows = self.counted(self.store.repeatable("SELECT @.forget_files($1::uuid[])", &[texts(&ids)])).await?;
        Ok(get_number(&one(rows)?, 0)?)
    }
}
