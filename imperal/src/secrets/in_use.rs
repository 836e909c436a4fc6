//! The values that work has read, and what keeps them out of texts.
//!
//! Each call or task has one [`SecretsInUse`], which tasks that it starts share. Texts on their way into the ledger
//! are held against it. The process has one of its own, for the log and the traces: [`screen_process_text`]. It has the
//! values of all work, and for a minute those of work that is gone, whose last lines may come late. Where no secret was
//! read, both cost one atomic read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use zeroize::Zeroizing;

use super::patterns::{Patterns, forms};
use super::value::SecretValue;
use crate::codes;
use crate::error::Error;
use crate::result::Result;

/// Patterns that many read and few write.
#[derive(Default)]
struct Shared {
    has_any: AtomicBool,
    patterns: RwLock<Patterns>,
}

impl Shared {
    fn read<T>(&self, look: impl FnOnce(&Patterns) -> T) -> Option<T> {
        if !self.has_any.load(Ordering::Acquire) {
            return None;
        }
        Some(look(&self.patterns.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn change(&self, change: impl FnOnce(&mut Patterns)) {
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut patterns);
        self.has_any.store(!patterns.is_empty(), Ordering::Release);
    }
}

/// How long the process knows the values of work that is gone.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Most values of work that is gone.
const KEPT: usize = 4096;

/// The values of all work of this process.
static PROCESS: LazyLock<Process> = LazyLock::new(Process::default);

#[derive(Default)]
struct Process {
    shared: Shared,
    /// Values of work that is gone, the longest gone first.
    gone: Mutex<VecDeque<(Instant, Noted)>>,
}

impl Process {
    fn add(&self, name: &'static str, forms: &[Zeroizing<String>]) {
        self.forget(Instant::now());
        self.shared.change(|all| forms.iter().for_each(|form| all.add(name, form)));
    }

    /// Forgets values a minute from now, at the next use of a secret.
    fn leave(&self, noted: Vec<Noted>) {
        let now = Instant::now();
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).extend(noted.into_iter().map(|noted| (now, noted)));
        self.forget(now);
    }

    fn forget(&self, now: Instant) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let over = gone.len().saturating_sub(KEPT);
        let is_old = |(since, _): &(Instant, Noted)| now.saturating_duration_since(*since) >= KEPT_FOR;
        let count = over.max(gone.iter().take_while(|gone| is_old(gone)).count());
        let forgotten: Vec<_> = gone.drain(..count).collect();
        drop(gone);
        if !forgotten.is_empty() {
            let forms = || forgotten.iter().flat_map(|(_, noted)| &noted.forms);
            self.shared.change(|all| forms().for_each(|form| all.remove(form)));
        }
    }
}

/// A text for the log or a trace, with `[secret NAME]` in the place of each value that is in use in this process.
pub(crate) fn screen_process_text(text: &str) -> Cow<'_, str> {
    PROCESS.shared.read(|patterns| patterns.replace(text)).unwrap_or(Cow::Borrowed(text))
}

/// Whether a value is in use in this process.
#[cfg(feature = "platform")]
pub(crate) fn process_has_secrets() -> bool {
    PROCESS.shared.has_any.load(Ordering::Acquire)
}

/// The values that a call or task, and the tasks that it started, have read. Most work reads none, so there is nothing
/// until the first.
#[derive(Clone, Default)]
pub(crate) struct SecretsInUse(Arc<OnceLock<Box<InUse>>>);

#[derive(Default)]
struct InUse {
    own: Shared,
    /// The values, each with the forms that this work added to those of the process.
    noted: RwLock<Vec<Noted>>,
}

/// A value with its forms.
struct Noted {
    value: Zeroizing<String>,
    forms: Vec<Zeroizing<String>>,
}

impl SecretsInUse {
    /// Notes that the work reads a value. From now on its texts are without it.
    pub(crate) fn note(&self, name: &'static str, value: Zeroizing<String>) -> SecretValue {
        let in_use = self.0.get_or_init(Box::default);
        let mut noted = in_use.noted.write().unwrap_or_else(PoisonError::into_inner);
        if noted.iter().all(|known| known.value != value) {
            let forms = forms(&value);
            in_use.own.change(|own| forms.iter().for_each(|form| own.add(name, form)));
            PROCESS.add(name, &forms);
            noted.push(Noted { value: value.clone(), forms });
        }
        drop(noted);
        SecretValue::new(name, value, self.clone())
    }

    fn read<T>(&self, look: impl FnOnce(&Patterns) -> T) -> Option<T> {
        self.0.get()?.own.read(look)
    }

    /// The text with `[secret NAME]` in the place of each value.
    pub(crate) fn replace<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.read(|patterns| patterns.replace(text)).unwrap_or(Cow::Borrowed(text))
    }

    /// Replaces the values in a text.
    pub(crate) fn screen(&self, text: &mut String) {
        if let Cow::Owned(replaced) = self.replace(text) {
            *text = replaced;
        }
    }

    /// The name of a secret whose value is in the text.
    pub(crate) fn name_in(&self, text: &str) -> Option<&'static str> {
        self.read(|patterns| patterns.name_in(text)).flatten()
    }

    /// The name of a secret whose value is in a text or a key of a JSON value.
    pub(crate) fn name_in_json(&self, value: &Value) -> Option<&'static str> {
        self.read(|patterns| find_in_json(patterns, value)).flatten()
    }

    /// Refuses texts that have a value in them.
    ///
    /// # Errors
    /// `SECRET_EXPOSED`, which names the secret and `what`.
    pub(crate) fn refuse<'t>(&self, what: &str, texts: impl IntoIterator<Item = &'t str>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        texts.into_iter().find_map(|text| self.name_in(text)).map_or(Ok(()), |name| Err(Self::exposed(what, name)))
    }

    /// The error for something that has the value of this secret in it.
    pub(crate) fn exposed(what: &str, name: &str) -> Error {
        Error::result(codes::SECRET_EXPOSED, format!("{what} has the secret `{name}` in it, so it was not stored."))
    }

    /// The bytes of the longest form of a value; 0 if the work has read none.
    pub(crate) fn longest_form(&self) -> usize {
        self.read(Patterns::longest).unwrap_or_default()
    }

    /// Whether the work has read no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none_or(|in_use| !in_use.own.has_any.load(Ordering::Acquire))
    }
}

fn find_in_json(patterns: &Patterns, value: &Value) -> Option<&'static str> {
    match value {
        Value::String(text) => patterns.name_in(text),
        Value::Array(items) => items.iter().find_map(|item| find_in_json(patterns, item)),
        Value::Object(fields) => {
            fields.iter().find_map(|(key, field)| patterns.name_in(key).or_else(|| find_in_json(patterns, field)))
        }
        // A key may be a number: 12345678.
        Value::Number(number) => patterns.name_in(&number.to_string()),
        Value::Null | Value::Bool(_) => None,
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let noted = std::mem::take(self.noted.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !noted.is_empty() {
            PROCESS.leave(noted);
        }
    }
}

impl fmt::Debug for SecretsInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsInUse").field("is_empty", &self.is_empty()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_knows_a_value_as_long_as_its_work_lives_and_for_a_minute() {
        let work = SecretsInUse::default();
        assert!(work.is_empty());
        let value = work.note("key", Zeroizing::new("of-this-test-alone".to_owned()));
        let text = "key=of-this-test-alone";
        assert_eq!((&*work.replace(text), &*screen_process_text(text)), ("key=[secret key]", "key=[secret key]"));
        assert_eq!(SecretsInUse::default().replace(text), text, "other work does not learn of it");
        drop(work);
        assert_eq!(screen_process_text(text), "key=[secret key]");
        assert_eq!(value.expose(), "of-this-test-alone");
        drop(value);
        assert_eq!(screen_process_text(text), "key=[secret key]", "its last lines may come late");
        PROCESS.forget(Instant::now() + KEPT_FOR);
        assert_eq!(screen_process_text(text), text);
    }

    #[test]
    fn values_are_found_in_texts_keys_and_numbers_of_json() {
        let work = SecretsInUse::default();
        work.note("pin", Zeroizing::new("12345678".to_owned()));
        for value in [
            serde_json::json!({"a": ["x", "12345678"]}),
            serde_json::json!({"x12345678": null}),
            serde_json::json!([{"n": 12_345_678}]),
        ] {
            assert_eq!(work.name_in_json(&value), Some("pin"), "{value}");
        }
        assert_eq!(work.name_in_json(&serde_json::json!({"n": 1_234_567})), None);
    }
}
