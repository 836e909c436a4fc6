//! Cron lines that every reader understands in one way: what `#[schedule]` accepts.
//!
//! A part of what `cron` reads. The platform's own reader accepts all of it, with the same times.

use crate::cron::{FIELDS, Field, Kind, Read, Values, never, read, value};

/// Nicknames with one meaning in every reader.
const NICKNAMES: [&str; 6] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];

/// The shortest distance of two times of a plain line, in minutes.
const SHORTEST: u32 = 5;

/// Accepts a cron line that every reader understands in one way, and that has a time: five fields of numbers, names, `*`,
/// ranges, steps and lists, or a nickname. Its times are at least 5 minutes apart.
///
/// # Errors
/// The first fault with its remedy, as a part of a sentence.
pub fn check_plain_cron(line: &str) -> Result<(), String> {
    let line = line.trim();
    if line.starts_with('@') {
        let is_known = NICKNAMES.contains(&line);
        return if is_known { Ok(()) } else { Err(format!("the nicknames are {}", NICKNAMES.join(", "))) };
    }
    let lower = line.to_ascii_lowercase();
    let texts: Vec<&str> = lower.split(' ').filter(|text| !text.is_empty()).collect();
    if texts.len() != FIELDS.len() {
        return Err(format!(
            "it has {} fields; use five, minute hour day month weekday, as in `0 8 * * 1-5`",
            texts.len()
        ));
    }
    let mut fields = Vec::new();
    for (text, field) in texts.iter().zip(&FIELDS) {
        let values = plain_field(text, field).and_then(|()| read(text, field));
        fields.push(values.map_err(|fault| format!("its {} `{text}` {fault}", field.name))?);
    }
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return Ok(()) };
    if let Some(why) = never(days, months, weekdays) {
        return Err(format!("it never runs, because {why}"));
    }
    check_distance(minutes, hours)
}

/// Whether a field has the plain forms alone.
fn plain_field(text: &str, field: &Field) -> Read<()> {
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        if range == "*" {
            if step.is_none() && text != "*" {
                return Err("has a `*` in a list; write `*` alone".to_owned());
            }
            continue;
        }
        let (from, to) = range.split_once('-').map_or((range, None), |(from, to)| (from, Some(to)));
        let from = value(from, field).map_err(|_| unclear(field))?;
        match (to.map(|to| value(to, field).map_err(|_| unclear(field))).transpose()?, step) {
            (None, Some(_)) => return Err("has a step without a range; write `*/5` or `10-59/5`".to_owned()),
            (Some(to), _) if from >= to => {
                return Err("has a range that does not rise; write two, such as `22-23,0-6`".to_owned());
            }
            (Some(7), _) => return Err("has a range up to 7; write `0` for Sunday beside it".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

fn unclear(field: &Field) -> String {
    let high = if field.kind == Kind::Weekday { 7 } else { field.high };
    let names = if field.names.is_empty() { "" } else { " or their names" };
    format!("is not a number, `*`, range, step or list; use values from {} to {high}{names}", field.low)
}

/// Refuses times that are less than 5 minutes apart.
fn check_distance(minutes: &Values, hours: &Values) -> Result<(), String> {
    let fault = || {
        Err("it has times that are less than 5 minutes apart; use at most 12 minutes of an hour, as in `*/5 * * * *`"
            .to_owned())
    };
    if minutes.any && minutes.bits == 0 {
        return fault();
    }
    let all: Vec<u32> = (0..60).filter(|minute| minutes.bits & (1 << minute) != 0).collect();
    let is_close = all.windows(2).any(|pair| matches!(pair, [one, next] if next - one < SHORTEST));
    let hour_after = |hour: u32| hours.contains((hour + 1) % 24) && hours.contains(hour);
    let wraps = matches!((all.first(), all.last()), (Some(first), Some(last)) if first + 60 - last < SHORTEST);
    if is_close || (wraps && (0..24).any(hour_after)) { fault() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::check_plain_cron;

    #[test]
    fn plain_lines_have_one_meaning() {
        for line in [
            "0 3 * * *",
            "*/5 * * * *",
            "0,30 8-18/2 * * mon-fri",
            "15 22-23,0-6 1,15 jan,jul *",
            "59 0 * * 7",
            "0 0 29 2 *",
            "57,2 8,10 * * *",
            "@daily",
            " 0 3 * * * ",
        ] {
            assert_eq!(check_plain_cron(line), Ok(()), "{line}");
        }
        for (line, wanted) in [
            ("", "it has 0 fields"),
            ("0 3 * *", "it has 4 fields; use five"),
            ("0 0 3 * * *", "it has 6 fields"),
            ("@reboot", "the nicknames are @hourly"),
            ("@midnight", "the nicknames are"),
            ("60 * * * *", "its minute `60` is not within 0 to 59"),
            ("0 25 * * *", "its hour `25` is not within 0 to 23"),
            ("0 x * * *", "its hour `x` is not a number, `*`, range, step or list; use values from 0 to 23"),
            ("0 0 L * *", "its day of the month `l` is not a number"),
            ("0 0 15W * *", "its day of the month `15w` is not a number"),
            (
                "0 0 * * 1#2",
                "its day of the week `1#2` is not a number, `*`, range, step or list; use values from 0 to 7 or",
            ),
            ("0 0 ? * *", "its day of the month `?` is not a number"),
            ("R R * * *", "its minute `r` is not a number"),
            ("0 * 1-2,* * *", "its day of the month `1-2,*` has a `*` in a list"),
            ("5/10 * * * *", "its minute `5/10` has a step without a range"),
            ("0 22-6 * * *", "its hour `22-6` has a range that does not rise"),
            ("*/0 * * * *", "its minute `*/0` has a step of 0"),
            ("0 0 * * 1-7", "its day of the week `1-7` has a range up to 7"),
            ("0 0 30 2 *", "it never runs, because none of its months has a day 30"),
            ("* * * * *", "less than 5 minutes apart"),
            ("*/4 * * * *", "less than 5 minutes apart"),
            ("0,3 8 * * *", "less than 5 minutes apart"),
            ("58,0 * * * *", "less than 5 minutes apart"),
            ("0\u{a0}3 * * *", "it has 4 fields"),
        ] {
            let fault = check_plain_cron(line).err().unwrap_or_default();
            assert!(fault.contains(wanted), "{line:?}: {fault:?}");
        }
    }
}
