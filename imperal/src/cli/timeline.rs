//! The timeline of a task: read page by page over the API, and its lines in `show`.
//!
//! An attempt's end and the time without a process after it are one line, because people read them as one thing.

use std::time::Duration;

use console::measure_text_width;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::client::Client;
use super::effect_words::Intent;
use super::exit::CliError;
use super::out::{OutputStyle, Paint, count};
use super::{answer_text, durable_words, effect_words, questions, task_id, when};
use crate::ids::TaskId;
use crate::ledger::{AttemptEnding, Question, QuestionState, TaskState};
use crate::platform::{Idle, Timeline, TimelineEntry, TimelineQuestion};

mod steps;

/// Stored rows per request.
const PAGE: u32 = 500;
/// Widest column of the names of steps.
const NAME_WIDTH: usize = 40;
/// The lines of a step's log begin here.
const INDENT: &str = "      ";
/// Time without a process that is not worth a word.
const MOMENT: Duration = Duration::from_secs(1);

/// Everything that happened to a task, in order, and where its traces are looked up.
pub(super) async fn read(client: &Client, task_id: TaskId) -> Result<(Vec<TimelineEntry>, Option<String>), CliError> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/tasks/{task_id}/timeline?after={after}&limit={PAGE}");
        let page: Timeline = client.get(&path).await?;
        entries.extend(page.entries);
        let Some(next) = page.next else { return Ok((entries, page.trace_url)) };
        after = next;
    }
}

/// The lines for a person or a pipe. `asked` has the questions with the schemas of their answers.
pub(super) fn lines(entries: &[TimelineEntry], asked: &[Question], now: Timestamp, style: OutputStyle) -> Vec<String> {
    let widest = entries.iter().filter_map(|entry| match entry {
        TimelineEntry::Step(step) => Some(measure_text_width(&style.sanitize_line(&step.name)).min(NAME_WIDTH)),
        _ => None,
    });
    let widest = widest.max().unwrap_or(0);
    let mut writer =
        Writer { lines: Vec::new(), asked, now, style, widest, kept: 0, program: "", intent: Intent::default() };
    let intents = effect_words::intents(entries);
    let mut at = 0;
    while let Some(entry) = entries.get(at) {
        writer.intent = intents.get(&at).copied().unwrap_or_default();
        let idle = match (entry, entries.get(at + 1)) {
            (TimelineEntry::AttemptEnded { .. }, Some(TimelineEntry::Unattended { from, to, why })) => {
                Some((*from, *to, *why))
            }
            _ => None,
        };
        writer.add(entry, idle);
        at += if idle.is_some() { 2 } else { 1 };
    }
    writer.lines
}

struct Writer<'t> {
    lines: Vec<String>,
    asked: &'t [Question],
    now: Timestamp,
    style: OutputStyle,
    widest: usize,
    /// Steps that were stored so far.
    kept: usize,
    /// The version of the program of the attempt before.
    program: &'t str,
    /// What became of the intent that the entry belongs to, if it is of an effect.
    intent: Intent,
}

impl<'t> Writer<'t> {
    fn add(&mut self, entry: &'t TimelineEntry, idle: Option<(Timestamp, Option<Timestamp>, Idle)>) {
        match entry {
            TimelineEntry::Started { at } => self.line(*at, Paint::Dim, ("▶", "started"), ""),
            TimelineEntry::Follows { at, task_id, through, kept } => {
                let id = task_id::short_id(*task_id);
                let text = match through {
                    Some(_) => format!("goes on from task {id}, {} kept from it", count(*kept, "step")),
                    None => format!("runs task {id} again from the start"),
                };
                self.line(*at, Paint::Cyan, ("↻", "follows"), &text);
            }
            TimelineEntry::AttemptBegan { at, attempt, node, program } => self.began(*at, *attempt, node, program),
            TimelineEntry::Step(step) => self.step(step),
            TimelineEntry::Sleep { name, at, until, .. } => {
                let name = self.style.sanitize_line(name);
                let until = until.map_or_else(String::new, |until| format!("  until {}", self.time(until)));
                self.line(*at, Paint::Cyan, ("◷", "sleep"), &format!("{name}{until}"));
            }
            TimelineEntry::Question(question) => self.question(question),
            TimelineEntry::Running(step) => {
                let text = self.style.sanitize_line(&durable_words::step_now(step, self.now));
                self.line(step.since, Paint::Cyan, ("◌", "runs"), &text);
            }
            TimelineEntry::Unfinished(step) => self.unfinished(step),
            TimelineEntry::Unasked { at, names, more } => self.unasked(*at, names, *more),
            TimelineEntry::CancelRequested { at } => self.line(*at, Paint::Yellow, ("■", "cancel"), "was asked for"),
            TimelineEntry::AttemptEnded { at, by, .. } => {
                let what = ending(*by);
                let text = match idle.and_then(|(from, to, why)| Self::idle(from, to, why)) {
                    Some(idle) if *by == AttemptEnding::Parked => idle,
                    Some(idle) => format!("{what}; {idle}"),
                    None => what.to_owned(),
                };
                let paint = if is_trouble(*by) { Paint::Red } else { Paint::Dim };
                self.line(*at, paint, ("┆", "gap"), &text);
            }
            TimelineEntry::Unattended { from, to, why } => {
                if let Some(text) = Self::idle(*from, *to, *why) {
                    self.line(*from, Paint::Dim, ("┆", "gap"), &text);
                }
            }
            TimelineEntry::LeftOut { from, to } => {
                self.lines.push(format!("  {INDENT}attempts {from} to {to} are no longer remembered"));
            }
            TimelineEntry::Ended { at, state, code } => {
                let code = code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
                let (paint, mark) = match state {
                    TaskState::Succeeded => (Paint::Green, "✓"),
                    TaskState::Cancelled => (Paint::Yellow, "■"),
                    _ => (Paint::Red, "✗"),
                };
                self.line(*at, paint, (mark, "ended"), &format!("{}{code}", state.in_words()));
            }
        }
    }

    fn began(&mut self, at: Timestamp, attempt: u32, node: &str, program: &'t str) {
        let what = match (attempt, self.kept) {
            (1, 0) => "began".to_owned(),
            (_, 0) => "began again".to_owned(),
            (_, 1) => "went on, 1 step kept".to_owned(),
            (_, kept) => format!("went on, {kept} steps kept"),
        };
        let word = if self.style.terminal { "attempt " } else { "" };
        let is_other = !self.program.is_empty() && !program.is_empty() && program != self.program;
        let version = if is_other { ", another version of the program" } else { "" };
        let text = format!("{word}{attempt} on {}{version}: {what}", self.style.sanitize_line(node));
        self.program = program;
        self.line(at, Paint::Cyan, ("↻", "attempt"), &text);
    }

    /// A remark after a name.
    fn aside(&self, words: &str) -> String {
        if words.is_empty() { String::new() } else { self.style.paint(Paint::Yellow, &format!("  ({words})")) }
    }

    /// A line whose word is also read on a terminal: its mark does not say all.
    fn stated(&mut self, at: Timestamp, paint: Paint, (mark, word): (&str, &str), text: &str) {
        let text =
            if self.style.terminal { format!("{}: {text}", self.style.paint(paint, word)) } else { text.to_owned() };
        self.line(at, paint, (mark, word), &text);
    }

    fn question(&mut self, question: &TimelineQuestion) {
        let style = self.style;
        let is_open = question.state == QuestionState::Open;
        let text = format!("{}  {}", style.sanitize_line(&question.name), style.sanitize_line(question.text.trim()));
        let (paint, mark) = if is_open { (Paint::Yellow, ("?", "open")) } else { (Paint::Green, ("?", "asked")) };
        self.line(question.asked_at, paint, mark, &text);
        let Some(full) = self.asked.iter().find(|one| one.question_id == question.question_id) else { return };
        let what = if is_open {
            let takes = style.sanitize_line(&answer_text::takes(&full.schema));
            format!("{takes}; {}", questions::deadline(full, self.now, style))
        } else {
            questions::end(full, style)
        };
        self.lines.push(format!("  {INDENT}{what}"));
    }

    /// Time without a process, unless it was a moment.
    fn idle(from: Timestamp, to: Option<Timestamp>, why: Idle) -> Option<String> {
        let Some(to) = to else {
            return Some(match why {
                Idle::Wait => "waits".to_owned(),
                Idle::Version => "waits for a version of the program that can continue it".to_owned(),
                Idle::Retry => "waits for the time of its next attempt".to_owned(),
                Idle::Slot => "waits for the end of another task".to_owned(),
                Idle::Paused => "is paused by an operator".to_owned(),
                Idle::Process => "no process runs it".to_owned(),
            });
        };
        let time = Duration::try_from(to.duration_since(from)).unwrap_or_default();
        let took = when::format_duration(time);
        match why {
            Idle::Wait => Some(format!("waited {took}")),
            _ if time < MOMENT => None,
            Idle::Version => Some(format!("no fitting program ran it for {took}")),
            _ => Some(format!("no process ran it for {took}")),
        }
    }

    fn line(&mut self, at: Timestamp, paint: Paint, (mark, word): (&str, &str), text: &str) {
        let time = self.style.paint(Paint::Dim, &self.time(at));
        let mark = if self.style.terminal { self.style.paint(paint, mark) } else { word.to_owned() };
        // The mark of a start says nothing that its word does not say.
        let text = if self.style.terminal && text.is_empty() { word } else { text };
        self.lines.push(format!("  {time}  {mark} {text}").trim_end().to_owned());
    }

    /// The local time on a terminal, with its day if that is another one; the UTC time in a pipe.
    fn time(&self, at: Timestamp) -> String {
        if !self.style.terminal {
            return at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        }
        let zone = TimeZone::system();
        let is_today = at.to_zoned(zone.clone()).date() == self.now.to_zoned(zone.clone()).date();
        at.to_zoned(zone).strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }
}

fn ending(by: AttemptEnding) -> &'static str {
    match by {
        AttemptEnding::Parked => "began to wait",
        AttemptEnding::HandedOver => "its process stopped and handed it over",
        AttemptEnding::Refused => "this version of the program could not continue it",
        AttemptEnding::Drained => "its process was killed while it stopped",
        AttemptEnding::Left => "its process stopped and cut it off",
        AttemptEnding::Crashed => "its process ended or lost touch",
        AttemptEnding::Outcome => "ended",
    }
}

fn is_trouble(by: AttemptEnding) -> bool {
    matches!(by, AttemptEnding::Crashed | AttemptEnding::Drained | AttemptEnding::Left | AttemptEnding::Refused)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(second: i64) -> String {
        Timestamp::from_second(1_767_225_600 + second).unwrap().to_string()
    }

    /// Its effects, each with how it is known what became of it, a step that failed, and steps that were renamed.
    #[test]
    fn effects_and_failures_are_read_in_words() {
        let row = |kind: &str, ordinal: u16, name: &str, attempt: u32, known_by: Option<&str>| {
            let mut row = json!({
                "kind": "step", "step_kind": kind, "ordinal": ordinal, "name": name, "attempt": attempt,
                "began_at": at(1), "done_at": at(2),
            });
            if let Some(by) = known_by {
                row["known_by"] = json!(by);
            }
            row
        };
        let unfinished = |name: &str, how: &str| {
            json!({
                "kind": "unfinished", "number": 3, "name": name, "how": how, "began_at": at(3), "ended_at": at(33),
                "tries": 5, "error": "The card has expired.",
                "log": [{ "method": "POST", "url": "https://bank.example/charge", "status": 402, "ms": 80 }],
            })
        };
        let mut tolerated = unfinished("greet", "failed");
        tolerated["went_on"] = json!(true);
        let entries: Vec<TimelineEntry> = serde_json::from_value(json!([
            row("intent", 1, "mail", 1, None),
            row("effect", 2, "mail", 1, Some("returned")),
            row("intent", 3, "pay", 1, None),
            row("effect", 4, "pay", 2, Some("returned")),
            row("intent", 5, "book", 2, None),
            row("not_done", 6, "book", 2, Some("request")),
            row("intent", 7, "ship", 2, None),
            unfinished("ship", "unknown"),
            row("intent", 8, "post", 3, None),
            tolerated,
            unfinished("charge", "failed"),
            { "kind": "unasked", "at": at(40), "names": ["image"], "more": 2 },
        ]))
        .unwrap();
        let shown = lines(&entries, &[], at(300).parse().unwrap(), OutputStyle::default());
        let shown: Vec<_> = shown.iter().map(|line| line.replace("  2026-01-01 00:", "")).collect();
        assert_eq!(
            shown,
            [
                "00:01  done mail      1 s",
                "00:02  begun pay  (it was not known whether it was done)",
                "00:01  done pay       1 s  (done again under the same key)",
                "00:02  not done book  (its request was refused, or did not arrive)",
                "00:03  unknown ship  30 s, 5 attempts  (it is not known whether it was done)",
                "        POST https://bank.example/charge  402, 0.1 s",
                "00:02  unknown post  (it is not known whether it was done)",
                "00:03  failed step 3, greet  30 s, 5 attempts, and the task went on  (The card has expired.)",
                "        POST https://bank.example/charge  402, 0.1 s",
                "00:03  failed step 3, charge  30 s, 5 attempts  (The card has expired.)",
                "        POST https://bank.example/charge  402, 0.1 s",
                "00:40  not asked for image and 2 more  (renamed or removed in the program, so the work was done twice or for nothing)",
            ]
        );
    }

    /// A task that was killed, handed over, retried and answered reads right to a stranger.
    #[test]
    fn a_stranger_reads_what_happened() {
        let step = |name: &str, ordinal: u16, from: i64, to: i64, log: Value| {
            json!({
                "kind": "step", "step_kind": "step", "ordinal": ordinal, "name": name, "attempt": 1,
                "began_at": at(from), "done_at": at(to), "log": log,
            })
        };
        let took = |attempt: u32, from: i64, program: &str| json!({ "kind": "attempt_began", "at": at(from), "attempt": attempt, "node": "a", "program": program });
        let gap =
            |from: i64, to: i64, why: &str| json!({ "kind": "unattended", "from": at(from), "to": at(to), "why": why });
        let ended = |attempt: u32, when: i64, by: &str| json!({ "kind": "attempt_ended", "at": at(when), "attempt": attempt, "by": by });
        let tries = json!([
            { "method": "POST", "url": "https://bank.example/charge", "status": 504, "ms": 30000 },
            { "attempt": 1, "error": "The bank did not answer." },
            { "method": "POST", "url": "https://bank.example/charge", "status": 200, "ms": 80 },
        ]);
        let entries: Vec<TimelineEntry> = serde_json::from_value(json!([
            { "kind": "started", "at": at(0) },
            took(1, 0, "v1"),
            step("reserve", 1, 0, 4, json!([{ "documents": ["goods/a", "-goods/b"], "count": 3, "sha256": "5e" }])),
            ended(1, 5, "crashed"),
            gap(5, 43, "process"),
            took(2, 43, "v1"),
            step("charge", 2, 44, 75, tries),
            ended(2, 76, "parked"),
            gap(76, 198, "wait"),
            took(3, 198, "v1"),
            ended(3, 199, "handed_over"),
            took(4, 200, "v2"),
            ended(4, 200, "refused"),
            gap(200, 260, "version"),
            took(5, 260, "v3"),
            { "kind": "ended", "at": at(261), "state": "failed", "code": "TASK_FAILED" },
        ]))
        .unwrap();
        let shown = lines(&entries, &[], at(300).parse().unwrap(), OutputStyle::default());
        let shown: Vec<_> = shown.iter().map(|line| line.replace("  2026-01-01 00:", "")).collect();
        assert_eq!(
            shown,
            [
                "00:00  started",
                "00:00  attempt 1 on a: began",
                "00:00  done reserve      4 s",
                "        wrote goods/a, deleted goods/b, 1 more document",
                "00:05  gap its process ended or lost touch; no process ran it for 38 s",
                "00:43  attempt 2 on a: went on, 1 step kept",
                "00:44  done charge      31 s  after 2 failures",
                "        POST https://bank.example/charge  504, 30 s",
                "        attempt 1 failed: The bank did not answer.",
                "        POST https://bank.example/charge  200, 0.1 s",
                "01:16  gap waited 2 min 2 s",
                "03:18  attempt 3 on a: went on, 2 steps kept",
                "03:19  gap its process stopped and handed it over",
                "03:20  attempt 4 on a, another version of the program: went on, 2 steps kept",
                "03:20  gap this version of the program could not continue it; no fitting program ran it for 1 min 0 s",
                "04:20  attempt 5 on a, another version of the program: went on, 2 steps kept",
                "04:21  ended failed (TASK_FAILED)",
            ]
        );
    }
}
