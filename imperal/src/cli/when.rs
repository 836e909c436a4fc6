//! Times at the terminal: how long ago for people, the UTC time in a pipe.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::out::OutputStyle;

/// A time for this reader: "2 min ago" or the local time on a terminal, the UTC time in a pipe.
pub(super) fn format_time(at: Timestamp, style: OutputStyle) -> String {
    if style.terminal {
        format_age(at, Timestamp::now(), &TimeZone::system())
    } else {
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// A time to come: the local time on a terminal, with its day if that is another one; the UTC time in a pipe.
pub(super) fn format_time_to_come(at: Timestamp, now: Timestamp, style: OutputStyle) -> String {
    if style.terminal {
        format_next(at, now, &TimeZone::system())
    } else {
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

fn format_next(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let is_today = at.date() == now.to_zoned(zone.clone()).date();
    at.strftime(if is_today { "%H:%M %Z" } else { "%Y-%m-%d %H:%M %Z" }).to_string()
}

/// Ages of less than a day are relative. Older times are those of the zone, which is named.
fn format_age(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        ..2 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
    }
}

/// A duration with its two largest units: "0.4 s", "12 s", "2 min 5 s", "3 h 0 min".
pub(super) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..10 if duration.subsec_millis() >= 50 => format!("{:.1} s", duration.as_secs_f64()),
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        86_400..172_800 => format!("1 day {} h", seconds % 86_400 / 3600),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let shown = |millis| format_duration(Duration::from_millis(millis));
        assert_eq!([0, 430, 9_960, 12_400, 125_000].map(shown), ["0 s", "0.4 s", "10.0 s", "12 s", "2 min 5 s"]);
        assert_eq!(shown(3 * 3_600_000), "3 h 0 min");
        assert_eq!([27, 50].map(|hours| shown(hours * 3_600_000)), ["1 day 3 h", "2 days 2 h"]);
    }

    #[test]
    fn times_to_come_name_their_zone_and_another_day() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(format_next("2026-03-01T13:05:00Z".parse().unwrap(), now, &berlin), "14:05 CET");
        assert_eq!(format_next("2026-03-01T23:05:00Z".parse().unwrap(), now, &berlin), "2026-03-02 00:05 CET");
    }

    #[test]
    fn recent_times_are_relative_and_older_ones_name_their_zone() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let age = |at: &str, zone: &TimeZone| format_age(at.parse().unwrap(), now, zone);
        assert_eq!(age("2026-03-01T12:00:00Z", &berlin), "just now");
        assert_eq!(age("2026-03-01T11:59:18Z", &berlin), "42 s ago");
        assert_eq!(age("2026-03-01T11:03:00Z", &berlin), "57 min ago");
        assert_eq!(age("2026-02-28T13:00:00Z", &berlin), "23 h ago");
        assert_eq!(age("2026-02-27T23:30:00Z", &berlin), "2026-02-28 00:30 CET");
        assert_eq!(age("2025-07-01T12:00:00Z", &berlin), "2025-07-01 14:00 CEST");
        assert_eq!(age("2026-02-27T23:30:00Z", &TimeZone::UTC), "2026-02-27 23:30 UTC");
    }
}
