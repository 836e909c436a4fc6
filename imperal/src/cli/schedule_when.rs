//! When a schedule runs, as a person types it: `every day 08:00 Europe/Berlin`, `weekday 02:30`, `every 2 hours`, or a cron
//! expression.
//!
//! Owns the words and what they mean as a cron expression or an interval. Which times that gives, and whether the zone
//! exists, is the platform's answer.

use serde_json::{Value, json};

use super::exit::CliError;

const EXAMPLES: &str = "use 'every day 08:00', 'weekday 07:30', 'monday,friday 09:00', 'month 1 08:00', 'every 2 hours' or \
                        a cron expression such as '0 8 * * 1-5', with a zone such as Europe/Berlin behind it";

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The times of a schedule as the API takes them.
#[derive(Debug, PartialEq)]
pub(super) struct WhenText {
    /// `{"cron": ".."}` or `{"every_seconds": n}`.
    pub(super) when: Value,
    /// The zone behind the times, if one is there.
    pub(super) zone: Option<String>,
}

/// Reads the words.
pub(super) fn parse(text: &str) -> Result<WhenText, CliError> {
    let fault = |why: &str| CliError::usage(format!("invalid times `{text}`: {why}")).hint(EXAMPLES.to_owned());
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let zone = words.last().copied().filter(|word| is_zone(word)).map(str::to_owned);
    if zone.is_some() {
        words.pop();
    }
    let when = match words.as_slice() {
        [] => return Err(fault("nothing says when")),
        [nickname] if nickname.starts_with('@') => json!({ "cron": nickname }),
        [_, _, _, _, _] if words[0].starts_with(|c: char| c.is_ascii_digit() || c == '*') => {
            json!({ "cron": words.join(" ") })
        }
        _ => in_words(&words).map_err(|why| fault(&why))?,
    };
    Ok(WhenText { when, zone })
}

/// `Europe/Berlin` and `UTC`; not `*/5`, the last field of an expression.
fn is_zone(word: &str) -> bool {
    word.eq_ignore_ascii_case("utc")
        || (word.contains('/') && word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains(','))
}

fn in_words(words: &[&str]) -> Result<Value, String> {
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let filler = |word: &&String| !matches!(word.as_str(), "at" | "on" | "the" | "and");
    let mut rest: Vec<&str> = lower.iter().filter(filler).map(String::as_str).collect();
    if rest.first() == Some(&"every") {
        rest.remove(0);
        if let Some(interval) = interval(&rest)? {
            return Ok(json!({ "every_seconds": interval }));
        }
    }
    let (days, times) = match rest.as_slice() {
        ["day" | "daily", times @ ..] => ("* * *".to_owned(), times),
        ["weekday" | "weekdays", times @ ..] => ("* * 1-5".to_owned(), times),
        ["weekend" | "weekends", times @ ..] => ("* * 6,0".to_owned(), times),
        ["month" | "monthly", day, times @ ..] => (format!("{} * *", day_of_month(day)?), times),
        [days, times @ ..] => (format!("* * {}", weekdays(days)?), times),
        [] => return Err("nothing says when".to_owned()),
    };
    Ok(json!({ "cron": format!("{} {days}", clock_fields(times)?) }))
}

/// The seconds of `2 hours`, `30 min`, `hour`; `None` if it is something else, such as `day 08:00`.
fn interval(words: &[&str]) -> Result<Option<u64>, String> {
    let (number, unit) = match words {
        [number, unit] if number.bytes().all(|b| b.is_ascii_digit()) => (*number, *unit),
        [unit @ ("hour" | "minute")] => ("1", *unit),
        _ => return Ok(None),
    };
    let seconds = match unit.trim_end_matches('s') {
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3_600,
        "d" | "day" => 86_400,
        other => return Err(format!("`{other}` is not minutes, hours or days")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{number}` is too large"))?;
    number.checked_mul(seconds).map(Some).ok_or_else(|| format!("`{number}` is too large"))
}

fn day_of_month(text: &str) -> Result<u8, String> {
    let digits = text.trim_end_matches(['.', 't', 'h', 's', 'n', 'd', 'r']);
    digits
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day))
        .ok_or_else(|| format!("`{text}` is not a day of the month, 1 to 31"))
}

/// `monday,fri` as `1,5`.
fn weekdays(text: &str) -> Result<String, String> {
    let number = |word: &str| {
        let begun = word.trim_end_matches('s');
        DAYS.iter().position(|day| word.len() >= 3 && day.starts_with(begun))
    };
    let numbers: Option<Vec<String>> =
        text.split(',').filter(|word| !word.is_empty()).map(|word| Some(number(word)?.to_string())).collect();
    numbers
        .filter(|numbers| !numbers.is_empty())
        .map(|numbers| numbers.join(","))
        .ok_or_else(|| format!("`{text}` is not a day, a weekday or a cron expression"))
}

/// Minute and hours of `08:00,20:00`. One expression has one list of minutes for all its hours.
fn clock_fields(words: &[&str]) -> Result<String, String> {
    let (mut minutes, mut hours) = (Vec::new(), Vec::new());
    for word in words.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()) {
        let time = word.split_once(':').and_then(|(hour, minute)| {
            let is_number = |text: &str| text.len() < 3 && text.bytes().all(|b| b.is_ascii_digit());
            let part = |text: &str, below: u8| text.parse().ok().filter(|part: &u8| *part < below && is_number(text));
            Some((part(hour, 24)?, part(minute, 60).filter(|_| minute.len() == 2)?))
        });
        let Some((hour, minute)) = time else { return Err(format!("`{word}` is not a time such as 08:00")) };
        minutes.push(minute);
        hours.push(hour);
    }
    let Some(minute) = minutes.first() else { return Err("a time such as 08:00 is missing".to_owned()) };
    if minutes.iter().any(|other| other != minute) {
        return Err("times of one schedule have the same minutes; make a second schedule for the others".to_owned());
    }
    hours.sort_unstable();
    hours.dedup();
    let hours: Vec<String> = hours.iter().map(u8::to_string).collect();
    Ok(format!("{minute} {}", hours.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &str) -> String {
        let read = parse(text).unwrap();
        read.when["cron"].as_str().unwrap_or_else(|| panic!("{text}: {read:?}")).to_owned()
    }

    fn fault(text: &str) -> String {
        parse(text).unwrap_err().text
    }

    #[test]
    fn words_become_expressions() {
        assert_eq!(cron("every day 08:00"), "0 8 * * *");
        assert_eq!(cron("Daily at 8:05"), "5 8 * * *");
        assert_eq!(cron("every day at 20:30,08:30"), "30 8,20 * * *");
        assert_eq!(cron("weekday 02:30"), "30 2 * * 1-5");
        assert_eq!(cron("on weekends at 10:00"), "0 10 * * 6,0");
        assert_eq!(cron("every monday,Fri 09:00"), "0 9 * * 1,5");
        assert_eq!(cron("tuesdays 09:00"), "0 9 * * 2");
        assert_eq!(cron("month 1 08:00"), "0 8 1 * *");
        assert_eq!(cron("every month on the 15th at 08:00"), "0 8 15 * *");
        assert_eq!(cron("0 8 * * 1-5"), "0 8 * * 1-5");
        assert_eq!(cron("*/10 * * * */2"), "*/10 * * * */2");
        assert_eq!(cron("@daily"), "@daily");
    }

    #[test]
    fn intervals_are_seconds() {
        let seconds = |text: &str| parse(text).unwrap().when["every_seconds"].as_u64();
        assert_eq!(seconds("every 2 hours"), Some(7_200));
        assert_eq!(seconds("every 30 min"), Some(1_800));
        assert_eq!(seconds("every hour"), Some(3_600));
        assert_eq!(seconds("every 2 days"), Some(172_800));
    }

    #[test]
    fn zone_is_the_last_word() {
        let zone = |text: &str| parse(text).unwrap().zone;
        assert_eq!(zone("every day 08:00 Europe/Berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(zone("0 8 * * * UTC").as_deref(), Some("UTC"));
        assert_eq!(zone("0 8 * * */2"), None);
        assert_eq!(zone("every day 08:00 America/Argentina/Salta").as_deref(), Some("America/Argentina/Salta"));
    }

    #[test]
    fn faults_name_the_part_and_the_forms() {
        assert!(fault("").contains("nothing says when"));
        assert!(fault("Europe/Berlin").contains("nothing says when"));
        assert!(fault("every day").contains("a time such as 08:00 is missing"));
        assert!(fault("every day 8").contains("`8` is not a time"));
        assert!(fault("every day 24:00").contains("`24:00` is not a time"));
        assert!(fault("every day 08:0").contains("`08:0` is not a time"));
        assert!(fault("every day 08:00,20:30").contains("the same minutes"));
        assert!(fault("fortnightly 08:00").contains("`fortnightly` is not a day"));
        assert!(fault("month 32 08:00").contains("`32` is not a day of the month"));
        assert!(fault("every 2 weeks").contains("`week` is not minutes, hours or days"));
        assert!(fault("every 99999999999999999999 hours").contains("too large"));
        assert!(parse("soon").unwrap_err().hint.unwrap().contains("'every day 08:00'"));
    }
}
