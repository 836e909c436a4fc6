//! One thing that a rule found.
//!
//! Owns [`Finding`] and its levels. How it is shown is `report`'s business.

use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// The platform refuses it, or it cannot work.
    Error,
    /// It works, and worse than it could.
    Warn,
    /// Worth knowing.
    Info,
}

impl Level {
    /// In lower case, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warning",
            Self::Info => "note",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule that a manifest or an extension does not obey: where, why it matters, and the way out.
///
/// As JSON it has the keys of the reference SDK's record (`rule`, `level`, `message`, `file`,
/// `line`, `fix`), and `why` and `path` beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Code of the rule, the reference SDK's where it has that rule.
    pub rule: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// File it stands in; empty where there is none.
    pub file: String,
    /// Line of the file, from 1; 0 where there is none.
    pub line: u32,
    /// What to do.
    pub fix: String,
    /// Why the rule is there.
    pub why: &'static str,
    /// Place in the manifest, `tools.0.name`; empty for the whole.
    pub path: String,
}

impl Finding {
    /// Whether it keeps the extension from being accepted.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// A finding before its place is known.
pub(super) struct Raised {
    pub(super) rule: &'static str,
    pub(super) level: Level,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) fix: String,
}
