//! Why a schedule is refused.

use std::fmt;

/// A part of a schedule that cannot be used. The text names the part and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSchedule {
    field: &'static str,
    text: String,
}

impl InvalidSchedule {
    pub(crate) fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into() }
    }

    /// The part: `cron`, `every_seconds`, `zone` and so on.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for InvalidSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for InvalidSchedule {}
