//! Documents: written with their keys, all of a request or none.

use rusqlite::params;

use super::Tx;
use crate::ledger::clock::{after, before};
use crate::ledger::rules::{self, KEYED_FOR, MOST_KEYS, Totals, TotalsDelta};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, number, one};
use crate::ledger::{
    Attempt, DocumentKeys, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Expiry, Fence, Incarnation,
    NewStep, Owner, WrittenDocument,
};
use crate::rows::document_key::joined_index_set;

/// Documents whose time is over.
pub(in crate::ledger::sqlite) const EXPIRED_DOCUMENTS: &str =
    "SELECT document_no, collection_no, bytes FROM document WHERE expires_at IS NOT NULL AND expires_at <= ?1
     ORDER BY expires_at LIMIT ?2";

/// The size of an owner's documents of an extension.
struct Shelf {
    number: i64,
    totals: Totals,
    version: u64,
}

/// The columns of a stored document that a write reads.
struct StoredRow {
    number: i64,
    version: u64,
    shape: u32,
    bytes: u64,
    created_at: i64,
    expires_at: Option<i64>,
    request: i64,
}

/// A stored count; 0 for a damaged one.
fn count(row: &rusqlite::Row<'_>, column: usize) -> Result<u64, Fault> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn write_documents(
        &self,
        owner: &Owner,
        source: &DocumentSource,
        writes: &DocumentWrites,
    ) -> Result<Vec<WrittenDocument>, Fault> {
        if let DocumentSource::Work(fence) = source {
            self.may_write_for(owner, fence)?;
        }
        let owner_id = self.find_or_add_owner(owner)?;
        let written = self.write_all(owner_id, writes, source.replaces_newer())?;
        if let DocumentSource::Operator(audit) = source {
            self.audit(audit)?;
        }
        Ok(written)
    }

    pub(in crate::ledger::sqlite) fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: &NewStep,
        writes: &DocumentWrites,
    ) -> Result<Vec<WrittenDocument>, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        // The step comes first: a repeated one is refused as such.
        self.add_step(&task, attempt.number, step)?;
        self.write_all(task.facts().owner, writes, false)
    }

    fn write_all(
        &self,
        owner_id: i64,
        new: &DocumentWrites,
        replaces_newer: bool,
    ) -> Result<Vec<WrittenDocument>, Fault> {
        let mut kept = self.shelf(owner_id, &new.app_id)?;
        let mut places = Vec::with_capacity(new.writes.len());
        for write in &new.writes {
            let collection = self.collection(kept.number, &write.collection)?;
            places.push((collection, self.stored_row(collection, &write.id)?));
        }
        let of_request =
            |row: &Option<StoredRow>| row.as_ref().filter(|row| row.request == new.request).map(|row| row.version);
        if places.iter().any(|(_, row)| of_request(row).is_some()) {
            let version = |row| of_request(row).unwrap_or_default();
            return Ok(places.iter().map(|(_, row)| WrittenDocument::new(version(row), true)).collect());
        }
        let (mut delta, mut done) = (TotalsDelta::default(), Vec::with_capacity(new.writes.len()));
        for (place, write) in new.writes.iter().enumerate() {
            let collection = places[place].0;
            // The row is read again: an earlier write of the request may have changed it.
            let stored = self.stored_row(collection, &write.id)?;
            let now = self.now.as_microsecond();
            let there = stored.as_ref().filter(|row| row.expires_at.is_none_or(|until| until > now));
            let found = there.map(|row| (row.version, row.shape));
            rules::check_document(place, write, found, replaces_newer)?;
            let bytes = write.document.as_ref().map(|new| (write.id.len() + new.body.len()) as u64);
            delta.replace(stored.as_ref().map(|row| row.bytes), bytes);
            done.push(self.write_document(&mut kept, collection, stored, write, new.request)?);
        }
        let (before, after) = if let Some(after) = kept.totals.after(delta) {
            (kept.totals, after)
        } else {
            // They were smaller than the removed ones.
            let after = self.count_shelf(kept.number)?;
            (after.before(delta), after)
        };
        before.check_documents(after, new.limits)?;
        let sql = "UPDATE shelf SET documents = ?2, bytes = ?3, version = ?4 WHERE shelf_no = ?1";
        execute(self.conn, sql, params![kept.number, number(after.count), number(after.bytes), number(kept.version)])?;
        Ok(done)
    }

    fn write_document(
        &self,
        kept: &mut Shelf,
        collection: i64,
        stored: Option<StoredRow>,
        write: &DocumentWrite,
        request: i64,
    ) -> Result<WrittenDocument, Fault> {
        let now = self.now.as_microsecond();
        if let Some(row) = &stored {
            execute(self.conn, "DELETE FROM document_key WHERE document_no = ?1", [row.number])?;
            if write.document.is_none() {
                execute(self.conn, "DELETE FROM document WHERE document_no = ?1", [row.number])?;
            }
        }
        let there = stored.filter(|row| row.expires_at.is_none_or(|until| until > now));
        let existed = there.is_some();
        let Some(new) = &write.document else { return Ok(WrittenDocument::new(0, existed)) };
        let (created_at, kept_until) = there.map_or((now, None), |row| (row.created_at, row.expires_at));
        kept.version += 1;
        let expires_at = match new.expiry {
            Expiry::Never => None,
            Expiry::Keep => kept_until,
            Expiry::In(time) => Some(after(self.now, time).as_microsecond()),
        };
        let sql =
            "INSERT INTO document (collection_no, id, version, shape, index_set, keyed_at, created_at, updated_at,
                       expires_at, request, bytes, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, ?9, ?10, ?11)
                   ON CONFLICT (collection_no, id) DO UPDATE SET version = excluded.version, shape = excluded.shape,
                       index_set = excluded.index_set, keyed_at = excluded.keyed_at, created_at = excluded.created_at,
                       updated_at = excluded.updated_at, expires_at = excluded.expires_at, request = excluded.request,
                       bytes = excluded.bytes, body = excluded.body
                   RETURNING document_no";
        let params = params![
            collection,
            write.id,
            number(kept.version),
            new.shape,
            new.index_set,
            now,
            created_at,
            expires_at,
            request,
            number((write.id.len() + new.body.len()) as u64),
            new.body
        ];
        let written = one(self.conn, sql, params, |row| Ok(row.get::<_, i64>(0)?))?;
        let written = written.ok_or_else(|| Fault::Row("a document was not written".to_owned()))?;
        self.add_keys(collection, written, &new.keys)?;
        Ok(WrittenDocument::new(kept.version, existed))
    }

    fn add_keys(&self, collection: i64, document: i64, keys: &[(i64, Vec<u8>)]) -> Result<(), Fault> {
        for (index, key) in keys {
            // A key whose document is gone was left by damage.
            let sql = "INSERT OR REPLACE INTO document_key (collection_no, index_no, key, document_no)
                       VALUES (?1, ?2, ?3, ?4)";
            execute(self.conn, sql, params![collection, index, key, document])?;
        }
        Ok(())
    }

    fn shelf(&self, owner_id: i64, app_id: &str) -> Result<Shelf, Fault> {
        let sql = "INSERT INTO shelf (owner_id, app_id) VALUES (?1, ?2) ON CONFLICT (owner_id, app_id) DO NOTHING";
        execute(self.conn, sql, params![owner_id, app_id])?;
        let sql = "SELECT shelf_no, documents, bytes, version FROM shelf WHERE owner_id = ?1 AND app_id = ?2";
        let found = one(self.conn, sql, params![owner_id, app_id], |row| {
            let stored = [row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?];
            Ok((row.get(0)?, stored))
        })?;
        let (number, [documents, bytes, version]) =
            found.ok_or_else(|| Fault::Row("a shelf of documents is missing".to_owned()))?;
        let totals = match rules::sound_totals(documents, bytes) {
            Some(totals) => totals,
            None => self.count_shelf(number)?,
        };
        Ok(Shelf { number, totals, version: rules::sound_version(version, self.now) })
    }

    /// The totals of a shelf whose stored ones are damaged.
    fn count_shelf(&self, number: i64) -> Result<Totals, Fault> {
        let sql = "SELECT count(*), coalesce(sum(min(max(d.bytes, 0), 1 << 40)), 0) FROM collection c
                   JOIN document d ON d.collection_no = c.collection_no WHERE c.shelf_no = ?1";
        let counted = one(self.conn, sql, [number], |row| Ok(Totals { count: count(row, 0)?, bytes: count(row, 1)? }))?;
        Ok(counted.unwrap_or_default())
    }

    fn collection(&self, shelf_no: i64, name: &str) -> Result<i64, Fault> {
        let find = "SELECT collection_no FROM collection WHERE shelf_no = ?1 AND name = ?2";
        if let Some(found) = one(self.conn, find, params![shelf_no, name], |row| Ok(row.get(0)?))? {
            return Ok(found);
        }
        execute(self.conn, "INSERT INTO collection (shelf_no, name) VALUES (?1, ?2)", params![shelf_no, name])?;
        Ok(self.conn.last_insert_rowid())
    }

    fn stored_row(&self, collection: i64, id: &str) -> Result<Option<StoredRow>, Fault> {
        let sql = "SELECT document_no, version, bytes, created_at, expires_at, request, shape FROM document
                   WHERE collection_no = ?1 AND id = ?2";
        one(self.conn, sql, params![collection, id], |row| {
            Ok(StoredRow {
                number: row.get(0)?,
                version: count(row, 1)?,
                bytes: count(row, 2)?,
                created_at: row.get(3)?,
                expires_at: row.get(4)?,
                request: row.get(5)?,
                shape: u32::try_from(count(row, 6)?).unwrap_or(u32::MAX),
            })
        })
    }

    pub(in crate::ledger::sqlite) fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: &Fence,
        index_set: i64,
        keys: &[DocumentKeys],
    ) -> Result<u64, Fault> {
        self.may_write_for(&space.owner, fence)?;
        let owner_id = self.find_or_add_owner(&space.owner)?;
        let collection = self.collection(self.shelf(owner_id, &space.app_id)?.number, &space.collection)?;
        let keyed_before = before(self.now, KEYED_FOR).as_microsecond();
        let mut keyed = 0;
        for DocumentKeys { id, version, index_set: stored, keys } in keys {
            let sql = "SELECT document_no, keyed_at FROM document
                       WHERE collection_no = ?1 AND id = ?2 AND version = ?3 AND index_set = ?4";
            let params = params![collection, id, number(*version), stored];
            let Some((document, keyed_at)) =
                one(self.conn, sql, params, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?
            else {
                continue;
            };
            for (index, _) in keys {
                // Keys of a document without indexes were left by damage.
                let sql = "DELETE FROM document_key WHERE document_no = ?1 AND (index_no = ?2 OR ?3 = 0)";
                execute(self.conn, sql, params![document, index, stored])?;
            }
            let sql = "SELECT count(*) FROM document_key WHERE document_no = ?1";
            let kept = one(self.conn, sql, [document], |row| count(row, 0))?.unwrap_or_default();
            let has_room = kept + keys.len() as u64 <= MOST_KEYS as u64;
            if !has_room && keyed_at > keyed_before {
                continue;
            }
            if !has_room {
                execute(self.conn, "DELETE FROM document_key WHERE document_no = ?1", [document])?;
            }
            self.add_keys(collection, document, keys)?;
            let set = if has_room { joined_index_set(*stored, index_set) } else { index_set };
            let sql = "UPDATE document SET index_set = ?2, keyed_at = ?3 WHERE document_no = ?1";
            execute(self.conn, sql, params![document, set, self.now.as_microsecond()])?;
            keyed += 1;
        }
        Ok(keyed)
    }

    /// Removes documents whose time is over; how many.
    pub(super) fn prune_documents(&self, now: i64, limit: u64) -> Result<u64, Fault> {
        let expired = all(self.conn, EXPIRED_DOCUMENTS, params![now, number(limit)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, number(count(row, 2)?)))
        })?;
        for (document, collection, bytes) in &expired {
            execute(self.conn, "DELETE FROM document_key WHERE document_no = ?1", [document])?;
            execute(self.conn, "DELETE FROM document WHERE document_no = ?1", [document])?;
            // Totals that are less than the document are damaged. The next write counts those of -1 documents.
            let sql = "UPDATE shelf SET
                           documents = CASE WHEN documents BETWEEN 1 AND 1 << 50 AND bytes BETWEEN ?2 AND 1 << 50
                               THEN documents - 1 ELSE -1 END,
                           bytes = CASE WHEN bytes >= ?2 THEN bytes - ?2 ELSE bytes END
                       WHERE shelf_no = (SELECT shelf_no FROM collection WHERE collection_no = ?1)";
            execute(self.conn, sql, params![collection, bytes])?;
        }
        Ok(expired.len() as u64)
    }
}
