//! The rights to see and change a schedule, refusals, and audit rows.

use imperal::ledger::contract::Schedules;
use imperal::ledger::{AuditOutcome, MemoryLedger, NewSeen, Owner};
use imperal::platform::ScheduleChanges;

use super::nodes::From;
use super::*;

fn code(refused: &Error) -> &str {
    refused.code().as_str()
}

/// Another user is refused, which is audited; nothing changes.
#[imperal::test]
async fn schedule_of_another_user_is_refused(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let id = create(&anna, "digest", json!({})).await;
    for other in [ben.access().schedules(), platform.user_of("other", "anna").access().schedules()] {
        let refusals = [
            other.find(id).await.map(|_| ()),
            other.pause(id).await.map(|_| ()),
            other.resume(id, None).await.map(|_| ()),
            other.run(id).await.map(|_| ()),
            other.runs(id).await.map(|_| ()),
            other.edit(id, ScheduleChanges::default()).await.map(|_| ()),
            other.remove(id).await,
        ];
        assert!(refusals.iter().all(|refused| refused.as_ref().is_err_and(|e| code(e) == "PERMISSION_DENIED")));
        assert!(other.list().await.unwrap().is_empty());
    }
    let trail = ben.audit().await;
    let refused = trail.iter().filter(|row| row.body.outcome == AuditOutcome::Refused).count();
    assert_eq!(refused, 7);
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.all(), ["anna"]);
}

/// The scopes of a run are those of its user's last request.
#[imperal::test]
async fn run_has_the_scopes_of_the_last_request(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let with = |scope: &str| {
        let mut anna = imperal::User::new("anna", "default");
        anna.scopes = vec![scope.to_owned()];
        platform.platform().access(anna)
    };
    with("planner:write").schedules().create(hourly("digest", json!({"text": "inbox"}))).await.unwrap();
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.all(), ["anna inbox planner:write"]);
    with("planner:read").turns(0, 1).await.unwrap();
    platform.pass(HOUR).await;
    assert_eq!(ran.all()[1..], ["anna inbox planner:read"]);
}

/// The row of the last request says which scopes a run has, and not who it runs as.
#[imperal::test]
async fn run_is_its_owners_whatever_the_row_of_the_last_request_says(_platform: TestPlatform) {
    let ran = Ran::default();
    let ledger = Arc::new(MemoryLedger::with_clock(From::time("2026-11-02T08:00:00Z")));
    let platform = TestPlatform::setup().state(ran.clone()).ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    create(&anna, "digest", json!({"text": "inbox"})).await;
    platform.pass(MINUTE).await;
    let mut other = imperal::User::new("ben", "other");
    other.scopes = vec!["planner:write".to_owned()];
    let owner = Owner::new("default", "anna");
    let seen = NewSeen::new(owner, "", serde_json::to_string(&other).unwrap());
    ledger.note_seen(vec![seen]).await.unwrap();
    platform.pass(HOUR).await;
    assert_eq!(ran.all(), ["anna inbox planner:write"]);
}

/// Create, edit, pause, resume, run and delete are in the trail, with the schedule's name.
#[imperal::test]
async fn changes_are_audited(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({})).await;
    let schedules = anna.access().schedules();
    let changes: ScheduleChanges = serde_json::from_value(json!({"name": "Evening digest"})).unwrap();
    schedules.edit(id, changes).await.unwrap();
    schedules.pause(id).await.unwrap();
    schedules.pause(id).await.unwrap();
    schedules.resume(id, None).await.unwrap();
    schedules.remove(id).await.unwrap();
    let trail = anna.audit().await;
    let actions: Vec<_> = trail.iter().map(|row| row.body.action.as_str()).collect();
    assert_eq!(actions, ["schedule.create", "schedule.edit", "schedule.pause", "schedule.resume", "schedule.delete"]);
    assert!(trail.iter().all(|row| row.body.target == Some(id.to_string())));
    assert_eq!(trail[4].body.detail.as_deref(), Some("Evening digest"));
}

/// Each refusal names its part and the way out.
#[imperal::test]
async fn invalid_schedules_are_refused(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let anna = platform.user("anna");
    let schedules = anna.access().schedules();
    let refused = async |change: fn(&mut NewSchedule)| {
        let mut new = hourly("digest", json!({}));
        change(&mut new);
        let refused = schedules.create(new).await.unwrap_err();
        (code(&refused).to_owned(), refused.field().unwrap_or_default().to_owned())
    };
    let invalid = |field: &str| ("SCHEDULE_INVALID".to_owned(), field.to_owned());
    assert_eq!(refused(|new| new.when = When::Cron("* * * * *".to_owned())).await, invalid("cron"));
    assert_eq!(refused(|new| new.when = When::Cron("0 0 30 2 *".to_owned())).await, invalid("cron"));
    assert_eq!(refused(|new| new.when = When::EverySeconds(60)).await, invalid("every_seconds"));
    assert_eq!(refused(|new| new.zone = "Berlin".to_owned()).await, invalid("zone"));
    assert_eq!(refused(|new| new.name = " ".to_owned()).await, invalid("name"));
    assert_eq!(refused(|new| new.name = "x".repeat(101)).await, invalid("name"));
    assert_eq!(refused(|new| new.max_runs = Some(0)).await, invalid("max_runs"));
    assert_eq!(refused(|new| new.ends_at = Some("2020-01-01T00:00:00Z".parse().unwrap())).await, invalid("ends_at"));
    assert_eq!(refused(|new| new.function = "connect".to_owned()).await, invalid("function"));
    assert_eq!(refused(|new| new.function = "nope".to_owned()).await.0, "UNKNOWN_SUB_FUNCTION");
    assert_eq!(refused(|new| new.app_id = "nope".to_owned()).await.0, "UNKNOWN_TOOL");
    assert_eq!(refused(|new| new.function = "purge".to_owned()).await.0, "VALIDATION_MISSING_FIELD");
    assert!(schedules.list().await.unwrap().is_empty());
}

/// A user has at most 100.
#[imperal::test]
async fn hundredth_schedule_is_the_last(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let anna = platform.user("anna");
    for _ in 0..100 {
        create(&anna, "digest", json!({})).await;
    }
    let schedules: ScheduleAccess = anna.access().schedules();
    let refused = schedules.create(hourly("digest", json!({}))).await.unwrap_err();
    assert_eq!(code(&refused), "TOO_MANY_SCHEDULES");
    assert_eq!(schedules.list().await.unwrap().len(), 100);
    create(&platform.user("ben"), "digest", json!({})).await;
}

/// A change names the version that it was made for.
#[imperal::test]
async fn stale_change_is_refused(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({})).await;
    let schedules = anna.access().schedules();
    let rename = |version: u64| serde_json::from_value(json!({"name": "New", "version": version})).unwrap();
    assert_eq!(schedules.edit(id, rename(1)).await.unwrap().version, 2);
    assert_eq!(code(&schedules.edit(id, rename(1)).await.unwrap_err()), "SCHEDULE_CHANGED");
}
