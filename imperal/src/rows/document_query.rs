//! Queries of documents, their answers, and keys that are added for later ones.
//!
//! A program asks by one of its indexes. Documents that other programs wrote may lack a key in it: they are returned
//! beside the others, and the program adds the keys.

use super::StoredDocument;

/// Documents by their keys in one index, or by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentQuery {
    /// The number of the index; `None` for ids, whose keys are the ids themselves. Documents without a key in it are
    /// returned beside.
    pub index: Option<i64>,
    /// The first key.
    pub low: Vec<u8>,
    /// The key behind the last one.
    pub high: Vec<u8>,
    /// Whether the last key comes first.
    pub descending: bool,
}

impl DocumentQuery {
    /// Greater than every key.
    pub const END: &'static [u8] = &[0xff];

    /// All documents in the order of their ids.
    pub fn by_id() -> Self {
        Self { index: None, low: Vec::new(), high: Self::END.to_vec(), descending: false }
    }

    /// All documents in the order of their keys in an index.
    pub fn by_index(index: i64) -> Self {
        Self { index: Some(index), ..Self::by_id() }
    }

    /// Only keys from `low` on and before `high`.
    #[must_use]
    pub fn within(self, low: Vec<u8>, high: Vec<u8>) -> Self {
        Self { low, high, ..self }
    }

    /// The last key comes first.
    #[must_use]
    pub fn descending(self, descending: bool) -> Self {
        Self { descending, ..self }
    }
}

/// How much of a query's answer is read at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    pub(crate) rows: u32,
    pub(crate) bytes: u64,
}

/// Documents that a query found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundDocuments {
    /// Documents with keys of the asked index, in order.
    pub keyed: Vec<StoredDocument>,
    /// Whether there are more of them.
    pub more: bool,
    /// Documents without a key in the asked index: any of them may belong to the answer.
    pub others: Vec<StoredDocument>,
    /// Whether there are more of these.
    pub more_others: bool,
}

impl FoundDocuments {
    /// From its parts, for backends.
    pub fn new(keyed: Vec<StoredDocument>, more: bool, others: Vec<StoredDocument>, more_others: bool) -> Self {
        Self { keyed, more, others, more_others }
    }
}

/// More keys of a stored document, which stays the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentKeys {
    /// Its id.
    pub id: String,
    /// The version whose keys these are. Another version keeps its own.
    pub version: u64,
    /// The number of the indexes that it has so far.
    pub index_set: i64,
    /// For each index of the added set its number and the key.
    pub keys: Vec<(i64, Vec<u8>)>,
}

impl DocumentKeys {
    /// From its parts.
    pub fn new(id: impl Into<String>, version: u64, index_set: i64, keys: Vec<(i64, Vec<u8>)>) -> Self {
        Self { id: id.into(), version, index_set, keys }
    }

    /// About how many bytes are written.
    #[cfg(feature = "platform")]
    pub(crate) fn bytes(&self) -> usize {
        self.id.len() + 64 + self.keys.iter().map(|(_, key)| key.len() + 32).sum::<usize>()
    }
}
