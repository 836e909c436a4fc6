//! Schedules that an extension keeps for its user.

use imperal::platform::ScheduleState;

use super::*;

async fn plan(anna: &TestUser, action: &str, function: &str, text: &str) -> String {
    let params = json!({"action": action, "function": function, "text": text});
    anna.call("plan", params).await.unwrap().turn.body.text
}

async fn only(anna: &TestUser) -> Schedule {
    let mut found = anna.access().schedules().list().await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A name stands for one schedule, which is written only when something of it changes.
#[imperal::test]
async fn schedule_of_an_extension_is_found_by_its_name(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    assert_eq!(plan(&anna, "set", "digest", "one").await, "There.");
    let first = only(&anna).await;
    assert_eq!((first.name.as_str(), first.created_by.as_str()), ("Digest", "extension:planner"));
    plan(&anna, "set", "digest", "one").await;
    assert_eq!(only(&anna).await, first, "the same schedule is not written again");
    platform.pass(HOUR + MINUTE).await;
    plan(&anna, "set", "digest", "two").await;
    assert_eq!(only(&anna).await.id, first.id);
    platform.pass(HOUR).await;
    assert_eq!(ran.all(), ["anna one", "anna two"]);

    assert_eq!(plan(&anna, "pause", "", "").await, "There.");
    assert_eq!(only(&anna).await.paused_by.as_deref(), Some("extension:planner"));
    platform.pass(3 * HOUR).await;
    assert_eq!(ran.count(), 2);
    plan(&anna, "resume", "", "").await;
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.count(), 3);
    assert_eq!(plan(&anna, "remove", "", "").await, "There.");
    assert_eq!(plan(&anna, "remove", "", "").await, "None.");
    let of_schedules = anna.audit().await.into_iter().map(|row| row.body.action);
    let actions: Vec<_> = of_schedules.filter(|action| action.starts_with("schedule.")).collect();
    assert_eq!(actions, ["schedule.create", "schedule.edit", "schedule.pause", "schedule.resume", "schedule.delete"]);
}

/// Code cannot approve for its user: a destructive function waits.
#[imperal::test]
async fn destructive_schedule_of_an_extension_waits_for_its_user(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    plan(&anna, "set", "purge", "").await;
    let waiting = only(&anna).await;
    assert_eq!((waiting.state, waiting.reason.unwrap().code.as_str()), (ScheduleState::NeedsYou, "approval_needed"));
    platform.pass(3 * HOUR).await;
    assert_eq!(ran.count(), 0);
    let refused = anna.call("plan", json!({"action": "resume"})).await.unwrap();
    assert_eq!(refused.result.error_code.unwrap().as_str(), "APPROVAL_NEEDED");
    let digest = waiting.approval.unwrap().digest;
    anna.access().schedules().resume(waiting.id, Some(digest)).await.unwrap();
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.all(), ["purged 3"]);
}
