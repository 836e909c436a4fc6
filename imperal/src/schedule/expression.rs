//! Cron expressions: five fields or a nickname.
//!
//! An expression whose hour has neither `*` nor `/` names times of the day as clocks on the wall show them. All others
//! repeat in elapsed time. `croner` alone would treat only single values as the former.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

use super::InvalidSchedule;

/// More than an expression needs.
const LONGEST: usize = 200;
/// The shortest time between two times of a user's schedule, in seconds.
const SHORTEST_SECONDS: i64 = 300;
/// So many times in a row show the shortest distance between two: a day has at most 288 that are 5 minutes apart.
const LOOKED_AT: usize = 300;

const NICKNAMES: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron expression that has a next time.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    cron: Cron,
    fields: [String; 5],
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let refused = |why: String| {
            let shown: String = text.chars().take(64).collect();
            InvalidSchedule::new("cron", format!("invalid cron expression {shown:?}: {why}"))
        };
        if text.len() > LONGEST {
            return Err(refused(format!("it has more than {LONGEST} characters")));
        }
        let text = text.trim();
        let spelt_out = if text.starts_with('@') {
            let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            known.map(|(_, fields)| *fields).ok_or_else(|| {
                let names = NICKNAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                refused(format!("the nicknames are {names}"))
            })?
        } else {
            text
        };
        let fields: Vec<String> = spelt_out.split_whitespace().map(str::to_ascii_uppercase).collect();
        let fields: [String; 5] = fields.try_into().map_err(|fields: Vec<String>| {
            refused(format!(
                "it has {} fields; use five, minute hour day month weekday, as in `0 8 * * 1-5`",
                fields.len()
            ))
        })?;
        if fields.iter().any(|field| field.contains(['?', '@', '+'])) {
            return Err(refused("`?`, `+` and `@` have no meaning in a field; use `*` for any value".to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&fields.join(" ")).map_err(|error| refused(reason(&error.to_string())))?;
        let expression = Self { cron, fields };
        if !expression.has_a_day() || expression.next_civil(EPOCH).is_none() {
            return Err(refused("no date fits it; check the day and the month".to_owned()));
        }
        Ok(expression)
    }

    /// Whether a month has one of the days. Without this check the search for an impossible date takes long.
    fn has_a_day(&self) -> bool {
        let pattern = &self.cron.pattern;
        if pattern.days.has_modifiers() && self.fields[2] != "*" {
            return !self.fields[2].contains('W') || self.fits_a_month();
        }
        // With a day and a weekday, either of them fits.
        self.fields[4] != "*" || self.fits_a_month()
    }

    fn fits_a_month(&self) -> bool {
        let first_day: u16 = self.fields[2]
            .split([',', '-', '/'])
            .filter_map(|part| part.trim_end_matches('W').parse().ok())
            .chain(self.cron.pattern.days.values())
            .min()
            .unwrap_or(1);
        let longest = |month: u16| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.cron.pattern.months.values().into_iter().any(|month| first_day <= longest(month))
    }

    /// The five fields, in capitals.
    pub(super) fn fields(&self) -> [&str; 5] {
        self.fields.each_ref().map(String::as_str)
    }

    /// Whether it names times on the wall rather than distances.
    pub(super) fn names_times(&self) -> bool {
        !self.fields[1].contains(['*', '/'])
    }

    /// The next time on the wall after another one.
    pub(super) fn next_civil(&self, after: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&after, false).ok()
    }

    /// The next time of an expression of distances after a moment in a zone. Both halves of an hour that comes twice
    /// count.
    pub(super) fn next_elapsed(&self, after: &jiff::Zoned) -> Option<jiff::Zoned> {
        self.cron.find_next_occurrence(after, false).ok()
    }

    /// Refuses an expression with times that are less than 5 minutes apart.
    pub(super) fn check_distance(&self) -> Result<(), InvalidSchedule> {
        let mut at = EPOCH;
        for nth in 0..LOOKED_AT {
            let Some(next) = self.next_civil(at) else { break };
            if nth > 0 && next.duration_since(at).as_secs() < SHORTEST_SECONDS {
                let text = format!(
                    "invalid cron expression {:?}: it has times that are less than 5 minutes apart; use at most 12 minutes \
                     of an hour, as in `*/5 * * * *`",
                    self.fields.join(" ")
                );
                return Err(InvalidSchedule::new("cron", text));
            }
            at = next;
        }
        Ok(())
    }

    /// `croner`'s own words, for expressions without better ones.
    pub(super) fn describe(&self) -> String {
        self.cron.describe()
    }
}

/// A Saturday. Any day would do.
const EPOCH: DateTime = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);

/// `croner`'s reason as a part of a sentence.
fn reason(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let text = ["Invalid pattern: ", "Component error: ", "Pattern contains illegal characters: CronPattern "]
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .unwrap_or(text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
