//! Finds errors that serde swallows.
//!
//! serde reads `#[serde(flatten)] place: Option<Place>` as `None` whenever `Place` fails. If `Place` needs
//! `x` and `y`, the `x` of `{"x": 1}` would be lost silently.
//!
//! An object is a suspect if reading it made an error after its last field and returned none. To find the
//! lost field, this module replaces each field of the object in turn by an unreadable value and reads the
//! parameters again. A field was lost if the parameters can still be read, with as many swallowed errors as
//! before, and one of the errors has another text: the flattened part now fails at this field. If a part
//! was not lost, an unreadable field adds an error instead.

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Reader;
use super::error::{self, ReadError, Step};

/// Most values that all readings of one call read again. This suffices to try every field of parameters with
/// a few hundred values.
const MAX_READ_VALUES: usize = 1 << 18;

/// An object of the parameters whose reading swallowed an error.
pub(super) struct Suspect {
    object: *const Map<String, Value>,
    /// Copies of the swallowed errors; empty outside of [`error::keep`].
    errors: Vec<ReadError>,
}

thread_local! {
    static SUSPECTS: RefCell<Vec<Suspect>> = const { RefCell::new(Vec::new()) };
}

/// Records a suspect. Its reading has swallowed the errors made since [`error::count`] returned `before`.
#[cold]
pub(super) fn suspect(object: &Map<String, Value>, before: u64) {
    let suspect = Suspect { object, errors: error::since(before) };
    SUSPECTS.with_borrow_mut(|suspects| suspects.push(suspect));
}

/// Runs `reading` and returns the suspects among the objects that it read.
pub(super) fn watch<T>(reading: impl FnOnce() -> T) -> (T, Vec<Suspect>) {
    // An earlier reading may have panicked.
    error::forget();
    SUSPECTS.with_borrow_mut(Vec::clear);
    let read = reading();
    (read, SUSPECTS.take())
}

/// The first swallowed error of a flattened part of which a field was given.
pub(super) fn find<T: DeserializeOwned>(params: &Value, suspects: &[Suspect]) -> Option<ReadError> {
    let mut left = if suspects.is_empty() { 0 } else { MAX_READ_VALUES / count(params) };
    suspects.iter().find_map(|suspect| {
        let mut path = Vec::new();
        let object = way_to(suspect.object, params, &mut path)?;
        left = left.checked_sub(1)?;
        let (_, errors) = errors_at::<T>(params, &path);
        object.keys().find_map(|name| {
            left = left.checked_sub(1)?;
            let mut spoilt = params.clone();
            *value_at(&mut spoilt, &path)?.get_mut(name)? = unreadable();
            let (is_read, changed) = errors_at::<T>(&spoilt, &path);
            if !is_read || changed.len() != errors.len() {
                return None;
            }
            let gone = errors.iter().zip(&changed).find(|(before, after)| before.text() != after.text())?.0.clone();
            let gone = if gone.is_missing() { gone } else { gone.within(Step::Field(name.clone())) };
            Some(path.iter().rev().cloned().fold(gone, ReadError::within))
        })
    })
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// A value that hardly any type reads.
fn unreadable() -> Value {
    (0..4).fold(Value::Null, |value, _| Value::Array(vec![value]))
}

/// Whether the parameters can be read, and the errors that the object at `path` swallowed.
fn errors_at<T: DeserializeOwned>(params: &Value, path: &[Step]) -> (bool, Vec<ReadError>) {
    let object = path.iter().try_fold(params, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(at) => value.get(at),
    });
    let Some(Value::Object(object)) = object else { return (false, Vec::new()) };
    let reading = || T::deserialize(Reader { value: params, is_root: true }).is_ok();
    let (is_read, suspects) = watch(|| error::keep(reading));
    let errors = suspects.into_iter().filter(|suspect| std::ptr::eq(suspect.object, object));
    (is_read, errors.flat_map(|suspect| suspect.errors).collect())
}

fn value_at<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get_mut(name),
        Step::Item(at) => value.get_mut(at),
    })
}

/// Finds an object by its address and adds the steps to it to `path`.
fn way_to<'a>(
    object: *const Map<String, Value>,
    value: &'a Value,
    path: &mut Vec<Step>,
) -> Option<&'a Map<String, Value>> {
    let mut through = |step: Step, value: &'a Value| {
        path.push(step);
        let found = way_to(object, value, path);
        if found.is_none() {
            path.pop();
        }
        found
    };
    match value {
        Value::Object(fields) if std::ptr::eq(fields, object) => Some(fields),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| through(Step::Field(name.clone()), value)),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, value)| through(Step::Item(at), value)),
        _ => None,
    }
}
