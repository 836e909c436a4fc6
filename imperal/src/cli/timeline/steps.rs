//! The lines of steps and effects: those that are stored, those that failed or were cut off, and their logs.

use std::time::Duration;

use console::measure_text_width;
use jiff::Timestamp;
use serde_json::Value;

use super::{INDENT, Writer};
use crate::cli::effect_words::{self, Intent};
use crate::cli::out::Paint;
use crate::cli::when;
use crate::ledger::{Follows, StepEnding, StepKind, UnfinishedStep};
use crate::platform::TimelineStep;

impl Writer<'_> {
    pub(super) fn step(&mut self, step: &TimelineStep) {
        let took = when::format_duration(step.done_at.duration_since(step.began_at).unsigned_abs());
        let name = self.style.sanitize_line(&step.name);
        let pad = " ".repeat(self.widest.saturating_sub(measure_text_width(&name)));
        let failed = step.log.iter().filter(|entry| is_failure(entry)).count();
        let retried = match failed {
            0 => String::new(),
            1 => "  after 1 failure".to_owned(),
            more => format!("  after {more} failures"),
        };
        let retried = if step.attempt == Follows::INHERITED { format!("{retried}  kept") } else { retried };
        match step.step_kind {
            StepKind::Message => self.line(step.done_at, Paint::Green, ("✓", "said"), "a message"),
            StepKind::Step | StepKind::Effect => {
                self.kept += 1;
                let known = self.aside(effect_words::known_words(step.known_by, self.intent.unknown));
                let text = format!("{name}{pad}  {took:>7}{}{known}", self.style.paint(Paint::Yellow, &retried));
                self.line(step.began_at, Paint::Green, ("✓", "done"), &text);
            }
            StepKind::Intent => self.begun(step, &name),
            StepKind::NotDone => {
                let text = format!("{name}{}", self.aside(effect_words::known_words(step.known_by, false)));
                self.stated(step.done_at, Paint::Yellow, ("✗", "not done"), &text);
            }
            // The row of a wait that is not known any more: it says nothing of work.
            kind => self.line(step.began_at, Paint::Green, ("✓", kind.as_str()), &name),
        }
        self.log(&step.log);
    }

    fn log(&mut self, log: &[Value]) {
        for entry in log {
            let text = self.style.sanitize_line(&log_line(entry));
            let paint = if is_failure(entry) { Paint::Yellow } else { Paint::Dim };
            self.lines.push(format!("  {INDENT}{}", self.style.paint(paint, &text)));
        }
    }

    /// The begin of an effect. The row with its outcome says all of one of which that was known at once.
    fn begun(&mut self, step: &TimelineStep, name: &str) {
        let Intent { has_end, unknown, runs, noted, .. } = self.intent;
        if !unknown || noted {
            return;
        }
        let (word, why) = match (has_end, runs) {
            (true, _) => ("begun", "it was not known whether it was done"),
            (false, true) => ("begun", "it was not known whether it was done; it runs again"),
            (false, false) => ("unknown", effect_words::UNKNOWN),
        };
        self.stated(step.done_at, Paint::Yellow, ("!", word), &format!("{name}{}", self.aside(why)));
    }

    /// A step of an ended attempt without a row.
    pub(super) fn unfinished(&mut self, step: &UnfinishedStep) {
        let style = self.style;
        let (paint, word) = match step.how {
            StepEnding::Failed => (if step.went_on { Paint::Yellow } else { Paint::Red }, "failed"),
            StepEnding::CutOff => (Paint::Yellow, "cut off"),
            StepEnding::Unknown => (Paint::Yellow, "unknown"),
        };
        let took = when::format_duration(step.ended_at.duration_since(step.began_at).unsigned_abs());
        let mut text = format!("{}  {took}", style.sanitize_line(&step.name));
        if step.how == StepEnding::Failed {
            text = format!("step {}, {text}", step.number);
        }
        if step.tries > 1 {
            text = format!("{text}, {} attempts", step.tries);
        }
        if step.went_on {
            text.push_str(", and the task went on");
        }
        let why = if step.how == StepEnding::Unknown { Some(effect_words::UNKNOWN) } else { step.error.as_deref() };
        let why = self.aside(&style.sanitize_line(why.unwrap_or_default()));
        self.stated(step.began_at, paint, ("✗", word), &format!("{text}{why}"));
        self.log(&step.log);
    }

    /// Stored steps that the program no longer has.
    pub(super) fn unasked(&mut self, at: Timestamp, names: &[String], more: u32) {
        let mut text = self.style.sanitize_line(&names.join(", "));
        if more > 0 {
            text = format!("{text} and {more} more");
        }
        let why = self.aside("renamed or removed in the program, so the work was done twice or for nothing");
        self.stated(at, Paint::Yellow, ("!", "not asked for"), &format!("{text}{why}"));
    }
}

/// Whether an entry of a step's log is a failed try, or a request that failed.
fn is_failure(entry: &Value) -> bool {
    entry.get("error").is_some() || entry["status"].as_u64().is_some_and(|status| status >= 400)
}

/// `wrote packages/spring, deleted packages/old, 3 more documents`.
fn written_documents(named: &[Value], count: u64) -> String {
    let mut parts: Vec<String> = named
        .iter()
        .filter_map(Value::as_str)
        .map(|name| name.strip_prefix('-').map_or_else(|| format!("wrote {name}"), |gone| format!("deleted {gone}")))
        .collect();
    match count.saturating_sub(parts.len() as u64) {
        0 => {}
        1 => parts.push("1 more document".to_owned()),
        more => parts.push(format!("{more} more documents")),
    }
    parts.join(", ")
}

/// `POST https://bank.example/charge  504, 30.0 s`, `attempt 1 failed: the bank did not answer`.
fn log_line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    if let Some(more) = entry["more"].as_u64() {
        return format!("{more} more");
    }
    if let Some(attempt) = entry["attempt"].as_u64() {
        return format!("attempt {attempt} failed: {}", text("error"));
    }
    if let Some(documents) = entry["documents"].as_array() {
        return written_documents(documents, entry["count"].as_u64().unwrap_or_default());
    }
    let status = entry["status"].as_u64().map_or_else(|| text("error").to_owned(), |status| status.to_string());
    let took = when::format_duration(Duration::from_millis(entry["ms"].as_u64().unwrap_or_default()));
    format!("{} {}  {status}, {took}", text("method"), text("url"))
}
