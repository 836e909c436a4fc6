//! `find`: what an author asks of a collection, and what comes back. `answer` carries it out.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;

use serde::Serialize;

use super::plan::{Comparison, Filter, Question};
use super::{Document, DocumentValue, Documents};
use crate::result::Result;

/// Documents of an answer unless a limit is set.
const LIMIT: u32 = 50;
/// Most documents of an answer.
const MOST: u32 = 1000;

/// A page of documents.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Found<T> {
    /// The documents, in order.
    pub documents: Vec<Document<T>>,
    /// Documents that belong here and whose content does not fit the type.
    pub unreadable: Vec<UnreadableDocument>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

/// A document whose content does not fit the type of its collection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableDocument {
    /// Its id.
    pub id: String,
    /// Why it does not fit.
    pub why: String,
}

/// Where a page begins. It is a text that a function can return and take again, and it fits the query that it came from
/// alone. A document that is moved between two pages may come twice, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub(super) String);

impl Deref for Cursor {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A query: await it for a page, or call [`count`](Find::count). Made by [`Documents::find`].
#[must_use = "nothing is read unless this is awaited: add `.await?`"]
pub struct Find<T> {
    pub(super) documents: Documents<T>,
    pub(super) asked: Question,
    pub(super) limit: u32,
    pub(super) after: Option<String>,
    pub(super) fault: Option<String>,
}

impl<T> fmt::Debug for Find<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Find").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl<T: DocumentValue> Find<T> {
    pub(super) fn new(documents: Documents<T>) -> Self {
        Self { documents, asked: Question::default(), limit: LIMIT, after: None, fault: None }
    }

    fn filter(mut self, field: &str, comparison: Comparison, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.asked.filters.push(Filter { field: field.to_owned(), comparison, value }),
            Err(error) => self.fault = Some(format!("the value for `{field}` is no JSON: {error}")),
        }
        self
    }

    /// Only documents whose field has this value. Null fits a field that is absent.
    pub fn eq(self, field: &str, value: impl Serialize) -> Self {
        self.filter(field, Comparison::Equal, value)
    }

    /// Only documents whose field has a greater value of the same type.
    pub fn gt(self, field: &str, value: impl Serialize) -> Self {
        self.filter(field, Comparison::Greater, value)
    }

    /// Only documents whose field has this value or a greater one of the same type.
    pub fn gte(self, field: &str, value: impl Serialize) -> Self {
        self.filter(field, Comparison::GreaterOrEqual, value)
    }

    /// Only documents whose field has a smaller value of the same type.
    pub fn lt(self, field: &str, value: impl Serialize) -> Self {
        self.filter(field, Comparison::Less, value)
    }

    /// Only documents whose field has this value or a smaller one of the same type.
    pub fn lte(self, field: &str, value: impl Serialize) -> Self {
        self.filter(field, Comparison::LessOrEqual, value)
    }

    /// In the order of this field, and of ids where it is equal. Without it the order is that of the index that answers
    /// the query, or of ids.
    pub fn order_by(mut self, field: &str) -> Self {
        self.asked.order = Some(field.to_owned());
        self
    }

    /// The greatest first.
    pub fn descending(mut self) -> Self {
        self.asked.descending = true;
        self
    }

    /// At most this many documents, 1 to 1000; 50 unless it is set. A page of large documents has fewer.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit.clamp(1, MOST);
        self
    }

    /// Begins behind the page that ended with this [`Found::next`].
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.after = Some(cursor.into());
        self
    }
}

impl<T: DocumentValue> IntoFuture for Find<T> {
    type Output = Result<Found<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.answer())
    }
}
