//! How a schedule changes, without a ledger and a clock.

use serde_json::json;

use super::body::{ScheduleBody, Step, Wanted};
use super::*;
use crate::ids::CallId;
use crate::schedule::When;
use jiff::Timestamp;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wanted(cron: &str) -> Wanted {
    Wanted {
        name: " Digest ".to_owned(),
        params: json!({}),
        when: When::Cron(cron.to_owned()),
        zone: "europe/berlin".to_owned(),
        starts_at: None,
        ends_at: None,
        max_runs: None,
    }
}

fn hourly(now: &str) -> ScheduleBody {
    ScheduleBody::new("app", "digest", wanted("0 * * * *"), "user:anna".to_owned(), time(now)).unwrap()
}

fn ended(state: RunState) -> Run {
    Run {
        due_at: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
        late_by_s: 0,
        state,
        ended_at: None,
        call_id: None,
        task_ids: Vec::new(),
        text: Some("The service is down.".to_owned()),
    }
}

#[test]
fn time_that_has_come_begins_once() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    assert_eq!((body.wanted.name.as_str(), body.wanted.zone.as_str()), ("Digest", "Europe/Berlin"));
    assert_eq!(body.wake_at(), Some(time("2026-11-29T08:00:00Z")));
    assert_eq!(body.step(time("2026-11-29T07:59:59Z")), Ok(Step::Nothing));
    let now = time("2026-11-29T08:00:02Z");
    assert_eq!(body.step(now), Ok(Step::Begin { due_at: time("2026-11-29T08:00:00Z"), late_by: 2 }));
    body.begin(time("2026-11-29T08:00:00Z"), 2, CallId::generate(), now);
    assert_eq!(body.next_at, Some(time("2026-11-29T09:00:00Z")));
    assert_eq!(body.wake_at(), Some(time("2026-11-29T08:00:12Z")), "the end of the run is looked for");
    // The clock is set back.
    assert_eq!(body.step(time("2026-11-29T06:00:00Z")), Ok(Step::Nothing));
}

/// The first time of an interval is its start, in whole seconds and not before.
#[test]
fn interval_begins_at_its_start() {
    let now = time("2026-11-29T07:10:00.3Z");
    for (starts_at, first) in [
        (None, "2026-11-29T08:10:00Z"),
        (Some("2026-11-29T07:30:00Z"), "2026-11-29T07:30:00Z"),
        (Some("2026-11-29T07:30:00.000001Z"), "2026-11-29T07:30:01Z"),
        (Some("2026-11-29T06:30:00.5Z"), "2026-11-29T07:30:01Z"),
    ] {
        let wanted = Wanted { when: When::EverySeconds(3600), starts_at: starts_at.map(time), ..wanted("") };
        let body = ScheduleBody::new("app", "digest", wanted, "user:anna".to_owned(), now).unwrap();
        assert_eq!(body.next_at, Some(time(first)), "{starts_at:?}");
    }
}

#[test]
fn missed_times_run_once_up_to_twelve_hours_late() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    let step = body.step(time("2026-11-29T12:30:00Z"));
    assert_eq!(step, Ok(Step::Begin { due_at: time("2026-11-29T12:00:00Z"), late_by: 1800 }));
    assert_eq!(body.counts.missed, 4);
    let mut daily = hourly("2026-11-29T07:10:00Z");
    daily.edit(wanted("0 8 * * *"), time("2026-11-29T07:10:00Z")).unwrap();
    assert_eq!(daily.step(time("2026-11-30T19:30:00Z")), Ok(Step::MovedOn));
    assert_eq!((daily.counts.missed, daily.next_at), (1, Some(time("2026-12-01T07:00:00Z"))));
}

#[test]
fn overlap_is_skipped_and_counted() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    let now = time("2026-11-29T08:00:00Z");
    assert!(matches!(body.step(now), Ok(Step::Begin { .. })));
    body.begin(now, 0, CallId::generate(), now);
    body.note_run(&ended(RunState::Waiting), now);
    assert_eq!(body.step(time("2026-11-29T09:00:00Z")), Ok(Step::MovedOn));
    assert_eq!(body.counts.skipped, 1);
    let skipped = body.runs.last().unwrap();
    assert_eq!(skipped.state, RunState::Skipped);
    assert_eq!(skipped.text.as_deref(), Some("The run before waits for your answer."));
    body.note_run(&ended(RunState::Succeeded), now);
    assert!(body.open_run().is_none());
    assert!(matches!(body.step(time("2026-11-29T10:00:00Z")), Ok(Step::Begin { .. })));
}

#[test]
fn fifth_failure_in_a_row_is_a_reason_to_stop() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    let now = time("2026-11-29T08:00:00Z");
    for nth in 0..6 {
        let state = if nth == 0 { RunState::Succeeded } else { RunState::Failed };
        assert_eq!(body.failing(), None);
        body.begin(now, 0, CallId::generate(), now);
        body.note_run(&ended(state), now);
    }
    let reason = body.failing().unwrap();
    assert!(reason.text.contains("It failed 5 times in a row, the last time with: The service is down."));
    body.stop(reason);
    assert_eq!((body.state, body.wake_at()), (ScheduleState::NeedsYou, None));
    body.resume(now).unwrap();
    assert_eq!((body.state, body.failing()), (ScheduleState::Active, None));
}

#[test]
fn run_now_does_not_move_the_times_after_it() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    let now = time("2026-11-29T07:20:00Z");
    body.run_now(now);
    assert_eq!(body.step(now), Ok(Step::Begin { due_at: now, late_by: 0 }));
    assert_eq!(body.next_at, Some(time("2026-11-29T08:00:00Z")));
}

#[test]
fn ends_after_its_runs_or_at_its_end() {
    let now = time("2026-11-29T08:00:00Z");
    let once = Wanted { max_runs: Some(1), ..wanted("0 * * * *") };
    let mut body = ScheduleBody::new("app", "f", once, String::new(), time("2026-11-29T07:10:00Z")).unwrap();
    assert!(matches!(body.step(now), Ok(Step::Begin { .. })));
    body.begin(now, 0, CallId::generate(), now);
    assert_eq!((body.state, body.next_at), (ScheduleState::Ended, None));
    assert_eq!(body.reason.as_ref().unwrap().code, "max_runs");
    assert!(body.resume(now).is_err());
    let until = Wanted { ends_at: Some(now), ..wanted("0 * * * *") };
    let mut body = ScheduleBody::new("app", "f", until, String::new(), time("2026-11-29T07:10:00Z")).unwrap();
    assert!(matches!(body.step(now), Ok(Step::Begin { .. })));
    body.begin(now, 0, CallId::generate(), now);
    assert_eq!(body.reason.as_ref().unwrap().code, "ends_at");
}

#[test]
fn times_of_another_zone_database_are_computed_again() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    body.tz = "1999a".to_owned();
    body.next_at = Some(time("2026-11-29T07:30:00Z"));
    assert_eq!(body.step(time("2026-11-29T07:40:00Z")), Ok(Step::Nothing));
    assert_eq!(body.next_at, Some(time("2026-11-29T08:00:00Z")));
}

#[test]
fn body_is_read_back() {
    let mut body = hourly("2026-11-29T07:10:00Z");
    body.pause("user:anna", time("2026-11-29T07:20:00Z"));
    let text = serde_json::to_string(&body).unwrap();
    assert_eq!(serde_json::from_str::<ScheduleBody>(&text).unwrap(), body);
    assert_eq!((body.state, body.wake_at()), (ScheduleState::Paused, None));
}
