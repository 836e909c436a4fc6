//! One violation of a rule.

use std::fmt;

use serde::Serialize;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::exhaustive_enums, reason = "the reference SDK has these three")]
pub enum Level {
    /// The platform refuses it, or it cannot work.
    Error,
    /// It works, but worse than it could.
    Warn,
    /// Worth knowing.
    Info,
}

impl Level {
    /// The word in a report: `error`, `warning` or `note`.
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

/// A violation of a rule: the place, the reason for the rule, and the remedy.
///
/// Its JSON has the keys of the reference SDK's record (`rule`, `level`, `message`, `file`, `line`,
/// `fix`) and in addition `why` and `path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Code of the rule; the reference SDK's code where it has the same rule.
    pub rule: &'static str,
    /// Severity.
    pub level: Level,
    /// The fault.
    pub message: String,
    /// File with the fault; empty if none.
    pub file: String,
    /// Line of the file, from 1; 0 if none.
    pub line: u32,
    /// The remedy.
    pub fix: String,
    /// The reason for the rule.
    pub why: &'static str,
    /// Path in the manifest, `tools.0.name`; empty for the root.
    pub path: String,
}

impl Finding {
    /// Whether the platform refuses the manifest because of it.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// A finding without file and line.
pub(crate) struct UnplacedFinding {
    pub(crate) rule: &'static str,
    pub(crate) level: Level,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) fix: String,
}
