//! The error for a value that the author's type refuses, with the path to the value.
//!
//! Also counts the errors of each thread, so that `swallowed_errors` can find those that serde dropped.

use std::cell::{Cell, RefCell};
use std::fmt;

/// One step of the path from the root of the parameters to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
#[non_exhaustive]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// An entry of a list.
    Item(usize),
}

/// The author's type refused a value that its schema allows.
///
/// The text comes from serde or from the author's code and may quote the value. It is not shown if the
/// schema has secrets.
#[derive(Debug, Clone)]
#[doc(hidden)]
pub struct ReadError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    text: String,
    /// The path in reverse: from the value to the root.
    steps: Vec<Step>,
    missing: bool,
}

impl ReadError {
    fn new(text: String, missing: Option<&str>) -> Self {
        let steps = missing.map(|field| Step::Field(field.to_owned())).into_iter().collect();
        let made = Self(Box::new(Inner { text, steps, missing: missing.is_some() }));
        MADE.set(MADE.get().wrapping_add(1));
        KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push(made.clone())));
        made
    }

    /// Adds a step at the root's end of the path.
    pub(super) fn within(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// The message.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether a field is missing; the path names it.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.missing
    }

    /// The path from the root to the value, as far as it is known.
    pub(crate) fn path(&self) -> impl DoubleEndedIterator<Item = &Step> + Clone {
        self.0.steps.iter().rev()
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string(), None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing field `{field}`"), Some(field))
    }
}

thread_local! {
    /// The number of errors that this thread has made. If a reading makes an error and does not return it, serde
    /// has swallowed it.
    static MADE: Cell<u64> = const { Cell::new(0) };
    /// Copies of the errors made since [`keep`] began, while it runs.
    static KEPT: RefCell<Option<Vec<ReadError>>> = const { RefCell::new(None) };
}

/// The number of errors that this thread has made so far.
pub(super) fn count() -> u64 {
    MADE.get()
}

/// Runs `reading` and, until it ends, keeps a copy of each error that it makes, for [`since`].
pub(super) fn keep<T>(reading: impl FnOnce() -> T) -> T {
    KEPT.set(Some(Vec::new()));
    let read = reading();
    forget();
    read
}

/// Stops keeping errors. A reading that panics inside [`keep`] does not stop by itself.
pub(super) fn forget() {
    KEPT.set(None);
}

/// Copies of the errors made since [`count`] returned `before`. Empty outside of [`keep`].
pub(super) fn since(before: u64) -> Vec<ReadError> {
    let count = usize::try_from(MADE.get().wrapping_sub(before)).unwrap_or(usize::MAX);
    KEPT.with_borrow(|kept| {
        let kept = kept.as_deref().unwrap_or_default();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    })
}
