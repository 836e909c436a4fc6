//! A program's declaration of a collection: its name, its indexes, the version of its type.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::panic_text::{log_excerpt, panic_text};
use crate::rows::document_key::{
    INDEX_FIELDS, document_key, field_of, index_number, index_set_number, is_collection_name,
};
use crate::rows::{Expiry, NewDocument};

/// Most indexes of a collection.
const INDEXES: usize = 8;

/// A collection of an extension's documents. Make it a constant, and read and write with
/// [`Context::documents`](crate::Context::documents).
///
/// ```
/// # use imperal::{prelude::*, documents::Collection};
/// #[derive(Serialize, Deserialize)]
/// struct Package {
///     name: String,
///     status: String,
///     created_at: String,
/// }
///
/// const PACKAGES: Collection<Package> = Collection::new("packages").index(["status", "created_at"]);
/// ```
///
/// The name, the indexes and the shape are checked when the program is compiled.
#[derive(Debug)]
pub struct Collection<T> {
    pub(super) schema: Schema,
    of: PhantomData<fn() -> T>,
}

/// A collection without its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    pub(super) name: &'static str,
    indexes: [Index; INDEXES],
    count: usize,
    pub(super) shape: u32,
    upgrade: Option<fn(u32, Value) -> Value>,
}

#[derive(Debug, Clone, Copy)]
struct Index {
    fields: [&'static str; INDEX_FIELDS],
    count: usize,
}

impl Index {
    fn fields(&self) -> &[&'static str] {
        &self.fields[..self.count]
    }

    const fn has_fields<const N: usize>(&self, fields: &[&str; N]) -> bool {
        let mut at = 0;
        while at < N && at < self.count && is_same_text(self.fields[at], fields[at]) {
            at += 1;
        }
        at == N && N == self.count
    }
}

/// `==` of texts in a constant.
const fn is_same_text(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

impl<T> Collection<T> {
    /// A collection of this name: 1 to 64 of `a-z`, `0-9` and `_`.
    ///
    /// # Panics
    /// At compile time for another name.
    pub const fn new(name: &'static str) -> Self {
        assert!(is_collection_name(name), "the name of a collection has 1 to 64 of a-z, 0-9 and _");
        let none = Index { fields: [""; INDEX_FIELDS], count: 0 };
        let schema = Schema { name, indexes: [none; INDEXES], count: 0, shape: 1, upgrade: None };
        Self { schema, of: PhantomData }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.schema.name
    }

    /// An index over these fields, in this order: at most 6 fields, and 8 indexes. A field with dots is a path into
    /// objects.
    ///
    /// A query uses an index if its equality filters are the first fields and its range or order is the next. Documents
    /// of earlier programs are found too: they get their place in a new index when a query meets them.
    ///
    /// # Panics
    /// At compile time without a field, over the limits, or for an index that the collection has already.
    #[must_use]
    pub const fn index<const N: usize>(mut self, fields: [&'static str; N]) -> Self {
        assert!(N > 0 && N <= INDEX_FIELDS, "an index has 1 to 6 fields");
        assert!(self.schema.count < INDEXES, "a collection has at most 8 indexes");
        let mut at = 0;
        while at < self.schema.count {
            assert!(
                !self.schema.indexes[at].has_fields(&fields),
                "a collection has each index once: remove the `.index(..)` that repeats the fields of another one"
            );
            at += 1;
        }
        let mut index = Index { fields: [""; INDEX_FIELDS], count: N };
        let mut at = 0;
        while at < N {
            index.fields[at] = fields[at];
            at += 1;
        }
        self.schema.indexes[self.schema.count] = index;
        self.schema.count += 1;
        self
    }

    /// The version of the type, 1 unless it is set. Raise it when the type changes in a way that serde alone cannot
    /// read, and say with [`upgrade`](Self::upgrade) how an older document is read.
    ///
    /// # Panics
    /// At compile time for 0.
    #[must_use]
    pub const fn shape(mut self, shape: u32) -> Self {
        assert!(shape > 0, "shapes are numbered from 1");
        self.schema.shape = shape;
        self
    }

    /// How a document of an earlier shape becomes one of this shape. It gets the shape that wrote the document. If it
    /// panics, the document does not fit: [`get`](super::Documents::get) fails with `DOCUMENT_UNREADABLE`, and a query
    /// names it.
    #[must_use]
    pub const fn upgrade(mut self, upgrade: fn(u32, Value) -> Value) -> Self {
        self.schema.upgrade = Some(upgrade);
        self
    }
}

impl Schema {
    pub(super) fn indexes(&self) -> impl Iterator<Item = &[&'static str]> {
        self.indexes[..self.count].iter().map(Index::fields)
    }

    /// The number of an index, for documents in the shape of this program.
    pub(super) fn index_number(&self, fields: &[&str]) -> i64 {
        index_number(fields, self.shape)
    }

    pub(super) fn index_set(&self) -> i64 {
        index_set_number(&self.indexes().collect::<Vec<_>>(), self.shape)
    }

    /// Whether a document of this shape is upgraded when it is read.
    pub(super) fn upgrades(&self, shape: u32) -> bool {
        self.upgrade.is_some() && shape < self.shape
    }

    /// A stored value in the shape of this program. A newer one stays as it is.
    ///
    /// # Errors
    /// Why the upgrade of the author panicked.
    pub(super) fn current(&self, shape: u32, value: Value) -> Result<Value, String> {
        match self.upgrade {
            Some(upgrade) if self.upgrades(shape) => {
                catch_unwind(AssertUnwindSafe(|| upgrade(shape, value))).map_err(|payload| {
                    let text = panic_text(payload);
                    format!("the upgrade from shape {shape} to {} panicked: {}", self.shape, log_excerpt(&text))
                })
            }
            _ => Ok(value),
        }
    }

    /// The keys of a value in the shape of this program.
    pub(super) fn keys(&self, value: &Value, id: &str) -> Vec<(i64, Vec<u8>)> {
        self.indexes().map(|fields| (self.index_number(fields), document_key(fields, value, id))).collect()
    }

    /// A document to be written. `shape` is that of the body.
    pub(super) fn document(&self, id: &str, body: &Value, shape: u32, expiry: Expiry) -> NewDocument {
        // A body of an earlier shape has no upgrade: a write makes its upgrade first.
        NewDocument::new(body.to_string()).shape(shape).keyed(self.index_set(), self.keys(body, id)).expiry(expiry)
    }

    /// The fields by which an error names an index to declare.
    pub(super) fn declared(&self) -> String {
        let all: Vec<String> = self.indexes().map(|fields| format!("[{}]", fields.join(", "))).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }
}

/// The part of a value that a filter compares.
pub(super) fn compared<'v>(value: &'v Value, field: &str) -> &'v Value {
    field_of(value, field)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only PostgreSQL would refuse the two equal keys of a document, when it is written.
    #[test]
    #[should_panic(expected = "a collection has each index once")]
    fn an_index_is_declared_once() {
        let _twice = Collection::<Value>::new("things").index(["a", "b"]).index(["a"]).index(["a", "b"]);
    }

    #[test]
    fn indexes_with_common_fields_are_different() {
        let things = Collection::<Value>::new("things").index(["a", "b"]).index(["a"]).index(["b", "a"]).index(["ab"]);
        assert_eq!(things.schema.declared(), "[a, b], [a], [b, a], [ab]");
    }
}
