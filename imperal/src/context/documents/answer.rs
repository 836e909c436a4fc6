//! Answers a query: by a range of a declared index, or by a look at each of a limited number of documents.
//!
//! A program with other indexes leaves documents without the keys of this one. A query looks at each of them, and adds
//! these keys to theirs. A step's own changes are part of the answer.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::DocumentValue;
use super::change::ChangeKind;
use super::find::{Cursor, Find, Found, UnreadableDocument};
use super::pauses::Pauses;
use super::plan::{Filter, Plan, Question};
use super::step::{Own, is_unstored};
use super::stored::{decode, overlaid};
use crate::codes;
use crate::error::Error;
use crate::json;
use crate::result::Result;
use crate::rows::{DocumentKeys, DocumentQuery, FoundDocuments, PageSize, StoredDocument};

/// Documents and bytes that a query without a fitting index may look at.
const LOOKED_AT: usize = 10_000;
const LOOKED_AT_BYTES: u64 = 16 << 20;
/// Documents that get new keys in one write.
const KEYED_AT_ONCE: u16 = 500;

impl<T: DocumentValue> Find<T> {
    /// How many documents fit, whatever the limit.
    ///
    /// # Errors
    /// As awaiting the query.
    pub async fn count(self) -> Result<u64> {
        self.check()?;
        let plan = Plan::of(&self.documents.schema, &self.asked);
        if !plan.is_exact {
            return Ok(self.look(&plan).await?.len() as u64);
        }
        let own = self.own_changes();
        // What is keyed now would be counted twice: among the others, and by the ledger.
        let found = self.page(plan.query.clone(), 1, false).await?;
        let unkeyed: HashSet<String> = found.others.iter().map(|one| one.id.clone()).collect();
        let others = self.places(&plan, &own, found.others).await.len() as u64;
        let added = self.own_places(&plan, &own).await?.len() as u64;
        let (host, origin) = (&self.documents.ctx.services().host, self.documents.ctx.origin());
        let name = self.documents.schema.name;
        let counted = host.count_documents(origin, name, plan.query.clone()).await?;
        let changed: Vec<String> = own.keys().cloned().collect();
        let (mut removed, mut pauses) = (0, Pauses::default());
        if !changed.is_empty() {
            for stored in host.read_documents(origin, name, changed).await? {
                pauses.before(stored.body.len()).await;
                let fits = self.value(&stored).is_some_and(|value| plan.place(&value, &stored.id).is_some());
                removed += u64::from(fits && !unkeyed.contains(&stored.id));
            }
        }
        Ok((counted + others + added).saturating_sub(removed))
    }

    fn check(&self) -> Result<()> {
        self.documents.ctx.check_active()?;
        match &self.fault {
            Some(fault) => Err(Error::internal(fault.clone())),
            None => Ok(()),
        }
    }

    /// The step's own changes, by id.
    fn own_changes(&self) -> HashMap<String, Own> {
        let Some(step) = self.documents.ctx.step_documents() else { return HashMap::new() };
        let changes = step.own_in(self.documents.schema.name);
        changes.into_iter().map(|own| (own.change.id.clone(), own)).collect()
    }

    /// The value of a document in the shape of this program; `None` if it is no JSON, or its upgrade panics.
    fn value(&self, stored: &StoredDocument) -> Option<Value> {
        let value = json::read(stored.body.as_bytes()).ok()?;
        self.documents.schema.current(stored.shape, value).ok()
    }

    /// The documents of a list that belong to the answer, with their places, without those that the step has changed.
    async fn places(
        &self,
        plan: &Plan,
        own: &HashMap<String, Own>,
        stored: Vec<StoredDocument>,
    ) -> Vec<(Vec<u8>, StoredDocument)> {
        let (mut placed, mut pauses) = (Vec::with_capacity(stored.len()), Pauses::default());
        for document in stored {
            pauses.before(document.body.len()).await;
            if own.contains_key(&document.id) {
                continue;
            }
            // One that cannot be read is not hidden.
            let place = match self.value(&document) {
                Some(value) => plan.place(&value, &document.id),
                None => Some(document.id.clone().into_bytes()),
            };
            placed.extend(place.map(|place| (place, document)));
        }
        placed
    }

    /// The step's own documents that belong to the answer.
    async fn own_places(&self, plan: &Plan, own: &HashMap<String, Own>) -> Result<Vec<(Vec<u8>, StoredDocument)>> {
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let (host, origin) = (&self.documents.ctx.services().host, self.documents.ctx.origin());
        let ids = own.keys().cloned().collect();
        let stored = host.read_documents(origin, self.documents.schema.name, ids).await?;
        let mut stored: HashMap<_, _> = stored.into_iter().map(|one| (one.id.clone(), one)).collect();
        let (mut placed, mut pauses) = (Vec::new(), Pauses::default());
        for (id, own) in own {
            let stored = stored.remove(id);
            let version = stored.as_ref().map(|stored| stored.version);
            pauses.before(own.change.bytes()).await;
            let Some(document) = overlaid(own, stored)? else { continue };
            let Some(place) = self.value(&document).and_then(|value| plan.place(&value, id)) else { continue };
            if let (ChangeKind::Patch { .. }, Some(version)) = (&own.change.kind, version) {
                self.note_read(id, version);
            }
            placed.push((place, document));
        }
        Ok(placed)
    }

    /// In a step: the author may decide by the stored version.
    fn note_read(&self, id: &str, version: u64) {
        if let Some(step) = self.documents.ctx.step_documents() {
            step.note_read(self.documents.schema.name, id, version);
        }
    }

    /// A page of the plan's range. Documents without keys of this program first get them if they are many. With
    /// `keys_few` also a few of them do, which the page still returns.
    async fn page(&self, query: DocumentQuery, rows: u32, keys_few: bool) -> Result<FoundDocuments> {
        let (host, origin) = (&self.documents.ctx.services().host, self.documents.ctx.origin());
        let name = self.documents.schema.name;
        let others = PageSize { rows: u32::try_from(LOOKED_AT).unwrap_or(u32::MAX), bytes: LOOKED_AT_BYTES };
        loop {
            let size = PageSize { rows, bytes: LOOKED_AT_BYTES / 2 };
            let found = host.find_documents(origin, name, query.clone(), size, others).await?;
            self.documents.ctx.signal().touch();
            if found.others.is_empty() || !(found.more_others || keys_few) {
                return Ok(found);
            }
            let keyed = self.key_anew(&found.others, found.more_others).await;
            if !found.more_others {
                return Ok(found);
            }
            if keyed == 0 {
                return Err(Error::retryable(
                    codes::INDEX_NEEDED,
                    format!(
                        "More than {LOOKED_AT} documents of `{name}` were written by programs with other indexes, and                          could not be indexed now. Try again; if this stays, too many versions of the program run."
                    ),
                ));
            }
        }
    }

    /// Adds the keys of this program to documents; how many. It is a help for later queries, so a refusal is none of
    /// this one.
    async fn key_anew(&self, others: &[StoredDocument], all: bool) -> u64 {
        let schema = &self.documents.schema;
        let (host, origin) = (&self.documents.ctx.services().host, self.documents.ctx.origin());
        let (mut keyed, mut pauses) = (0, Pauses::default());
        for some in others.chunks(usize::from(KEYED_AT_ONCE)).take(if all { usize::MAX } else { 1 }) {
            let mut keys = Vec::with_capacity(some.len());
            for one in some {
                pauses.before(one.body.len()).await;
                let Some(value) = self.value(one) else { continue };
                keys.push(DocumentKeys::new(&*one.id, one.version, one.index_set, schema.keys(&value, &one.id)));
            }
            match host.rekey_documents(origin, schema.name, schema.index_set(), keys).await {
                Ok(done) => keyed += done,
                Err(error) => {
                    tracing::debug!(%error, collection = schema.name, "documents were not keyed anew");
                    break;
                }
            }
            self.documents.ctx.signal().touch();
        }
        keyed
    }

    /// All documents of an inexact plan that fit, in order.
    async fn look(&self, plan: &Plan) -> Result<Vec<(Vec<u8>, StoredDocument)>> {
        let own = self.own_changes();
        let mut placed = self.own_places(plan, &own).await?;
        let (mut query, mut looked_at, mut bytes) = (plan.query.clone(), 0, 0);
        let mut seen = HashSet::new();
        loop {
            let found = self.page(query.clone(), u32::from(KEYED_AT_ONCE), true).await?;
            let (more, last) = (found.more, found.keyed.last().map(|one| one.key.clone()));
            // A document may come twice: each page has the others, and a document that gets keys moves between them.
            let mut all: Vec<_> = found.keyed.into_iter().chain(found.others).collect();
            all.retain(|one| seen.insert(one.id.clone()));
            looked_at += all.len();
            bytes += all.iter().map(StoredDocument::bytes).sum::<u64>();
            if looked_at > LOOKED_AT || bytes > LOOKED_AT_BYTES {
                return Err(self.index_needed());
            }
            placed.extend(self.places(plan, &own, all).await);
            match last {
                Some(mut last) if more => {
                    last.push(0);
                    query.low = last;
                }
                _ => break,
            }
        }
        placed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.asked.descending {
            placed.reverse();
        }
        Ok(placed)
    }

    fn index_needed(&self) -> Error {
        let schema = &self.documents.schema;
        Error::platform(
            codes::INDEX_NEEDED,
            format!(
                "A query of `{}` has no fitting index and would look at more than {LOOKED_AT} documents or {} MiB. \
                 Declare {} on the collection; it has these indexes: {}.",
                schema.name,
                LOOKED_AT_BYTES >> 20,
                Plan::wanted(&self.asked),
                schema.declared()
            ),
        )
    }

    /// The place behind which the page begins.
    fn begin(&self) -> Result<Option<Vec<u8>>> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let place = cursor.strip_prefix(&*self.mark()).and_then(unhex);
        place.map(Some).ok_or_else(|| {
            let text = "The cursor does not belong to this query. Begin again without it.";
            Error::user(codes::VALIDATION_TYPE_ERROR, text)
        })
    }

    /// The beginning of each cursor of this query.
    fn mark(&self) -> String {
        let Question { filters, order, descending } = &self.asked;
        let schema = &self.documents.schema;
        let mut text = format!("{}\0{order:?}\0{descending}\0{}", schema.name, schema.index_set());
        for Filter { field, comparison, value } in filters {
            let _ = write!(text, "\0{field:?}{comparison:?}{value}");
        }
        hex(&Sha256::digest(text)[..6])
    }

    /// A page of the answer.
    pub(super) async fn answer(self) -> Result<Found<T>> {
        self.check()?;
        let _in_flight = self.documents.ctx.in_flight();
        let plan = Plan::of(&self.documents.schema, &self.asked);
        let (begin, limit) = (self.begin()?, self.limit as usize);
        let (mut placed, mut bound) = (Vec::new(), None);
        if plan.is_exact {
            let own = self.own_changes();
            let mut query = plan.query.clone();
            match &begin {
                Some(place) if self.asked.descending => query.high = query.high.min(place.clone()),
                Some(place) => query.low = query.low.max([&**place, &[0]].concat()),
                None => {}
            }
            let rows = self.limit + 1 + u32::try_from(own.len()).unwrap_or(u32::MAX);
            let found = self.page(query, rows, true).await?;
            bound = found.keyed.last().filter(|_| found.more).map(|one| one.key.clone());
            placed.extend(self.places(&plan, &own, found.others).await);
            placed.extend(self.own_places(&plan, &own).await?);
            let keyed = found.keyed.into_iter().filter(|one| !own.contains_key(&one.id));
            placed.extend(keyed.map(|mut one| (std::mem::take(&mut one.key), one)));
            placed.sort_by(|(one, _), (other, _)| one.cmp(other));
            if self.asked.descending {
                placed.reverse();
            }
        } else {
            placed = self.look(&plan).await?;
        }
        let behind = |one: &[u8], other: &[u8]| if self.asked.descending { one < other } else { one > other };
        placed.retain(|(place, _)| begin.as_ref().is_none_or(|begin| behind(place, begin)));
        // The ledger has not returned all documents behind the last key of the page.
        placed.retain(|(place, _)| bound.as_ref().is_none_or(|bound| !behind(place, bound)));
        let more = placed.len() > limit;
        placed.truncate(limit);
        let last = if more { placed.last().map(|(place, _)| place.clone()) } else { bound };
        let next = last.map(|place| Cursor(self.mark() + &hex(&place)));
        let mut found = Found { documents: Vec::with_capacity(placed.len()), unreadable: Vec::new(), next };
        let mut pauses = Pauses::default();
        for (_, stored) in placed {
            pauses.before(stored.body.len()).await;
            if !is_unstored(stored.version) {
                self.note_read(&stored.id, stored.version);
            }
            match decode(&self.documents.schema, stored) {
                Ok(document) => found.documents.push(document),
                Err((id, why)) => found.unreadable.push(UnreadableDocument { id, why }),
            }
        }
        Ok(found)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|two| two.len() == 2)?, 16).ok())
        .collect()
}
