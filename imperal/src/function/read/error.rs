//! Why a type did not take a value, with the path to it.

use std::cell::{Cell, RefCell};
use std::fmt;

/// One step of the way from the root of the parameters to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// An entry of a list.
    Item(usize),
}

/// Why a type did not take a value that its schema allows.
///
/// The text is serde's or the author's own and may quote the value: it is not shown where the schema
/// has secrets.
#[derive(Debug, Clone)]
#[doc(hidden)]
pub struct ReadError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    text: String,
    /// From the value to the root.
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

    /// The same error, seen from the value that holds the one it is about.
    pub(super) fn within(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// What was wrong.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether a field is missing; the path names it.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.missing
    }

    /// From the root to the value, or to the last part of the way that is known.
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
    /// How many errors this thread has made. One that a reading made and did not return was swallowed.
    static MADE: Cell<u64> = const { Cell::new(0) };
    /// The errors, while they are compared.
    static KEPT: RefCell<Option<Vec<ReadError>>> = const { RefCell::new(None) };
}

/// The number of errors made so far.
pub(super) fn count() -> u64 {
    MADE.get()
}

/// Keeps the errors that `reading` makes.
pub(super) fn keep<T>(reading: impl FnOnce() -> T) -> T {
    KEPT.set(Some(Vec::new()));
    let read = reading();
    forget();
    read
}

/// Keeps errors no longer, after a reading that panicked.
pub(super) fn forget() {
    KEPT.set(None);
}

/// The errors made since there were `before` of them, while errors are kept.
pub(super) fn since(before: u64) -> Vec<ReadError> {
    let count = usize::try_from(MADE.get().wrapping_sub(before)).unwrap_or(usize::MAX);
    KEPT.with_borrow(|kept| {
        let kept = kept.as_deref().unwrap_or_default();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    })
}
