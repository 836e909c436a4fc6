//! Findings as text for people and as JSON for programs.
//!
//! The text has the verdict, the place, the source line, the reason and the remedy of each finding, and
//! the counts at the end. The caller chooses colour and source lines.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::files;
use crate::finding::{Finding, Level};
use crate::visible::by_number;

/// Options of the text for people.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ReportStyle {
    /// ANSI colours.
    pub colour: bool,
    /// The source line of each finding.
    pub source: bool,
}

impl ReportStyle {
    /// Plain text without source lines.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Text with source lines.
    #[must_use]
    pub fn full(colour: bool) -> Self {
        Self { colour, source: true }
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn level(self, level: Level, text: &str) -> String {
        let code = match level {
            Level::Error => "1;31",
            Level::Warn => "1;33",
            Level::Info => "1;36",
        };
        self.paint(text, code)
    }
}

/// Findings as text for people. The last line has the counts.
///
/// ```
/// use imperal_manifest::{ReportStyle, render_findings, validate_text};
///
/// let findings = validate_text(r#"{"app_id": "Notes"}"#, "imperal.json");
/// let text = render_findings(&findings, ReportStyle::plain());
/// assert!(text.contains("error[M2]: `version` is missing"));
/// ```
#[must_use]
pub fn render_findings(findings: &[Finding], style: ReportStyle) -> String {
    let mut out = String::new();
    let mut sources = SourceCache::default();
    for finding in findings {
        let head = format!("{}[{}]", finding.level, finding.rule);
        let _ =
            writeln!(out, "{}: {}", style.level(finding.level, &head), style.paint(&by_number(&finding.message), "1"));
        let shown = by_number(&finding.file);
        let arrow = style.paint("-->", "1;34");
        match (finding.file.is_empty(), finding.line) {
            (true, _) => {}
            (false, 0) => drop(writeln!(out, "  {arrow} {shown}")),
            (false, line) => drop(writeln!(out, "  {arrow} {shown}:{line}")),
        }
        if style.source {
            snippet(&mut out, finding, style, &mut sources);
        }
        let bar = style.paint("=", "1;34");
        if !finding.why.is_empty() {
            let _ = writeln!(out, "   {bar} why: {}", by_number(finding.why));
        }
        let _ = writeln!(out, "   {bar} fix: {}\n", by_number(&finding.fix));
    }
    out.push_str(&count(findings));
    out.push('\n');
    out
}

/// The sources of findings, each read once, with the offsets of its lines.
#[derive(Default)]
struct SourceCache(HashMap<String, Option<(String, Vec<usize>)>>);

impl SourceCache {
    fn line(&mut self, name: &str, index: usize) -> Option<&str> {
        let read = |name: &str| {
            let bytes = files::read_limited(&find_source(name, Path::new("."))?, files::MANIFEST_BYTES).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
            Some((text, starts))
        };
        let (text, starts) = self.0.entry(name.to_owned()).or_insert_with(|| read(name)).as_ref()?;
        let line = text.get(*starts.get(index)?..)?;
        let end = starts.get(index + 1).map_or(line.len(), |next| next - 1 - starts[index]);
        line.get(..end).map(|line| line.trim_end_matches('\r'))
    }
}

fn snippet(out: &mut String, finding: &Finding, style: ReportStyle, sources: &mut SourceCache) {
    let Some(index) = usize::try_from(finding.line).ok().and_then(|line| line.checked_sub(1)) else { return };
    let Some(line) = sources.line(&finding.file, index) else { return };
    let number = finding.line.to_string();
    let bar = style.paint("|", "1;34");
    let cut: String = line.chars().take(160).collect();
    let shown = by_number(&cut);
    let blank = " ".repeat(number.len());
    let start = shown.chars().take_while(|c| c.is_whitespace()).count();
    let marks = "^".repeat(shown.trim().chars().count().max(1));
    let _ = writeln!(out, " {blank} {bar}");
    let _ = writeln!(out, " {} {bar} {shown}", style.paint(&number, "1;34"));
    let _ = writeln!(out, " {blank} {bar} {}{}", " ".repeat(start), style.level(finding.level, &marks));
}

/// `2 errors, 1 warning, 0 notes`.
fn count(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "no findings".to_owned();
    }
    let of = |level: Level| {
        let number = findings.iter().filter(|finding| finding.level == level).count();
        format!("{number} {level}{}", if number == 1 { "" } else { "s" })
    };
    format!("{}, {}, {}", of(Level::Error), of(Level::Warn), of(Level::Info))
}

/// Findings as JSON for programs: `{"valid", "errors", "warnings", "notes", "findings": [..]}`.
#[must_use]
pub fn findings_to_json(findings: &[Finding]) -> Value {
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    json!({
        "valid": of(Level::Error) == 0,
        "errors": of(Level::Error),
        "warnings": of(Level::Warn),
        "notes": of(Level::Info),
        "findings": findings,
    })
}

/// The file with a path from `file!()`, which is relative to the folder where the compiler ran: the first
/// that exists in the current folder, in `manifest_dir` or above it.
#[must_use]
pub fn find_source(file: &str, manifest_dir: &Path) -> Option<PathBuf> {
    let direct = PathBuf::from(file);
    if direct.is_file() {
        return Some(direct);
    }
    manifest_dir.ancestors().map(|folder| folder.join(file)).find(|path| path.is_file())
}
