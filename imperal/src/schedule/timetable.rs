//! When something is due next.
//!
//! A time on the wall that a clock change skips is due at the first moment after the change; one that comes twice is
//! due the first time. Two times of an expression that fall onto one moment are one. The next time is always after the
//! one before, whatever the clock says.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::{InvalidSchedule, words, zone};

/// The shortest interval of a schedule of a user.
pub(crate) const SHORTEST: Duration = Duration::from_secs(300);
/// The longest interval.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// More missed times than this are not counted one by one.
const MOST_COUNTED: u64 = 20_000;
/// A schedule has no time if none comes within this number of steps.
const MOST_STEPS: usize = 4_000;

/// Times at which something repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// A cron expression: `0 8 * * 1-5`, `@daily`. Five fields (minute, hour, day, month, weekday) or a nickname.
    Cron(String),
    /// The elapsed time from one to the next, in seconds.
    EverySeconds(u64),
}

impl When {
    /// A cron expression: `0 8 * * 1-5`, `@daily`.
    pub fn cron(expression: impl Into<String>) -> Self {
        Self::Cron(expression.into())
    }

    /// The elapsed time from one to the next; whole seconds count.
    pub fn every(interval: Duration) -> Self {
        Self::EverySeconds(interval.as_secs())
    }
}

/// A moment at which something is due, and the missed ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// The latest time that is due.
    pub(crate) at: Timestamp,
    /// Times before it that are due too.
    pub(crate) missed: u64,
}

/// A clock change, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClockNote {
    /// When the clocks change.
    #[schemars(with = "String")]
    pub(crate) at: Timestamp,
    /// The effect on the times.
    pub(crate) text: String,
}

#[derive(Debug, Clone)]
enum Rule {
    Cron(Box<Expression>),
    Every { seconds: i64, from: Timestamp },
}

/// The times of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    rule: Rule,
    zone: TimeZone,
    zone_name: String,
}

/// Refuses an interval that is too short or too long.
pub(crate) fn check_interval(seconds: u64) -> Result<(), InvalidSchedule> {
    if (SHORTEST.as_secs()..=LONGEST.as_secs()).contains(&seconds) {
        return Ok(());
    }
    let text = format!(
        "invalid every_seconds {seconds}; use {} (5 minutes) to {} (366 days)",
        SHORTEST.as_secs(),
        LONGEST.as_secs()
    );
    Err(InvalidSchedule::new("every_seconds", text))
}

/// The moment from which an interval counts: whole seconds, so that its times read well, and not before its chosen start.
pub(crate) fn start_of_interval(starts_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let at = starts_at.unwrap_or(now);
    let is_within_a_second = starts_at.is_some() && at.subsec_nanosecond() != 0;
    Timestamp::from_second(at.as_second() + i64::from(is_within_a_second)).unwrap_or(at)
}

impl Timetable {
    /// The times of an expression or an interval in a zone. An interval counts from `from`.
    pub(crate) fn new(when: &When, zone: &str, from: Timestamp) -> Result<Self, InvalidSchedule> {
        let (zone, zone_name) = zone::find(zone)?;
        let rule = match when {
            When::Cron(text) => Rule::Cron(Box::new(Expression::parse(text)?)),
            When::EverySeconds(seconds) => {
                check_interval(*seconds)?;
                Rule::Every { seconds: i64::try_from(*seconds).unwrap_or(i64::MAX), from }
            }
        };
        Ok(Self { rule, zone, zone_name })
    }

    /// Refuses times that are too close together for a user's schedule.
    pub(crate) fn check_distance(&self) -> Result<(), InvalidSchedule> {
        match &self.rule {
            Rule::Cron(expression) => expression.check_distance(),
            Rule::Every { .. } => Ok(()),
        }
    }

    /// The zone's name, as the database spells it.
    pub(crate) fn zone_name(&self) -> &str {
        &self.zone_name
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// For people: `every day at 08:00`.
    pub(crate) fn words(&self) -> String {
        match &self.rule {
            Rule::Cron(expression) => words::of_expression(expression),
            Rule::Every { seconds, .. } => words::of_interval(*seconds),
        }
    }

    /// The first time after a moment. `None` if there is none that a calendar can show.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every { seconds, from } => {
                let whole = (after.as_second() - from.as_second()).div_euclid(*seconds);
                let next = from.checked_add(SignedDuration::from_secs((whole + 1).checked_mul(*seconds)?)).ok()?;
                Some(next).filter(|next| *next > after)
            }
            Rule::Cron(expression) if expression.names_times() => self.next_on_the_wall(expression, after),
            Rule::Cron(expression) => {
                let next = expression.next_elapsed(&after.to_zoned(self.zone.clone()))?.timestamp();
                Some(next).filter(|next| *next > after)
            }
        }
    }

    fn next_on_the_wall(&self, expression: &Expression, after: Timestamp) -> Option<Timestamp> {
        let mut wall = self.zone.to_datetime(after);
        for _ in 0..MOST_STEPS {
            wall = expression.next_civil(wall)?;
            let at = self.moment_of(wall)?;
            // The second half of an hour that comes twice, or a time that another one was moved onto.
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// The moment at which the clocks of the zone show a time: the first one, or the first after a gap.
    fn moment_of(&self, wall: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
            AmbiguousOffset::Gap { .. } => {
                let before = ambiguous.earlier().ok()?;
                self.zone.following(before).next().map(|change| change.timestamp())
            }
        }
    }

    /// The latest time that is due now, if the next one was due by now. Times before it are missed.
    pub(crate) fn due(&self, next: Timestamp, now: Timestamp) -> Option<Due> {
        if next > now {
            return None;
        }
        let mut due = Due { at: next, missed: 0 };
        while let Some(later) = self.next_after(due.at).filter(|later| *later <= now) {
            due = Due { at: later, missed: due.missed + 1 };
            if due.missed >= MOST_COUNTED {
                break;
            }
        }
        Some(due)
    }

    /// The clock changes of the zone in the days after a moment, with their effect; at most two.
    pub(crate) fn clock_notes(&self, after: Timestamp, days: i64) -> Vec<ClockNote> {
        let Rule::Cron(expression) = &self.rule else { return Vec::new() };
        if !expression.names_times() {
            return Vec::new();
        }
        let until = after.saturating_add(SignedDuration::from_hours(days * 24)).unwrap_or(Timestamp::MAX);
        let changes = self.zone.following(after).take_while(|change| change.timestamp() < until);
        changes.filter_map(|change| self.note_of(expression, change.timestamp())).take(2).collect()
    }

    fn note_of(&self, expression: &Expression, change: Timestamp) -> Option<ClockNote> {
        let just_before = change.checked_sub(SignedDuration::from_secs(1)).ok()?;
        let forward = self.zone.to_offset(change).seconds() - self.zone.to_offset(just_before).seconds();
        if forward == 0 {
            return None;
        }
        let resumes = self.zone.to_datetime(change);
        let stops = self.zone.to_datetime(just_before).checked_add(SignedDuration::from_secs(1)).ok()?;
        let date = resumes.date();
        let zone = &self.zone_name;
        // The times on the wall that the change skips or repeats.
        let (from, to) = if forward > 0 { (stops, resumes) } else { (resumes, stops) };
        let touched =
            expression.next_civil(from.checked_sub(SignedDuration::from_secs(1)).ok()?).filter(|wall| *wall < to);
        let first = expression.next_civil(
            date.to_datetime(jiff::civil::Time::midnight()).checked_sub(SignedDuration::from_secs(1)).ok()?,
        );
        let clock = |wall: DateTime| format!("{:02}:{:02}", wall.hour(), wall.minute());
        let text = match (touched, first.filter(|first| first.date() == date)) {
            (Some(wall), _) if forward > 0 => format!(
                "On {date} the clocks in {zone} go forward: {} does not exist, it runs at {}.",
                clock(wall),
                clock(resumes)
            ),
            (Some(wall), _) => format!(
                "On {date} the clocks in {zone} go back: {} comes twice, it runs the first time only.",
                clock(wall)
            ),
            (None, Some(first)) => {
                let way = if forward > 0 { "forward" } else { "back" };
                format!("On {date} the clocks in {zone} go {way}: it still runs at {} there.", clock(first))
            }
            (None, None) => return None,
        };
        Some(ClockNote { at: change, text })
    }
}
