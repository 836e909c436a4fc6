//! Documents: each owner's, by extension, collection and id.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::State;
use crate::ledger::clock::{after, before};
use crate::ledger::rules::{self, KEYED_FOR, MOST_KEYS, Totals, TotalsDelta};
use crate::ledger::{
    Attempt, CollectionUse, DocumentKeys, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites,
    Expiry, Fence, Incarnation, LedgerError, NewStep, Owner, StoredDocument, WrittenDocument,
};
use crate::rows::document_key::joined_index_set;

/// The documents of an owner and an extension.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    totals: Totals,
    /// The latest version that a document got.
    version: u64,
    collections: BTreeMap<String, BTreeMap<String, Row>>,
}

#[derive(Debug, Clone)]
struct Row {
    document: StoredDocument,
    keys: Vec<(i64, Vec<u8>)>,
    keyed_at: Timestamp,
    /// The request that wrote it.
    request: i64,
}

impl Row {
    fn is_there(&self, now: Timestamp) -> bool {
        self.document.expires_at.is_none_or(|until| until > now)
    }
}

impl Shelf {
    fn has_documents(&self, collection: &str) -> bool {
        self.collections.get(collection).is_some_and(|rows| !rows.is_empty())
    }

    fn row(&self, write: &DocumentWrite) -> Option<&Row> {
        self.collections.get(&write.collection)?.get(&write.id)
    }

    fn recount(&mut self, before: Option<u64>, after: Option<u64>) {
        // They are never damaged here.
        let mut delta = TotalsDelta::default();
        delta.replace(before, after);
        self.totals = self.totals.after(delta).unwrap_or_default();
    }

    /// Puts a row in its place, or removes what is there. Returns what was there.
    fn replace(&mut self, write: &DocumentWrite, row: Option<Row>) -> Option<Row> {
        let after = row.as_ref().map(|row| row.document.bytes());
        let rows = self.collections.entry(write.collection.clone()).or_default();
        let before = match row {
            Some(row) => rows.insert(write.id.clone(), row),
            None => rows.remove(&write.id),
        };
        self.recount(before.as_ref().map(|row| row.document.bytes()), after);
        before
    }

    /// Writes one document. Returns what was there, to undo it.
    fn write(
        &mut self,
        (place, write): (usize, &DocumentWrite),
        (request, replaces_newer): (i64, bool),
        now: Timestamp,
    ) -> Result<(WrittenDocument, Option<Row>), LedgerError> {
        let found = self.row(write).filter(|row| row.is_there(now)).map(|row| row.document.clone());
        let stored = found.as_ref().map(|document| (document.version, document.shape));
        rules::check_document(place, write, stored, replaces_newer)?;
        let existed = found.is_some();
        let Some(new) = &write.document else {
            return Ok((WrittenDocument::new(0, existed), self.replace(write, None)));
        };
        self.version += 1;
        let document = StoredDocument {
            id: write.id.clone(),
            version: self.version,
            shape: new.shape,
            index_set: new.index_set,
            created_at: found.as_ref().map_or(now, |document| document.created_at),
            updated_at: now,
            expires_at: match new.expiry {
                Expiry::Never => None,
                Expiry::Keep => found.and_then(|document| document.expires_at),
                Expiry::In(time) => Some(after(now, time)),
            },
            body: new.body.clone(),
            key: Vec::new(),
        };
        let row = Row { document, keys: new.keys.clone(), keyed_at: now, request };
        Ok((WrittenDocument::new(self.version, existed), self.replace(write, Some(row))))
    }

    /// All writes, or none.
    fn write_all(
        &mut self,
        new: &DocumentWrites,
        replaces_newer: bool,
        now: Timestamp,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        let of_request = |write: &DocumentWrite| self.row(write).filter(|row| row.request == new.request);
        if new.writes.iter().any(|write| of_request(write).is_some()) {
            let version = |write| of_request(write).map_or(0, |row| row.document.version);
            return Ok(new.writes.iter().map(|write| WrittenDocument::new(version(write), true)).collect());
        }
        let (totals, mut done, mut undo) = (self.totals, Vec::new(), Vec::new());
        let mut refusal = None;
        for (place, write) in new.writes.iter().enumerate() {
            match self.write((place, write), (new.request, replaces_newer), now) {
                Ok((written, before)) => {
                    done.push(written);
                    undo.push((write, before));
                }
                Err(error) => {
                    refusal = Some(error);
                    break;
                }
            }
        }
        match refusal.map_or_else(|| totals.check_documents(self.totals, new.limits), Err) {
            Ok(()) => Ok(done),
            Err(error) => {
                for (write, before) in undo.into_iter().rev() {
                    self.replace(write, before);
                }
                Err(error)
            }
        }
    }
}

impl State {
    /// Owners who have documents in a collection of an extension.
    pub(super) fn owners_with_documents(&self, app_id: &str, collection: &str) -> impl Iterator<Item = &Owner> {
        let has_some =
            move |((_, app), shelf): &(&(Owner, String), &Shelf)| app == app_id && shelf.has_documents(collection);
        self.shelves.iter().filter(has_some).map(|((owner, _), _)| owner)
    }

    pub(in crate::ledger::memory) fn write_documents(
        &mut self,
        owner: &Owner,
        source: DocumentSource,
        writes: &DocumentWrites,
        now: Timestamp,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        if let DocumentSource::Work(fence) = &source {
            self.may_write_for(owner, fence)?;
        }
        let written = self.shelf(owner, &writes.app_id).write_all(writes, source.replaces_newer(), now)?;
        if let DocumentSource::Operator(audit) = source {
            self.audit(audit, now);
        }
        Ok(written)
    }

    pub(in crate::ledger::memory) fn store_step_with_documents(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: &DocumentWrites,
        now: Timestamp,
    ) -> Result<Vec<WrittenDocument>, LedgerError> {
        let owner = self.check_step(incarnation, attempt, &step)?;
        let written = self.shelf(&owner, &writes.app_id).write_all(writes, false, now)?;
        self.add_step(attempt, step, now)?;
        Ok(written)
    }

    /// Whether a step may be stored, and its owner.
    pub(super) fn check_step(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: &NewStep,
    ) -> Result<Owner, LedgerError> {
        self.fence(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        if row.durable.as_ref().ok_or(LedgerError::NotFound)?.has_step(step.ordinal) {
            return Err(LedgerError::IdExists);
        }
        Ok(row.record.owner.clone())
    }

    pub(in crate::ledger::memory) fn rekey_documents(
        &mut self,
        space: &DocumentSpace,
        fence: &Fence,
        index_set: i64,
        keys: Vec<DocumentKeys>,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.may_write_for(&space.owner, fence)?;
        let kept = self.shelf(&space.owner, &space.app_id);
        let Some(rows) = kept.collections.get_mut(&space.collection) else { return Ok(0) };
        let mut keyed = 0;
        for DocumentKeys { id, version, index_set: stored, keys } in keys {
            let Some(row) = rows.get_mut(&id).filter(|row| row.document.version == version) else { continue };
            if row.document.index_set != stored {
                continue;
            }
            let is_added = |number: i64| stored == 0 || keys.iter().any(|(added, _)| *added == number);
            let kept: Vec<_> = row.keys.iter().filter(|(number, _)| !is_added(*number)).cloned().collect();
            if kept.len() + keys.len() <= MOST_KEYS {
                row.document.index_set = joined_index_set(stored, index_set);
                row.keys = [kept, keys].concat();
            } else if row.keyed_at <= before(now, KEYED_FOR) {
                (row.document.index_set, row.keys) = (index_set, keys);
            } else {
                continue;
            }
            row.keyed_at = now;
            keyed += 1;
        }
        Ok(keyed)
    }

    fn shelf(&mut self, owner: &Owner, app_id: &str) -> &mut Shelf {
        self.shelves.entry((owner.clone(), app_id.to_owned())).or_default()
    }

    /// The documents of a collection, in the order of their ids.
    fn rows_of(&self, space: &DocumentSpace, now: Timestamp) -> impl Iterator<Item = &Row> {
        let found = self.shelves.get(&(space.owner.clone(), space.app_id.clone()));
        let rows = found.and_then(|found| found.collections.get(&space.collection));
        rows.into_iter().flat_map(BTreeMap::values).filter(move |row| row.is_there(now))
    }

    pub(in crate::ledger::memory) fn documents(
        &self,
        space: &DocumentSpace,
        ids: &[String],
        now: Timestamp,
    ) -> Vec<StoredDocument> {
        let found = self.shelves.get(&(space.owner.clone(), space.app_id.clone()));
        let Some(rows) = found.and_then(|found| found.collections.get(&space.collection)) else { return Vec::new() };
        let asked = ids.iter().filter_map(|id| rows.get(id)).filter(|row| row.is_there(now));
        asked.map(|row| row.document.clone()).collect()
    }

    /// The documents that a query finds, in order, with their keys.
    pub(in crate::ledger::memory) fn keyed_documents(
        &self,
        space: &DocumentSpace,
        query: &DocumentQuery,
        now: Timestamp,
    ) -> Vec<StoredDocument> {
        let with_key = |row: &Row| {
            let key = match query.index {
                None => row.document.id.as_bytes().to_vec(),
                Some(index) => row.keys.iter().find(|(number, _)| *number == index)?.1.clone(),
            };
            let fits = (&*query.low..&*query.high).contains(&&*key);
            fits.then(|| StoredDocument { key, ..row.document.clone() })
        };
        let mut found: Vec<_> = self.rows_of(space, now).filter_map(with_key).collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        if query.descending {
            found.reverse();
        }
        found
    }

    /// The documents without a key in the index of a query.
    pub(in crate::ledger::memory) fn other_documents(
        &self,
        space: &DocumentSpace,
        query: &DocumentQuery,
        now: Timestamp,
    ) -> Vec<StoredDocument> {
        let Some(index) = query.index else { return Vec::new() };
        let others = self.rows_of(space, now).filter(|row| row.keys.iter().all(|(number, _)| *number != index));
        others.map(|row| row.document.clone()).collect()
    }

    pub(in crate::ledger::memory) fn collections(&self, owner: &Owner, app_id: Option<&str>) -> Vec<CollectionUse> {
        let shelves = self.shelves.iter().filter(|((of, app), _)| of == owner && app_id.is_none_or(|id| id == app));
        let mut found = Vec::new();
        for ((_, app), shelf) in shelves {
            for (name, rows) in shelf.collections.iter().filter(|(_, rows)| !rows.is_empty()) {
                let bytes = rows.values().map(|row| row.document.bytes()).sum();
                found.push(CollectionUse::new(app.clone(), name.clone(), rows.len() as u64, bytes));
            }
        }
        found
    }

    /// Removes documents whose time is over, at most this many; how many.
    pub(super) fn forget_documents(&mut self, most: u64, now: Timestamp) -> u64 {
        let mut removed = 0;
        for shelf in self.shelves.values_mut() {
            let mut delta = TotalsDelta::default();
            for rows in shelf.collections.values_mut() {
                rows.retain(|_, row| {
                    let stays = removed >= most || row.is_there(now);
                    if !stays {
                        removed += 1;
                        delta.replace(Some(row.document.bytes()), None);
                    }
                    stays
                });
            }
            shelf.totals = shelf.totals.after(delta).unwrap_or_default();
        }
        removed
    }
}
