//! Reads cron lines and decides whether a line ever matches (M23).
//!
//! Accepts the same lines as croniter, which runs the timetables on the reference's platform: besides the
//! usual forms, ranges that wrap (`22-6`, `fri-mon`), `?`, `L`, `15W`, `1#2` and `L5`. A line matches a day if
//! the day of the month or the weekday matches. A week of the month (`1#2`) and a nearest weekday (`15W`) are
//! stricter: they must match in any case. `fields` checks that there are five fields.

#[cfg(feature = "check")]
use crate::grammar;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The most days that each month has.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The result of reading a timetable.
#[cfg(feature = "check")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Runs,
    /// The line never matches, for this reason.
    Never(String),
    /// The first invalid field and its fault.
    Unreadable(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) low: u32,
    pub(crate) high: u32,
    pub(crate) names: &'static [&'static str],
}

pub(crate) const FIELDS: [Field; 5] = [
    Field { kind: Kind::Minute, name: "minute", low: 0, high: 59, names: &[] },
    Field { kind: Kind::Hour, name: "hour", low: 0, high: 23, names: &[] },
    Field { kind: Kind::Day, name: "day of the month", low: 1, high: 31, names: &[] },
    Field { kind: Kind::Month, name: "month", low: 1, high: 12, names: MONTHS },
    Field { kind: Kind::Weekday, name: "day of the week", low: 0, high: 6, names: DAYS },
];

/// The values of a field.
#[derive(Default)]
pub(crate) struct Values {
    /// Whether the field counts as every value: it contains `*`, or is `?` or a random time.
    pub(crate) any: bool,
    /// One bit per value.
    pub(crate) bits: u64,
    /// The weekdays that have a week of the month, one bit each.
    nth: u64,
    /// These weeks, one bit each. The lowest bit is the last week.
    weeks: u8,
    /// Whether the field contains the last day of the month (`L`).
    last: bool,
    /// Whether the field is a nearest weekday (`15W`).
    nearest: bool,
}

impl Values {
    pub(crate) fn contains(&self, value: u32) -> bool {
        self.any || self.bits & (1 << value) != 0
    }
}

/// Reads a cron line.
#[cfg(feature = "check")]
pub(crate) fn judge(line: &str) -> Verdict {
    if line.starts_with('@') {
        return Verdict::Runs;
    }
    let lower = line.to_ascii_lowercase();
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    let texts: Vec<&str> = lower.split(blank).filter(|text| !text.is_empty()).collect();
    if texts.len() != FIELDS.len() {
        let fault = "its fields are separated by other characters than spaces and tabs".to_owned();
        return if grammar::is_cron_line(line) { Verdict::Unreadable(fault) } else { Verdict::Runs };
    }
    let mut fields = Vec::new();
    for (text, field) in texts.into_iter().zip(&FIELDS) {
        match read(text, field) {
            Ok(values) => fields.push(values),
            Err(fault) => return Verdict::Unreadable(format!("its {} `{text}` {fault}", field.name)),
        }
    }
    let [_, _, days, months, weekdays] = fields.as_slice() else { return Verdict::Runs };
    never(days, months, weekdays).map_or(Verdict::Runs, Verdict::Never)
}

/// The reason if no day of any year matches.
pub(crate) fn never(days: &Values, months: &Values, weekdays: &Values) -> Option<String> {
    let weekend = 1 | 1 << 6;
    if days.nearest && !weekdays.any && weekdays.bits & !weekend == 0 {
        return Some("the nearest weekday is never on a weekend".to_owned());
    }
    // A plain weekday always matches some day.
    if days.any || (weekdays.weeks == 0 && (days.last || days.nearest || !weekdays.any)) {
        return None;
    }
    let in_week = |day: u32, length: u32| {
        let last = weekdays.weeks & 1 != 0 && day + 7 > length;
        weekdays.weeks == 0 || last || weekdays.weeks & (1 << day.div_ceil(7)) != 0
    };
    let on = |day: u32, length: u32| {
        // A nearest weekday is at most two days from the given day.
        let near = days.nearest && (1..=31).any(|of| days.contains(of) && day.abs_diff(of.min(length)) <= 2);
        near || (!days.nearest && days.contains(day)) || (days.last && day == length)
    };
    let lengths = |month: u32, length: u32| if month == 2 { 28..=length } else { length..=length };
    let matches = (1..=12).zip(LENGTHS).any(|(month, most)| {
        months.contains(month)
            && lengths(month, most).any(|length| (1..=length).any(|day| on(day, length) && in_week(day, length)))
    });
    if matches {
        return None;
    }
    if days.last {
        return Some("the last day of its months is never in those weeks".to_owned());
    }
    let first = days.bits.trailing_zeros();
    let week = if weekdays.weeks == 0 { "" } else { " in that week" };
    Some(format!("none of its months has a day {first}{week}"))
}

pub(crate) type Read<T> = Result<T, String>;

pub(crate) fn read(text: &str, field: &Field) -> Read<Values> {
    if let Some(random) = random(text, field) {
        return random;
    }
    if text.contains('?') {
        return match field.kind {
            Kind::Day | Kind::Weekday if text == "?" => Ok(Values { any: true, ..Values::default() }),
            Kind::Day | Kind::Weekday => Err("has a `?` that is not alone".to_owned()),
            _ => Err("has a `?`, which is for days only".to_owned()),
        };
    }
    let mut values = Values::default();
    let parts: Vec<&str> = text.split(',').collect();
    for part in &parts {
        if let Some(day) = nearest(part, field) {
            if parts.len() > 1 {
                return Err("has a `W` that is not alone".to_owned());
            }
            values.bits |= 1 << within(day, field)?;
            values.nearest = true;
        } else {
            add(part, field, &mut values)?;
        }
    }
    let plain = values.bits & !values.nth;
    if values.nth != 0 && plain != 0 && values.bits.count_ones() != 7 {
        return Err("mixes weekdays with those of a week of the month (`1#2`)".to_owned());
    }
    Ok(values)
}

/// `15w` or `w15`: the weekday nearest to that day.
fn nearest(part: &str, field: &Field) -> Option<u32> {
    if field.kind != Kind::Day {
        return None;
    }
    number(part.strip_suffix('w').or_else(|| part.strip_prefix('w'))?)
}

/// `r` or `r(0-10)`, with an optional `/5`: a random time. With `h` instead of `r`, croniter derives the time
/// from an id, which a manifest does not have.
fn random(text: &str, field: &Field) -> Option<Read<Values>> {
    let (kind, rest) = text.split_at_checked(1)?;
    if !matches!(kind, "r" | "h") {
        return None;
    }
    let (range, rest) = match rest.strip_prefix('(') {
        Some(inner) => {
            let (range, rest) = inner.split_once(')')?;
            let (from, to) = range.split_once('-')?;
            (Some((number(from)?, number(to)?)), rest)
        }
        None => (None, rest),
    };
    let step = match rest.strip_prefix('/') {
        Some(step) => Some(number(step)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let (from, to) = range.unwrap_or((field.low, field.high));
    let values = || -> Read<Values> {
        if kind == "h" {
            return Err("needs an id, which a manifest does not have; use `R` or a number".to_owned());
        }
        if range.is_some() && from >= to {
            return Err("ends before it begins".to_owned());
        }
        within(weekday_zero(from, field), field)?;
        within(weekday_zero(to, field), field)?;
        if step == Some(0) {
            return Err("has a step of 0".to_owned());
        }
        Ok(Values { any: true, ..Values::default() })
    };
    Some(values())
}

fn add(part: &str, field: &Field, values: &mut Values) -> Read<()> {
    let (part, weeks) = if field.kind == Kind::Weekday { week_of_month(part)? } else { (part, 0) };
    let bits = if part == "*" {
        values.any = true;
        0
    } else if part == "l" && field.kind == Kind::Day {
        values.last = true;
        0
    } else if let Some((from, to, step, is_range)) = range(part, field)? {
        span(from, to, step, is_range, field)?
    } else {
        1 << within(weekday_zero(value(part, field)?, field), field)?
    };
    values.bits |= bits;
    if weeks != 0 {
        values.nth |= bits;
        values.weeks |= weeks;
    }
    Ok(())
}

/// A weekday and the bit of its week of the month: `1#2` is the second Monday, `l5` the last Friday.
fn week_of_month(part: &str) -> Read<(&str, u8)> {
    if let Some(day) = part.strip_prefix('l').filter(|day| number(day).is_some()) {
        return Ok((day, 1));
    }
    let Some((day, week)) = part.split_once('#').filter(|(_, week)| number(week).is_some()) else {
        return Ok((part, 0));
    };
    let Some(week @ 1..=5) = number(week) else {
        return Err("has a week that is not from 1 to 5".to_owned());
    };
    let is_range = day.split_once('-').is_some_and(|(from, to)| [from, to].iter().all(|day| DAYS.contains(day)));
    if day.contains(['-', '/', '*']) && !is_range {
        return Err("has a week of the month without a single weekday".to_owned());
    }
    Ok((day, 1 << week))
}

/// `from-to`, `from-to/step`, `from/step` and `*/step`. The last value says whether the range has an end.
fn range(part: &str, field: &Field) -> Read<Option<(u32, u32, u32, bool)>> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => {
            let step = number(step).ok_or("has a step that is not a number")?;
            if step == 0 {
                return Err("has a step of 0".to_owned());
            }
            (range, Some(step))
        }
        None => (part, None),
    };
    if range == "*" {
        return Ok(Some((field.low, field.high, step.unwrap_or(1), true)));
    }
    let whole = |from: &str, to: &str| -> Read<(u32, u32)> {
        let to = if to == "l" && field.kind == Kind::Day { field.high } else { value(to, field)? };
        Ok((weekday_zero(value(from, field)?, field), weekday_zero(to, field)))
    };
    match (range.split_once('-'), step) {
        (Some((from, to)), step) => {
            let (from, to) = whole(from, to)?;
            Ok(Some((from, to, step.unwrap_or(1), true)))
        }
        (None, Some(step)) => Ok(Some((weekday_zero(value(range, field)?, field), field.high, step, false))),
        (None, None) => Ok(None),
    }
}

/// Every `step`th value of a range, which may wrap at the end of the field. A range with equal ends means the
/// whole field.
fn span(from: u32, to: u32, step: u32, is_range: bool, field: &Field) -> Read<u64> {
    if from.max(to) > field.high {
        return Err(outside(field));
    }
    let (from, to) = if from == to && is_range { (field.low, field.high) } else { (from, to) };
    within(from, field)?;
    let all: Vec<u32> =
        if from <= to { (from..=to).collect() } else { (from..=field.high).chain(field.low..=to).collect() };
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok(all.into_iter().step_by(step).fold(0, |bits, value| bits | (1 << value)))
}

fn outside(field: &Field) -> String {
    let high = if field.kind == Kind::Weekday { 7 } else { field.high };
    format!("is not within {} to {high}", field.low)
}

fn within(value: u32, field: &Field) -> Read<u32> {
    if (field.low..=field.high).contains(&value) { Ok(value) } else { Err(outside(field)) }
}

/// Changes the weekday 7 to 0: both mean Sunday.
fn weekday_zero(value: u32, field: &Field) -> u32 {
    if field.kind == Kind::Weekday && value == 7 { 0 } else { value }
}

/// A number or a name of the field.
pub(crate) fn value(text: &str, field: &Field) -> Read<u32> {
    let named = field.names.iter().position(|name| *name == text).and_then(|at| u32::try_from(at).ok());
    named.map(|at| at + field.low).or_else(|| number(text)).ok_or_else(|| outside(field))
}

/// Reads a number of ASCII digits. A number above `u32::MAX` becomes `u32::MAX`.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(all(test, feature = "check"))]
mod tests {
    use super::{Verdict, judge};

    #[test]
    fn accepts_lines_that_croniter_runs() {
        for line in [
            "0 9 * * *",
            "*/5 * * * *",
            "0-30/10 0,12 1-15 jan-MAR mon-fri",
            "0 0 31 12 7",
            "@daily",
            "0 0 L * *",
            "0 0 1,L * ?",
            "0 22-6 * * fri-mon",
            "0 0 ? * 1#2",
            "0 0 * * L5",
            "0 0 15W * *",
            "0 0 * nov-feb mon-fri#1",
            "30-10 * * * *",
            "59/7 * * * *",
            "0 0 30 2 1",
            "R R(0-6) * * *",
        ] {
            assert_eq!(judge(line), Verdict::Runs, "{line}");
        }
    }

    #[test]
    fn a_day_outside_all_months_never_matches() {
        for line in
            ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30,31 feb ?", "0 0 31/2 2 *", "0 0 29 * mon#1", "0 0 15W * sun"]
        {
            assert!(matches!(judge(line), Verdict::Never(_)), "{line}: {:?}", judge(line));
        }
        assert_eq!(judge("0 0 30 2 *"), Verdict::Never("none of its months has a day 30".to_owned()));
        for line in ["0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 2 0-6", "0 0 L 2 *", "0 0 31W 2 *", "0 0 8 * mon#2"] {
            assert_eq!(judge(line), Verdict::Runs, "{line}");
        }
    }

    #[test]
    fn names_the_invalid_field() {
        let bad = [
            ("a b c d e", "its minute `a` is not within 0 to 59"),
            ("60 * * * *", "its minute `60` is not within 0 to 59"),
            ("0 24 * * *", "its hour `24` is not within 0 to 23"),
            ("0 0 0 * *", "its day of the month `0` is not within 1 to 31"),
            ("0 0 * 13 *", "its month `13` is not within 1 to 12"),
            ("0 0 * * 8", "its day of the week `8` is not within 0 to 7"),
            ("*/0 * * * *", "its minute `*/0` has a step of 0"),
            ("1, * * * *", "its minute `1,` is not within 0 to 59"),
            ("? * * * *", "its minute `?` has a `?`, which is for days only"),
            ("0 0 1,15W * *", "its day of the month `1,15w` has a `W` that is not alone"),
            ("0 0 * * 1#6", "its day of the week `1#6` has a week that is not from 1 to 5"),
            ("H * * * *", "its minute `h` needs an id, which a manifest does not have; use `R` or a number"),
        ];
        for (line, text) in bad {
            assert_eq!(judge(line), Verdict::Unreadable(text.to_owned()), "{line}");
        }
    }
}
