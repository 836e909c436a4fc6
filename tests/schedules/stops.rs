//! When a schedule does not run any more, and what its user reads then.

use imperal::platform::{ScheduleChanges, ScheduleState};

use super::*;

fn reason(schedule: &Schedule) -> &str {
    schedule.reason.as_ref().map_or("", |reason| &reason.code)
}

/// Five failures in a row stop it, with a turn. A resume starts the count again.
#[imperal::test]
async fn failing_schedule_stops_with_a_turn(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "broken", json!({})).await;
    platform.pass(10 * HOUR).await;
    assert_eq!(ran.count(), 5);
    let schedule = find(&anna, id).await;
    assert_eq!((schedule.state, reason(&schedule)), (ScheduleState::NeedsYou, "failing"));
    assert!(schedule.next_at.is_none());
    let last = turns(&anna).await.pop().unwrap();
    assert_eq!(last.body.schedule.unwrap().id, id);
    assert!(last.body.text.starts_with("The schedule \"Morning digest\" does not run any more. It failed 5 times"));
    anna.access().schedules().resume(id, None).await.unwrap();
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.count(), 6);
}

/// It stays paused over its times, and goes on after them.
#[imperal::test]
async fn paused_schedule_does_not_run(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({})).await;
    let schedules = anna.access().schedules();
    let paused = schedules.pause(id).await.unwrap();
    assert_eq!((paused.state, paused.paused_by.as_deref()), (ScheduleState::Paused, Some("user:anna")));
    platform.pass(5 * HOUR).await;
    assert_eq!(ran.count(), 0);
    let refused = schedules.run(id).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "SCHEDULE_NOT_ACTIVE");
    let resumed = schedules.resume(id, None).await.unwrap();
    assert_eq!((resumed.state, resumed.paused_by), (ScheduleState::Active, None));
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.count(), 1, "times of the pause are not made up for");
    schedules.remove(id).await.unwrap();
    platform.pass(5 * HOUR).await;
    assert_eq!(ran.count(), 1);
    assert_eq!(schedules.find(id).await.unwrap_err().code().as_str(), "NOT_FOUND");
}

/// A user who asks for nothing for 90 days has no runs any more.
#[imperal::test]
async fn schedule_of_an_unseen_user_stops(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let mut daily = hourly("digest", json!({}));
    daily.when = When::EverySeconds(DAY.as_secs());
    let id = anna.access().schedules().create(daily).await.unwrap().id;
    platform.pass(92 * DAY).await;
    assert!((88..=91).contains(&ran.count()), "{}", ran.count());
    let schedule = find(&anna, id).await;
    assert_eq!((schedule.state, reason(&schedule)), (ScheduleState::NeedsYou, "not_seen"));
    let before = ran.count();
    anna.access().schedules().resume(id, None).await.unwrap();
    platform.pass(DAY + MINUTE).await;
    assert_eq!(ran.count(), before + 1);
}

/// An approval is bound to the parameters: others stop the schedule until its user approves them.
#[imperal::test]
async fn destructive_schedule_runs_only_as_approved(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let schedules = anna.access().schedules();
    let mut new = hourly("purge", json!({"older_than": 30}));
    let refused = schedules.create(new.clone()).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "APPROVAL_NEEDED");
    let request =
        json!({"when": {"every_seconds": 3600}, "app_id": "planner", "function": "purge", "params": new.params});
    let approval = schedules.preview(serde_json::from_value(request).unwrap()).await.unwrap().approval.unwrap();
    assert!(approval.needed && !approval.given && refused.message().contains(&approval.digest));
    new.approve = Some(approval.digest);
    let id = schedules.create(new).await.unwrap().id;
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.all(), ["purged 30"]);

    let changes: ScheduleChanges = serde_json::from_value(json!({"params": {"older_than": 1}})).unwrap();
    let edited = schedules.edit(id, changes).await.unwrap();
    assert_eq!((edited.state, reason(&edited)), (ScheduleState::NeedsYou, "approval_needed"));
    let approval = edited.approval.unwrap();
    assert!(!approval.given);
    platform.pass(5 * HOUR).await;
    assert_eq!(ran.count(), 1);
    assert_eq!(schedules.resume(id, None).await.unwrap_err().code().as_str(), "APPROVAL_NEEDED");
    let resumed = schedules.resume(id, Some(approval.digest)).await.unwrap();
    assert!(resumed.approval.unwrap().given);
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.all(), ["purged 30", "purged 1"]);
}

/// After its number of runs, or at a date.
#[imperal::test]
async fn schedule_ends(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let mut twice = hourly("digest", json!({}));
    twice.max_runs = Some(2);
    let id = anna.access().schedules().create(twice).await.unwrap().id;
    platform.pass(5 * HOUR).await;
    assert_eq!(ran.count(), 2);
    let ended = find(&anna, id).await;
    assert_eq!((ended.state, reason(&ended)), (ScheduleState::Ended, "max_runs"));
    let changes: ScheduleChanges = serde_json::from_value(json!({"max_runs": null})).unwrap();
    let edited = anna.access().schedules().edit(id, changes).await.unwrap();
    assert_eq!(edited.state, ScheduleState::Active);
}
