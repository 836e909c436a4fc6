//! Collects the findings of all rules.
//!
//! Limits their number and length, because a hostile file can break a rule a million times. Counts the
//! findings above the limits by level and drops them. Also chooses the language of a remedy, because a
//! manifest may belong to a Python extension.

use std::path::Path;

use crate::finding::{Level, UnplacedFinding};

/// Most findings that are kept per level.
const MAX_PER_LEVEL: usize = 200;

/// Most bytes of text in all findings together.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// Most characters of a message or a remedy.
const MAX_TEXT_CHARS: usize = 600;

/// The language that an extension is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Unknown,
}

impl Language {
    /// Guesses the language from the files in the manifest's folder.
    pub(super) fn of_folder(folder: Option<&Path>) -> Self {
        let Some(folder) = folder else { return Self::Unknown };
        let has = |names: &[&str]| names.iter().any(|name| folder.join(name).is_file());
        let rust = has(&["Cargo.toml"]);
        let python = has(&["pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "app.py", "main.py"]);
        match (rust, python) {
            (true, false) => Self::Rust,
            (false, true) => Self::Python,
            _ => Self::Unknown,
        }
    }
}

/// The findings so far, and the number of omitted ones.
pub(super) struct Collector {
    language: Language,
    kept: Vec<UnplacedFinding>,
    counts: [usize; 3],
    omitted: [usize; 3],
    bytes_left: usize,
}

impl Collector {
    pub(super) fn new(language: Language) -> Self {
        Self { language, kept: Vec::new(), counts: [0; 3], omitted: [0; 3], bytes_left: MAX_TEXT_BYTES }
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        path: impl Into<String>,
        message: String,
        fix: impl Into<String>,
    ) {
        self.raise(rule, Level::Error, path, message, fix);
    }

    pub(super) fn warn(
        &mut self,
        rule: &'static str,
        path: impl Into<String>,
        message: String,
        fix: impl Into<String>,
    ) {
        self.raise(rule, Level::Warn, path, message, fix);
    }

    pub(super) fn raise(
        &mut self,
        rule: &'static str,
        level: Level,
        path: impl Into<String>,
        message: String,
        fix: impl Into<String>,
    ) {
        if self.omits(level) {
            return;
        }
        let finding =
            UnplacedFinding { rule, level, path: path.into(), message: shortened(message), fix: shortened(fix.into()) };
        let bytes = finding.path.len() + finding.message.len() + finding.fix.len();
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.counts[level as usize] += 1;
        self.kept.push(finding);
    }

    /// Whether the next finding of this level exceeds the limits. If so, counts it as omitted. A rule with
    /// expensive texts calls this before it writes them.
    pub(super) fn omits(&mut self, level: Level) -> bool {
        let full = self.counts[level as usize] >= MAX_PER_LEVEL || self.bytes_left == 0;
        self.omitted[level as usize] += usize::from(full);
        full
    }

    /// The remedy in the extension's language, or in both languages if it is unknown.
    pub(super) fn advice(&self, rust: impl Into<String>, python: impl Into<String>) -> String {
        match self.language {
            Language::Rust => rust.into(),
            Language::Python => python.into(),
            Language::Unknown => format!("in Rust: {}; in Python: {}", rust.into(), python.into()),
        }
    }

    pub(super) fn kept_mut(&mut self) -> &mut Vec<UnplacedFinding> {
        &mut self.kept
    }

    /// Returns the findings. If some were omitted, the last finding has their number (M35).
    pub(super) fn finish(self) -> Vec<UnplacedFinding> {
        let Self { mut kept, omitted, .. } = self;
        let levels = [Level::Error, Level::Warn, Level::Info];
        if let Some(level) = levels.into_iter().find(|level| omitted[*level as usize] > 0) {
            let [errors, warnings, notes] = omitted;
            let message =
                format!("and {} more ({errors} errors, {warnings} warnings, {notes} notes)", errors + warnings + notes);
            let fix = "correct these, then validate again".to_owned();
            kept.push(UnplacedFinding { rule: "M35", level, path: String::new(), message, fix });
        }
        kept
    }
}

/// The text, cut at [`MAX_TEXT_CHARS`].
pub(crate) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A name in quotes, or `the WHAT at PATH` for an object without a name.
pub(super) fn quoted_or_path(what: &str, at: &str, name: &str) -> String {
    if name.is_empty() { format!("the {what} at `{at}`") } else { format!("`{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_omitted_findings_by_level() {
        let mut findings = Collector::new(Language::Rust);
        for at in 0..MAX_PER_LEVEL + 5 {
            findings.error("M3", format!("x{at}"), "wrong".to_owned(), "remove it");
            findings.warn("V34", "", "wrong".to_owned(), "remove it");
        }
        let kept = findings.finish();
        assert_eq!(kept.len(), 2 * MAX_PER_LEVEL + 1);
        let last = kept.last().unwrap();
        assert_eq!((last.rule, last.message.as_str()), ("M35", "and 10 more (5 errors, 5 warnings, 0 notes)"));
    }

    #[test]
    fn limits_the_bytes_of_all_texts() {
        let mut findings = Collector::new(Language::Rust);
        findings.error("M3", "x".repeat(MAX_TEXT_BYTES), "y".repeat(5000), "");
        assert!(findings.omits(Level::Info));
        assert_eq!(findings.finish()[0].message.chars().count(), MAX_TEXT_CHARS + 1);
    }

    #[test]
    fn guesses_the_language_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let of = || Language::of_folder(Some(folder.path()));
        assert_eq!(of(), Language::Unknown);
        std::fs::write(folder.path().join("main.py"), "").unwrap();
        assert_eq!(of(), Language::Python);
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(of(), Language::Unknown);
        std::fs::remove_file(folder.path().join("main.py")).unwrap();
        assert_eq!(of(), Language::Rust);
        assert_eq!(Collector::new(Language::Unknown).advice("a", "b"), "in Rust: a; in Python: b");
    }
}
