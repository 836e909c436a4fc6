//! A schedule as the terminal shows it: its row in the list, and its words.
//!
//! Owns the part of the API's answer that the terminal reads. `--json` prints the answer as it came.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::exit::CliError;
use super::out::{OutputStyle, Paint};
use super::table::{Cell, Table};
use super::when;

/// Characters of the end of an id that the terminal shows.
const SHOWN: usize = 8;
/// Shortest end that names a schedule.
const FEWEST: usize = 4;

/// The part of a schedule that the terminal reads.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Schedule {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) app_id: String,
    pub(super) function: String,
    #[serde(default)]
    pub(super) params: Value,
    #[serde(default)]
    pub(super) when: Value,
    pub(super) zone: String,
    pub(super) words: String,
    pub(super) state: String,
    pub(super) reason: Option<Reason>,
    pub(super) next_at: Option<Timestamp>,
    pub(super) running: Option<Run>,
    pub(super) last_run: Option<Run>,
    #[serde(default)]
    pub(super) counts: Counts,
    pub(super) approval: Option<Approval>,
    pub(super) version: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reason {
    pub(super) text: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    at: Timestamp,
    ended_at: Option<Timestamp>,
    state: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Counts {
    #[serde(default)]
    pub(super) runs: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Approval {
    pub(super) needed: bool,
    pub(super) given: bool,
    pub(super) digest: String,
}

/// A time of a preview.
#[derive(Debug, Deserialize)]
pub(super) struct NextTime {
    pub(super) at: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct Note {
    pub(super) text: String,
}

/// The next runs of a rule, before a schedule is made.
#[derive(Debug, Deserialize)]
pub(super) struct Preview {
    pub(super) words: String,
    pub(super) zone: String,
    pub(super) next: Vec<NextTime>,
    #[serde(default)]
    pub(super) notes: Vec<Note>,
    pub(super) approval: Option<Approval>,
}

/// A schedule of an answer.
pub(super) fn read(answer: &Value) -> Result<Schedule, CliError> {
    Schedule::deserialize(answer)
        .map_err(|error| CliError::new(format!("the platform's answer cannot be read: {error}")))
}

/// The end of an id, as the list shows it.
pub(super) fn short_id(id: &str) -> &str {
    id.char_indices().rev().nth(SHOWN - 1).map_or(id, |(at, _)| &id[at..])
}

/// The schedule with this id, the only one whose id ends so, or the only one of this name.
pub(super) fn choose<'a>(all: &'a [Value], named: &str) -> Result<&'a Value, CliError> {
    let is = |one: &&Value, field: &str| one[field].as_str() == Some(named);
    if let Some(found) = all.iter().find(|one| is(one, "id")) {
        return Ok(found);
    }
    let ends = |one: &&Value| {
        named.len() >= FEWEST && one["id"].as_str().is_some_and(|id| id.ends_with(&named.to_ascii_lowercase()))
    };
    let found: Vec<&Value> = all.iter().filter(|one| is(one, "name") || ends(one)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(CliError::refused(format!("there is no schedule `{named}`; `schedules` shows them"))),
        _ => {
            Err(CliError::refused(format!("several schedules are `{named}`: name one by its id; `schedules` shows it")))
        }
    }
}

/// The rule with its zone. An interval has none: it is elapsed time.
pub(super) fn rule(words: &str, zone: &str, when: &Value) -> String {
    if when["cron"].is_string() { format!("{words} {zone}") } else { words.to_owned() }
}

/// `in 19 h 2 min`, or the UTC time in a pipe.
pub(super) fn until(at: Timestamp, now: Timestamp, style: OutputStyle) -> String {
    if !style.terminal {
        return at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    }
    until_words(at, now)
}

/// `in 19 h 2 min`.
pub(super) fn until_words(at: Timestamp, now: Timestamp) -> String {
    let ahead = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    if ahead.is_zero() { "now".to_owned() } else { format!("in {}", when::format_duration(ahead)) }
}

/// `Sun 29 Nov 08:00 Europe/Berlin`, on the clock of the zone.
pub(super) fn clock_of(at: Timestamp, zone: &str) -> String {
    let (found, name) = match TimeZone::get(zone) {
        Ok(found) => (found, zone),
        Err(_) => (TimeZone::UTC, "UTC"),
    };
    format!("{} {name}", at.to_zoned(found).strftime("%a %-d %b %Y %H:%M"))
}

/// `next Sun 29 Nov 2026 08:00 Europe/Berlin (in 19 h 2 min)`.
pub(super) fn next(at: Timestamp, zone: &str, now: Timestamp) -> String {
    format!("{} ({})", clock_of(at, zone), until_words(at, now))
}

/// The state in a word: what runs now is the first thing to say.
fn state(schedule: &Schedule) -> (&str, Paint) {
    if let Some(run) = &schedule.running {
        return (if run.state == "waiting" { "asks" } else { "running" }, Paint::Cyan);
    }
    match schedule.state.as_str() {
        "active" => ("active", Paint::Green),
        "needs_you" => ("needs you", Paint::Yellow),
        other => (other, Paint::Dim),
    }
}

/// `succeeded 2 h ago, 12 s`.
fn last(run: &Run, style: OutputStyle) -> String {
    let took = run.ended_at.and_then(|end| Duration::try_from(end.duration_since(run.at)).ok());
    let took = took.map_or_else(String::new, |took| format!(", {}", when::format_duration(took)));
    let mark = match run.state.as_str() {
        "succeeded" => "✓",
        "failed" | "interrupted" => "✗",
        state => state,
    };
    format!("{mark} {}{took}", when::format_time(run.at, style))
}

/// The list.
pub(super) fn table(all: &[Schedule], now: Timestamp, style: OutputStyle) -> Table {
    let next_head = if style.terminal { "NEXT" } else { "NEXT (UTC)" };
    let last_head = if style.terminal { "LAST" } else { "LAST (UTC)" };
    let mut table = Table::new(&["ID", "STATE", "WHEN", next_head, last_head, "NAME"]).spare(&["LAST", "NEXT"]);
    for schedule in all {
        let (word, paint) = state(schedule);
        let id = if style.terminal { short_id(&schedule.id) } else { &schedule.id };
        table.add_row([
            Cell::painted(id, Paint::Dim),
            Cell::painted(word, paint),
            Cell::plain(rule(&schedule.words, &schedule.zone, &schedule.when)),
            Cell::plain(schedule.next_at.map_or_else(String::new, |at| until(at, now, style))),
            Cell::plain(schedule.last_run.as_ref().map_or_else(String::new, |run| last(run, style))),
            Cell::plain(&schedule.name),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule(over: &Value) -> Value {
        let mut schedule = json!({
            "id": "01a20482-1178-74f9-8951-cc3b678a7413", "name": "Morning digest", "app_id": "a", "function": "f",
            "params": {}, "when": { "cron": "0 8 * * *" }, "zone": "Europe/Berlin", "words": "every day at 08:00",
            "state": "active", "next_at": "2026-11-29T07:00:00Z", "version": 1, "counts": { "runs": 41 },
            "last_run": { "at": "2026-11-28T07:00:00Z", "ended_at": "2026-11-28T07:00:12Z", "state": "succeeded" },
        });
        for (key, value) in over.as_object().unwrap() {
            schedule[key] = value.clone();
        }
        schedule
    }

    #[test]
    fn row_has_rule_next_and_last_run() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let one = read(&schedule(&json!({}))).unwrap();
        let lines = table(&[one], now, OutputStyle::default()).lines(OutputStyle::default());
        let row = &lines[1];
        assert!(row.contains("active  every day at 08:00 Europe/Berlin  2026-11-29 07:00:00"), "{row}");
        assert!(row.contains("✓ 2026-11-28 07:00:00, 12 s  Morning digest"), "{row}");
        let style = OutputStyle { terminal: true, ..OutputStyle::default() };
        let shown =
            read(&schedule(&json!({ "running": { "at": "2026-11-28T11:00:00Z", "state": "waiting" } }))).unwrap();
        let row = table(&[shown], now, style).lines(style).remove(1);
        assert!(row.starts_with("678a7413  asks") && row.contains("in 19 h 0 min"), "{row}");
    }

    #[test]
    fn schedules_are_named_by_id_end_or_name() {
        let other = schedule(&json!({ "id": "01a20482-1178-74f9-8951-cc3b678a0000", "name": "Other" }));
        let all = [schedule(&json!({})), other];
        let named = |name: &str| choose(&all, name).map(|one| one["name"].as_str().unwrap().to_owned());
        assert_eq!(named("Other").unwrap(), "Other");
        assert_eq!(named("678A7413").unwrap(), "Morning digest");
        assert!(named("413").unwrap_err().text.contains("there is no schedule `413`"));
        assert!(choose(&[all[0].clone(), all[0].clone()], "Morning digest").unwrap_err().text.contains("several"));
    }

    #[test]
    fn times_are_on_the_clock_of_their_zone() {
        let at = "2026-11-29T07:00:00Z".parse().unwrap();
        assert_eq!(clock_of(at, "No/Such"), "Sun 29 Nov 2026 07:00 UTC");
        assert_eq!(rule("every 2 hours", "UTC", &json!({ "every_seconds": 7200 })), "every 2 hours");
    }
}
