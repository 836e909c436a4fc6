//! Findings for people and for programs.
//!
//! Owns the layout: verdict, place, source line, reason, way out, and the count at the end. Colour
//! and source lines are the caller's choice.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::finding::{Finding, Level};
use super::{file, source};
use crate::visible::by_number;

/// How findings are shown.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Look {
    /// ANSI colours.
    pub colour: bool,
    /// The line a finding stands on.
    pub source: bool,
}

impl Look {
    /// Plain text without source lines.
    pub fn plain() -> Self {
        Self::default()
    }

    /// With source lines, and in colour or not.
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

/// Findings as text for people, the count in the last line.
///
/// ```
/// use imperal::manifest::{Look, check_text, render};
///
/// let findings = check_text(r#"{"app_id": "Notes"}"#, "imperal.json");
/// let text = render(&findings, Look::plain());
/// assert!(text.contains("error[M2]: `version` is missing"));
/// ```
pub fn render(findings: &[Finding], look: Look) -> String {
    let mut out = String::new();
    let mut sources = Sources::default();
    for finding in findings {
        let head = format!("{}[{}]", finding.level, finding.rule);
        let _ =
            writeln!(out, "{}: {}", look.level(finding.level, &head), look.paint(&by_number(&finding.message), "1"));
        let shown = by_number(&finding.file);
        let arrow = look.paint("-->", "1;34");
        match (finding.file.is_empty(), finding.line) {
            (true, _) => {}
            (false, 0) => drop(writeln!(out, "  {arrow} {shown}")),
            (false, line) => drop(writeln!(out, "  {arrow} {shown}:{line}")),
        }
        if look.source {
            snippet(&mut out, finding, look, &mut sources);
        }
        let bar = look.paint("=", "1;34");
        if !finding.why.is_empty() {
            let _ = writeln!(out, "   {bar} why: {}", by_number(finding.why));
        }
        let _ = writeln!(out, "   {bar} fix: {}\n", by_number(&finding.fix));
    }
    out.push_str(&count(findings));
    out.push('\n');
    out
}

/// The texts that findings stand in, each read once, and where its lines begin.
#[derive(Default)]
struct Sources(HashMap<String, Option<(String, Vec<usize>)>>);

impl Sources {
    fn line(&mut self, name: &str, index: usize) -> Option<&str> {
        let read = |name: &str| {
            let bytes = file::read(&source::find(name, Path::new("."))?, file::MANIFEST_BYTES).ok()?;
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

fn snippet(out: &mut String, finding: &Finding, look: Look, sources: &mut Sources) {
    let Some(index) = usize::try_from(finding.line).ok().and_then(|line| line.checked_sub(1)) else { return };
    let Some(line) = sources.line(&finding.file, index) else { return };
    let number = finding.line.to_string();
    let bar = look.paint("|", "1;34");
    let cut: String = line.chars().take(160).collect();
    let shown = by_number(&cut);
    let blank = " ".repeat(number.len());
    let start = shown.chars().take_while(|c| c.is_whitespace()).count();
    let marks = "^".repeat(shown.trim().chars().count().max(1));
    let _ = writeln!(out, " {blank} {bar}");
    let _ = writeln!(out, " {} {bar} {shown}", look.paint(&number, "1;34"));
    let _ = writeln!(out, " {blank} {bar} {}{}", " ".repeat(start), look.level(finding.level, &marks));
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

/// Findings for programs: `{"valid", "errors", "warnings", "notes", "findings": [..]}`.
pub fn to_json(findings: &[Finding]) -> Value {
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    json!({
        "valid": of(Level::Error) == 0,
        "errors": of(Level::Error),
        "warnings": of(Level::Warn),
        "notes": of(Level::Info),
        "findings": findings,
    })
}
