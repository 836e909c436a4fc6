//! Where rules put what they find.
//!
//! Owns the limits: a file of a stranger may break a rule a million times, and nobody reads more
//! than the first few. What is left off is counted by level. Owns the language of advice as well,
//! because a manifest's file may come from a Python extension.

use std::path::Path;

use super::finding::{Level, Raised};

/// Findings kept of each level.
pub(super) const MOST: usize = 200;

/// Bytes of text that all findings together may have.
const ROOM: usize = 1024 * 1024;

/// Characters of a message or of advice.
const TEXT: usize = 600;

/// The language that an extension is written in, as far as its folder tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Unknown,
}

impl Language {
    /// By the files beside the manifest.
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

/// Findings so far.
pub(super) struct Sink {
    language: Language,
    raised: Vec<Raised>,
    kept: [usize; 3],
    left_off: [usize; 3],
    room: usize,
}

impl Sink {
    pub(super) fn new(language: Language) -> Self {
        Self { language, raised: Vec::new(), kept: [0; 3], left_off: [0; 3], room: ROOM }
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
        if self.leaves_off(level) {
            return;
        }
        let raised = Raised { rule, level, path: path.into(), message: shortened(message), fix: shortened(fix.into()) };
        self.room = self.room.saturating_sub(raised.path.len() + raised.message.len() + raised.fix.len());
        self.kept[level as usize] += 1;
        self.raised.push(raised);
    }

    /// Whether one more finding of this level is only counted; it is counted then. A rule asks
    /// first where making a finding's text is not cheap.
    pub(super) fn leaves_off(&mut self, level: Level) -> bool {
        let full = self.kept[level as usize] >= MOST || self.room == 0;
        self.left_off[level as usize] += usize::from(full);
        full
    }

    /// Advice in the language of the extension, or in both where that is not known.
    pub(super) fn advice(&self, rust: impl Into<String>, python: impl Into<String>) -> String {
        match self.language {
            Language::Rust => rust.into(),
            Language::Python => python.into(),
            Language::Unknown => format!("in Rust: {}; in Python: {}", rust.into(), python.into()),
        }
    }

    pub(super) fn raised_mut(&mut self) -> &mut Vec<Raised> {
        &mut self.raised
    }

    /// The findings, and at their end how many more there are.
    pub(super) fn finish(self) -> Vec<Raised> {
        let Self { mut raised, left_off, .. } = self;
        let levels = [Level::Error, Level::Warn, Level::Info];
        if let Some(level) = levels.into_iter().find(|level| left_off[*level as usize] > 0) {
            let [errors, warnings, notes] = left_off;
            let message =
                format!("and {} more ({errors} errors, {warnings} warnings, {notes} notes)", errors + warnings + notes);
            let fix = "correct those that are shown, and validate again".to_owned();
            raised.push(Raised { rule: "M35", level, path: String::new(), message, fix });
        }
        raised
    }
}

/// A text of at most so many characters.
pub(super) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A name in quotes, or the place of what has none.
pub(super) fn called(what: &str, at: &str, name: &str) -> String {
    if name.is_empty() { format!("the {what} at `{at}`") } else { format!("`{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_beyond_the_limit_are_counted_by_level() {
        let mut sink = Sink::new(Language::Rust);
        for at in 0..MOST + 5 {
            sink.error("M3", format!("x{at}"), "wrong".to_owned(), "remove it");
            sink.warn("V34", "", "wrong".to_owned(), "remove it");
        }
        let raised = sink.finish();
        assert_eq!(raised.len(), 2 * MOST + 1);
        let last = raised.last().unwrap();
        assert_eq!((last.rule, last.message.as_str()), ("M35", "and 10 more (5 errors, 5 warnings, 0 notes)"));
    }

    #[test]
    fn long_texts_fill_the_room() {
        let mut sink = Sink::new(Language::Rust);
        sink.error("M3", "x".repeat(ROOM), "y".repeat(5000), "");
        assert!(sink.leaves_off(Level::Info));
        assert_eq!(sink.finish()[0].message.chars().count(), TEXT + 1);
    }

    #[test]
    fn advice_follows_the_files_beside_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let of = || Language::of_folder(Some(folder.path()));
        assert_eq!(of(), Language::Unknown);
        std::fs::write(folder.path().join("main.py"), "").unwrap();
        assert_eq!(of(), Language::Python);
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(of(), Language::Unknown);
        std::fs::remove_file(folder.path().join("main.py")).unwrap();
        assert_eq!(of(), Language::Rust);
        assert_eq!(Sink::new(Language::Unknown).advice("a", "b"), "in Rust: a; in Python: b");
    }
}
