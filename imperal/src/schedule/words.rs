//! Timetables for people, in English: "every weekday at 08:00".

use super::expression::Expression;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// "every 2 hours".
pub(super) fn of_interval(seconds: i64) -> String {
    let (count, unit) = match seconds {
        _ if seconds % 86_400 == 0 => (seconds / 86_400, "day"),
        _ if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        _ if seconds % 60 == 0 => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if unit == "day" {
        // An interval is elapsed time: over a clock change it is not the same time of the day.
        return of_hours(count * 24);
    }
    if count == 1 { format!("every {unit}") } else { format!("every {count} {unit}s") }
}

fn of_hours(count: i64) -> String {
    format!("every {count} hours")
}

/// Words for the usual shapes, and `croner`'s for all others.
pub(super) fn of_expression(expression: &Expression) -> String {
    usual(expression).unwrap_or_else(|| {
        let text = expression.describe();
        let mut chars = text.trim_end_matches('.').chars();
        chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
    })
}

fn usual(expression: &Expression) -> Option<String> {
    let [minute, hour, day, month, weekday] = expression.fields();
    let days = match (day, month, weekday) {
        ("*", "*", "*") => None,
        ("*", "*", days) => Some(of_weekdays(days)?),
        (day, "*", "*") => Some(format!("on {} of every month", of_days(day)?)),
        _ => return None,
    };
    let when = |rest: String| match &days {
        None => rest,
        Some(days) => format!("{rest}, {days}"),
    };
    if let Some(step) = minute.strip_prefix("*/") {
        let step: u8 = step.parse().ok().filter(|step| 60 % step == 0)?;
        return (hour == "*").then(|| when(format!("every {step} minutes")));
    }
    let minute: u8 = minute.parse().ok()?;
    if hour == "*" {
        return Some(when(if minute == 0 {
            "every hour".to_owned()
        } else {
            format!("every hour at minute {minute}")
        }));
    }
    if let Some(step) = hour.strip_prefix("*/") {
        let step: u8 = step.parse().ok().filter(|step| *step > 1 && 24 % step == 0)?;
        let at = if minute == 0 { String::new() } else { format!(" at minute {minute}") };
        return Some(when(format!("every {step} hours{at}")));
    }
    let times: Vec<String> = hour
        .split(',')
        .map(|hour| Some(format!("{:02}:{minute:02}", hour.parse::<u8>().ok()?)))
        .collect::<Option<_>>()?;
    let times = and(&times);
    Some(match days {
        None => format!("every day at {times}"),
        Some(days) => format!("{days} at {times}"),
    })
}

fn of_weekdays(field: &str) -> Option<String> {
    if matches!(field, "1-5" | "MON-FRI") {
        return Some("every weekday".to_owned());
    }
    let day = |name: &str| {
        let by_name = DAYS.iter().position(|day| day[..3].eq_ignore_ascii_case(name));
        let number = by_name.or_else(|| name.parse::<usize>().ok().map(|day| day % 7))?;
        DAYS.get(number).map(|day| (*day).to_owned())
    };
    let days: Vec<String> = field.split(',').map(day).collect::<Option<_>>()?;
    Some(format!("every {}", and(&days)))
}

fn of_days(field: &str) -> Option<String> {
    let days: Vec<String> =
        field.split(',').map(|day| day.parse::<u8>().ok().map(|day| day.to_string())).collect::<Option<_>>()?;
    Some(format!("{} {}", if days.len() == 1 { "day" } else { "days" }, and(&days)))
}

fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
