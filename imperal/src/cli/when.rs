//! Times at the terminal: how long ago for people, the UTC time in a pipe.

use jiff::Timestamp;

use super::out::OutputStyle;

/// A time for this reader.
pub(super) fn format_time(at: Timestamp, style: OutputStyle) -> String {
    if style.terminal { format_age(at, Timestamp::now()) } else { at.strftime("%Y-%m-%d %H:%M:%S").to_string() }
}

fn format_age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        ..2 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => at.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_times_say_how_long_ago_and_old_ones_when() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| format_age(text.parse().unwrap(), now);
        assert_eq!(at("2026-03-01T12:00:00Z"), "just now");
        assert_eq!(at("2026-03-01T11:59:18Z"), "42 s ago");
        assert_eq!(at("2026-03-01T11:03:00Z"), "57 min ago");
        assert_eq!(at("2026-02-28T13:00:00Z"), "23 h ago");
        assert_eq!(at("2026-02-27T13:00:00Z"), "2026-02-27 13:00");
    }
}
