//! Cron lines: whether each of the five fields can ever match.
//!
//! Owns ranges, steps and names of months and weekdays. A line that is not five fields is the
//! table's business, not this one's.

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

struct FieldRange {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const FIELDS: [FieldRange; 5] = [
    FieldRange { name: "minute", low: 0, high: 59, names: &[] },
    FieldRange { name: "hour", low: 0, high: 23, names: &[] },
    FieldRange { name: "day of the month", low: 1, high: 31, names: &[] },
    FieldRange { name: "month", low: 1, high: 12, names: MONTHS },
    FieldRange { name: "day of the week", low: 0, high: 7, names: DAYS },
];

/// What is wrong with the first field that cannot be read.
pub(super) fn fault(line: &str) -> Option<String> {
    if line.starts_with('@') {
        return None;
    }
    line.split_whitespace().zip(&FIELDS).find_map(|(text, field)| {
        text.split(',')
            .find_map(|part| part_fault(part, field))
            .map(|fault| format!("its {} `{text}` {fault}", field.name))
    })
}

fn part_fault(part: &str, field: &FieldRange) -> Option<String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step
        && step.parse::<u32>().ok().is_none_or(|step| !(1..=field.high).contains(&step))
    {
        return Some(format!("has a step that is not from 1 to {}", field.high));
    }
    if range == "*" {
        return None;
    }
    let (from, to) = range.split_once('-').map_or((range, None), |(from, to)| (from, Some(to)));
    let bounds = format!("is not within {} to {}", field.low, field.high);
    let Some(from) = value(from, field) else { return Some(bounds) };
    match to.map(|to| value(to, field)) {
        Some(None) => Some(bounds),
        Some(Some(to)) if to < from => Some("ends before it begins".to_owned()),
        _ => None,
    }
}

fn value(text: &str, field: &FieldRange) -> Option<u32> {
    let named = field.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = match named {
        Some(at) => u32::try_from(at).ok()? + field.low,
        None => text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??,
    };
    (field.low..=field.high).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn lines_that_can_match_pass_and_others_are_named() {
        for good in ["0 9 * * *", "*/5 * * * *", "0-30/10 0,12 1-15 jan-MAR mon-fri", "0 0 31 12 7", "@daily"] {
            assert_eq!(fault(good), None, "{good}");
        }
        let bad = [
            ("a b c d e", "its minute `a` is not within 0 to 59"),
            ("60 * * * *", "its minute `60` is not within 0 to 59"),
            ("0 24 * * *", "its hour `24` is not within 0 to 23"),
            ("0 0 0 * *", "its day of the month `0` is not within 1 to 31"),
            ("0 0 * 13 *", "its month `13` is not within 1 to 12"),
            ("0 0 * * 8", "its day of the week `8` is not within 0 to 7"),
            ("*/0 * * * *", "its minute `*/0` has a step that is not from 1 to 59"),
            ("30-10 * * * *", "its minute `30-10` ends before it begins"),
            ("1, * * * *", "its minute `1,` is not within 0 to 59"),
        ];
        for (line, text) in bad {
            assert_eq!(fault(line).as_deref(), Some(text), "{line}");
        }
    }
}
