//! Documents and the work that writes them, as the functions in the database take them.

use tokio_postgres::types::{ToSql, Type};

use super::pool::{Param, int, ints, text, texts};
use super::rows::{json_text, micros, number};
use super::stored_text::stored;
use crate::ledger::contract::LedgerResult;
use crate::ledger::{DocumentWrites, Expected, Expiry, Fence, Work};

pub(super) fn bytes(value: &(dyn ToSql + Sync)) -> Param<'_> {
    (value, Type::BYTEA_ARRAY)
}

/// The work of a fence as the functions in the database take it.
pub(super) struct FenceTexts {
    pub(super) node: String,
    pub(super) incarnation: i64,
    pub(super) call_id: Option<String>,
    pub(super) task_id: Option<String>,
    pub(super) attempt: Option<i64>,
}

impl From<&Fence> for FenceTexts {
    fn from(fence: &Fence) -> Self {
        let (call_id, task_id, attempt) = match fence.work {
            Work::Call(call_id) => (Some(call_id.to_string()), None, None),
            Work::Task(attempt) => (None, Some(attempt.task_id.to_string()), Some(i64::from(attempt.number))),
        };
        let node = stored(&fence.incarnation.node).into_owned();
        Self { node, incarnation: fence.incarnation.number, call_id, task_id, attempt }
    }
}

/// Documents as arrays.
pub(super) struct Arrays<'a> {
    app: String,
    collections: Vec<String>,
    ids: Vec<&'a [u8]>,
    expected: Vec<i64>,
    bodies: Vec<Option<&'a str>>,
    shapes: Vec<i64>,
    sets: Vec<i64>,
    expiries: Vec<Option<i64>>,
    key_places: Vec<i64>,
    key_indexes: Vec<i64>,
    keys: Vec<&'a [u8]>,
    request: i64,
    max_documents: i64,
    max_bytes: i64,
}

impl<'a> Arrays<'a> {
    pub(super) fn of(new: &'a DocumentWrites) -> LedgerResult<Self> {
        let mut arrays = Self {
            app: stored(&new.app_id).into_owned(),
            collections: Vec::new(),
            ids: Vec::new(),
            expected: Vec::new(),
            bodies: Vec::new(),
            shapes: Vec::new(),
            sets: Vec::new(),
            expiries: Vec::new(),
            key_places: Vec::new(),
            key_indexes: Vec::new(),
            keys: Vec::new(),
            request: new.request,
            max_documents: number(new.limits.documents),
            max_bytes: number(new.limits.bytes),
        };
        for (place, write) in (1..).zip(&new.writes) {
            arrays.collections.push(stored(&write.collection).into_owned());
            arrays.ids.push(write.id.as_bytes());
            arrays.expected.push(match write.expected {
                Expected::Any => -1,
                Expected::Absent => 0,
                Expected::Version(version) => number(version),
            });
            let document = write.document.as_ref();
            arrays.bodies.push(document.map(|new| json_text(&new.body)).transpose()?);
            arrays.shapes.push(document.map_or(0, |new| i64::from(new.shape)));
            arrays.sets.push(document.map_or(0, |new| new.index_set));
            arrays.expiries.push(match document.map_or(Expiry::Never, |new| new.expiry) {
                Expiry::Never => None,
                Expiry::Keep => Some(-1),
                Expiry::In(time) => Some(micros(time)),
            });
            for (index, key) in document.iter().flat_map(|new| &new.keys) {
                arrays.key_places.push(place);
                arrays.key_indexes.push(*index);
                arrays.keys.push(key);
            }
        }
        Ok(arrays)
    }

    pub(super) fn params(&self) -> [Param<'_>; 14] {
        [
            text(&self.app),
            texts(&self.collections),
            bytes(&self.ids),
            ints(&self.expected),
            texts(&self.bodies),
            ints(&self.shapes),
            ints(&self.sets),
            (&self.expiries, Type::INT8_ARRAY),
            ints(&self.key_places),
            ints(&self.key_indexes),
            bytes(&self.keys),
            int(&self.request),
            int(&self.max_documents),
            int(&self.max_bytes),
        ]
    }
}
