//! Times over clock changes, in zones with and without them.

use jiff::Timestamp;
use proptest::prelude::*;

use super::timetable::Due;
use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn timetable(cron: &str, zone: &str) -> Timetable {
    Timetable::new(&When::Cron(cron.to_owned()), zone, Timestamp::UNIX_EPOCH).unwrap()
}

/// The next times as clocks in the zone show them, with their offset.
fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let table = timetable(cron, zone);
    let mut at = time(after);
    let mut found = Vec::new();
    for _ in 0..count {
        at = table.next_after(at).unwrap();
        let zoned = at.to_zoned(table.zone().clone());
        found.push(zoned.strftime("%m-%d %H:%M %:z").to_string());
    }
    found
}

#[test]
fn time_in_a_gap_runs_at_the_first_moment_after_it() {
    let times = next("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3);
    assert_eq!(times, ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"]);
}

#[test]
fn several_times_in_a_gap_run_once() {
    let times = next("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T22:00:00Z", 4);
    assert_eq!(times, ["03-29 03:00 +02:00", "03-29 03:30 +02:00", "03-30 02:00 +02:00", "03-30 02:30 +02:00"]);
    let times = next("*/10 1-3 * * *", "Europe/Berlin", "2026-03-29T00:45:00Z", 4);
    assert_eq!(times, ["03-29 01:50 +01:00", "03-29 03:00 +02:00", "03-29 03:10 +02:00", "03-29 03:20 +02:00"]);
}

#[test]
fn time_that_comes_twice_runs_the_first_time() {
    let times = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    assert_eq!(times, ["10-25 02:30 +02:00", "10-26 02:30 +01:00"]);
    let times = next("30 2,14 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", 3);
    assert_eq!(times, ["10-25 02:30 +02:00", "10-25 14:30 +01:00", "10-26 02:30 +01:00"]);
    // From within the second half.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1);
    assert_eq!(times, ["10-26 02:30 +01:00"]);
}

#[test]
fn distances_are_elapsed_time_over_clock_changes() {
    let times = next("0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 2);
    assert_eq!(times, ["03-29 03:00 +02:00", "03-29 04:00 +02:00"]);
    let times = next("30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 4);
    assert_eq!(times, ["10-25 01:30 +02:00", "10-25 02:30 +02:00", "10-25 02:30 +01:00", "10-25 03:30 +01:00"]);
}

#[test]
fn zone_without_clock_changes_keeps_its_distance() {
    for (after, day) in [("2026-03-28T18:31:00Z", "03-30"), ("2026-10-24T18:31:00Z", "10-26")] {
        let times = next("0 0 * * *", "Asia/Kolkata", after, 1);
        assert_eq!(times, [format!("{day} 00:00 +05:30")]);
    }
    let table = timetable("30 2 * * *", "Asia/Kolkata");
    assert!(table.clock_notes(time("2026-01-01T00:00:00Z"), 400).is_empty());
}

#[test]
fn clock_changes_are_explained() {
    let notes = |cron: &str| {
        let notes = timetable(cron, "Europe/Berlin").clock_notes(time("2026-01-01T00:00:00Z"), 400);
        notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
    };
    assert_eq!(
        notes("30 2 * * *"),
        [
            "On 2026-03-29 the clocks in Europe/Berlin go forward: 02:30 does not exist, it runs at 03:00.",
            "On 2026-10-25 the clocks in Europe/Berlin go back: 02:30 comes twice, it runs the first time only.",
        ]
    );
    assert_eq!(
        notes("0 8 * * *")[0],
        "On 2026-03-29 the clocks in Europe/Berlin go forward: it still runs at 08:00 there."
    );
    assert!(notes("0 * * * *").is_empty());
    // It does not run on a Sunday.
    assert!(notes("0 8 * * 1-5").is_empty());
}

#[test]
fn interval_counts_from_its_start_in_elapsed_time() {
    let from = time("2026-03-28T23:00:00Z");
    let table = Timetable::new(&When::EverySeconds(7200), "Europe/Berlin", from).unwrap();
    assert_eq!(table.next_after(from), Some(time("2026-03-29T01:00:00Z")));
    assert_eq!(table.next_after(time("2026-03-29T01:00:00Z")), Some(time("2026-03-29T03:00:00Z")));
    assert_eq!(table.next_after(time("2026-03-28T22:59:59Z")), Some(from));
    assert_eq!(table.words(), "every 2 hours");
}

#[test]
fn missed_times_collapse_into_the_latest() {
    let table = timetable("0 * * * *", "UTC");
    let due = |now: &str| table.due(time("2026-11-29T02:00:00Z"), time(now));
    assert_eq!(due("2026-11-29T01:59:59Z"), None);
    assert_eq!(due("2026-11-29T02:00:00Z"), Some(Due { at: time("2026-11-29T02:00:00Z"), missed: 0 }));
    assert_eq!(due("2026-11-29T09:30:00Z"), Some(Due { at: time("2026-11-29T09:00:00Z"), missed: 7 }));
}

#[test]
fn invalid_parts_are_named_with_the_way_out() {
    let refused = |cron: &str| {
        let refused = Timetable::new(&When::Cron(cron.to_owned()), "UTC", Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(refused.field(), "cron");
        refused.to_string()
    };
    assert_eq!(
        refused("8 * * *"),
        "invalid cron expression \"8 * * *\": it has 4 fields; use five, minute hour day month weekday, as in `0 8 * * 1-5`"
    );
    assert!(refused("0 0 8 * * *").contains("it has 6 fields"));
    assert!(refused("@reboot").contains("the nicknames are @hourly, @daily"), "{}", refused("@reboot"));
    assert!(refused("61 * * * *").contains("out of bounds"));
    assert!(refused("0 8 * * ?").contains("use `*` for any value"));
    assert!(refused("0 0 30 2 *").contains("no date fits it"));
    assert!(refused("0 0 31 2,4,6 *").contains("no date fits it"));
    assert!(refused("0 0 31W 2 *").contains("no date fits it"));
    assert!(refused("").contains("it has 0 fields"));
    assert!(refused(&"0".repeat(1000)).contains("more than 200 characters"));
    let zone = Timetable::new(&When::Cron("0 8 * * *".to_owned()), "Berlin", Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(zone.field(), "zone");
    assert_eq!(zone.to_string(), "unknown time zone \"Berlin\"; use an IANA name such as Europe/Berlin or UTC");
    for seconds in [0, 299, u64::MAX] {
        assert!(Timetable::new(&When::EverySeconds(seconds), "UTC", Timestamp::UNIX_EPOCH).is_err());
    }
}

#[test]
fn times_less_than_five_minutes_apart_are_refused() {
    for (cron, allowed) in [
        ("* * * * *", false),
        ("*/4 * * * *", false),
        ("*/5 * * * *", true),
        ("0,3 8 * * 1", false),
        ("58 8,9 1 1 *", true),
        ("2,58 * * * *", false),
        ("59 23 * * *", true),
        ("@hourly", true),
    ] {
        assert_eq!(timetable(cron, "UTC").check_distance().is_ok(), allowed, "{cron}");
    }
}

#[test]
fn words_of_the_usual_shapes() {
    for (cron, words) in [
        ("0 8 * * *", "every day at 08:00"),
        ("30 8,14 * * *", "every day at 08:30 and 14:30"),
        ("0 8 * * 1-5", "every weekday at 08:00"),
        ("0 8 * * mon,fri", "every Monday and Friday at 08:00"),
        ("0 8 * * 7", "every Sunday at 08:00"),
        ("0 8 1 * *", "on day 1 of every month at 08:00"),
        ("0 8 1,15 * *", "on days 1 and 15 of every month at 08:00"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 */2 * * *", "every 2 hours"),
        ("@daily", "every day at 00:00"),
        ("0 8 1 1 *", "at 08:00, on day 1, in January"),
    ] {
        assert_eq!(timetable(cron, "UTC").words(), words);
    }
}

proptest! {
    /// For any expression, zone and moment the next time is later, and computing it does not panic.
    #[test]
    fn next_time_is_later(
        minute in "[0-9*/,-]{1,5}", hour in "[0-9*/,-]{1,5}", day in "[0-9*LW,]{1,3}",
        weekday in "[0-7*#L,-]{1,3}", zone in prop::sample::select(vec!["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"]),
        seconds in 1_500_000_000_i64..2_500_000_000,
    ) {
        let cron = format!("{minute} {hour} {day} * {weekday}");
        if let Ok(table) = Timetable::new(&When::Cron(cron), zone, Timestamp::UNIX_EPOCH) {
            let after = Timestamp::from_second(seconds).unwrap();
            if let Some(next) = table.next_after(after) {
                prop_assert!(next > after);
                prop_assert!(table.next_after(next).is_none_or(|later| later > next));
            }
            let _ = table.words();
        }
    }

    /// Any text is an expression or refused.
    #[test]
    fn any_text_is_read(text in "\\PC{0,40}") {
        let _ = Timetable::new(&When::Cron(text), "UTC", Timestamp::UNIX_EPOCH);
    }
}

/// A field as a person may write it, right or wrong.
fn field() -> impl Strategy<Value = String> {
    let number = || prop_oneof![0_u32..13, 0_u32..70].prop_map(|number| number.to_string());
    let name = prop::sample::select(vec!["mon", "SUN", "jan", "Dec", "l", "?", "15w", "1#2", "r"]);
    let value = prop_oneof![6 => number(), 1 => name.prop_map(str::to_owned)];
    let part = prop_oneof![
        4 => Just("*".to_owned()),
        4 => value,
        2 => (number(), number()).prop_map(|(from, to)| format!("{from}-{to}")),
        2 => (1_u32..40).prop_map(|step| format!("*/{step}")),
        1 => (number(), number(), 0_u32..9).prop_map(|(from, to, step)| format!("{from}-{to}/{step}")),
        1 => (number(), 1_u32..9).prop_map(|(from, step)| format!("{from}/{step}")),
    ];
    prop::collection::vec(part, 1..3).prop_map(|parts| parts.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// `#[schedule]` checks an expression when it is compiled, without the reader that runs it.
    #[test]
    fn what_the_attribute_accepts_has_times(
        minute in prop_oneof![Just("0".to_owned()), Just("*/15".to_owned()), field()],
        hour in field(), day in field(), month in field(), weekday in field(),
    ) {
        let line = [minute, hour, day, month, weekday].join(" ");
        if imperal_manifest::check_plain_cron(&line).is_ok() {
            let table = Timetable::new(&When::cron(line.as_str()), "UTC", Timestamp::UNIX_EPOCH);
            let table = table.map_err(|why| TestCaseError::fail(format!("{line}: {why}")))?;
            prop_assert!(table.check_distance().is_ok(), "{line}");
            prop_assert!(table.next_after(time("2026-01-01T00:00:00Z")).is_some(), "{line}");
        }
    }
}
