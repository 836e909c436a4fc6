//! Three processes on one ledger, while clocks change.

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::{Clock, MemoryLedger, Turn};
use imperal::platform::{NewSchedule, RunState};
use imperal::schedules::When;
use imperal::testing::{TestPlatform, TestUser};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use super::{HOUR, Ran, turns};

/// A given time that goes on with the runtime's clock.
#[derive(Debug)]
pub(super) struct From {
    start: Timestamp,
    born: Instant,
}

impl From {
    pub(super) fn time(start: &str) -> Arc<Self> {
        Arc::new(Self { start: start.parse().unwrap(), born: Instant::now() })
    }
}

impl Clock for From {
    fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.born.elapsed()).unwrap()
    }
}

/// Three platforms on one ledger that begins at a time.
async fn three(start: &str) -> (Vec<TestPlatform>, Ran) {
    let ran = Ran::default();
    let ledger = Arc::new(MemoryLedger::with_clock(From::time(start)));
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        let setup = TestPlatform::setup().state(ran.clone()).ledger(ledger.clone());
        nodes.push(setup.settings(|settings| name.clone_into(&mut settings.node)).start().await);
    }
    (nodes, ran)
}

async fn nightly(user: &TestUser, cron: &str, zone: &str) {
    let mut new = NewSchedule::new("Nightly digest", "planner", "digest", When::cron(cron));
    new.zone = zone.to_owned();
    new.params = serde_json::from_value(json!({"text": zone})).unwrap();
    user.access().schedules().create(new).await.unwrap();
}

/// When the runs of a user were due, as the clocks in a zone showed it then.
async fn due(user: &TestUser, zone: &str) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap();
    let marks = turns(user).await.into_iter().filter_map(|turn: Turn| turn.body.schedule);
    marks.map(|mark| mark.due_at.to_zoned(zone.clone()).strftime("%m-%d %H:%M %:z").to_string()).collect()
}

async fn check(start: &str, berlin: &[&str], tokyo: &[&str]) {
    let (nodes, ran) = three(start).await;
    let (anna, ben) = (nodes[0].user("anna"), nodes[1].user("ben"));
    nightly(&anna, "30 2 * * *", "Europe/Berlin").await;
    nightly(&ben, "30 2 * * *", "Asia/Tokyo").await;
    nodes[2].pass(72 * HOUR).await;
    assert_eq!(due(&anna, "Europe/Berlin").await, berlin);
    assert_eq!(due(&ben, "Asia/Tokyo").await, tokyo);
    assert_eq!(ran.count(), berlin.len() + tokyo.len(), "a turn is a run");
    for user in [&anna, &ben] {
        let schedule = user.access().schedules().list().await.unwrap().remove(0);
        assert_eq!((schedule.counts.runs, schedule.counts.skipped, schedule.counts.missed), (3, 0, 0));
        assert_eq!(schedule.last_run.unwrap().state, RunState::Succeeded);
    }
}

/// 02:30 does not exist on 29 March in Berlin: the digest comes at 03:00, once. Tokyo has no such day.
#[tokio::test(start_paused = true)]
async fn digests_of_two_zones_come_once_each_when_clocks_go_forward() {
    check(
        "2026-03-27T20:00:00Z",
        &["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"],
        &["03-29 02:30 +09:00", "03-30 02:30 +09:00", "03-31 02:30 +09:00"],
    )
    .await;
}

/// 02:30 comes twice on 25 October in Berlin: the digest comes the first time.
#[tokio::test(start_paused = true)]
async fn digests_of_two_zones_come_once_each_when_clocks_go_back() {
    check(
        "2026-10-23T20:00:00Z",
        &["10-24 02:30 +02:00", "10-25 02:30 +02:00", "10-26 02:30 +01:00"],
        &["10-25 02:30 +09:00", "10-26 02:30 +09:00", "10-27 02:30 +09:00"],
    )
    .await;
}

/// A node dies between two runs: the others do its share.
#[tokio::test(start_paused = true)]
async fn digest_comes_once_when_a_node_dies() {
    let (mut nodes, ran) = three("2026-03-27T20:00:00Z").await;
    let anna = nodes[0].user("anna");
    nightly(&anna, "0 * * * *", "Europe/Berlin").await;
    nodes[1].pass(2 * HOUR + Duration::from_secs(60)).await;
    let before = ran.count();
    nodes[2].crash().await;
    nodes.remove(0).platform().shutdown(Duration::ZERO).await;
    nodes[0].pass(3 * HOUR).await;
    assert_eq!((before, ran.count()), (2, 5));
}
