//! Digests of two users in two zones, on three processes, while clocks change and a process is killed.
//!
//! Only the database's clock counts for schedules, so the test moves that clock. The nodes' own clocks are right.

use std::time::Duration;

use imperal_tests::campaigns::nodes::Fleet;
use imperal_tests::cluster;
use imperal_tests::{Node, User, eventually};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// Longer than a node needs for a look at the schedules that are due.
const LOOKS: Duration = Duration::from_secs(2);

/// Sets the database's clock, which goes on from there. Leases move along: the nodes renewed them all the time.
async fn set_clock(database: &Client, to: Timestamp) {
    let ahead = to.as_microsecond() - Timestamp::now().as_microsecond();
    let sql = format!(
        "BEGIN;
         -- A renewal in between would give a lease by the clock before.
         LOCK TABLE imperal.node IN ACCESS EXCLUSIVE MODE;
         UPDATE imperal.node SET lease_until = lease_until + ({} - imperal.micros());
         CREATE OR REPLACE FUNCTION imperal.micros() RETURNS bigint LANGUAGE sql VOLATILE
         AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {ahead} $$;
         COMMIT;",
        to.as_microsecond()
    );
    database.batch_execute(&sql).await.unwrap();
}

/// The node that ran the latest call.
async fn latest_runner(database: &Client) -> usize {
    let sql = "SELECT n.node FROM imperal.call c JOIN imperal.node n ON n.node_id = c.node_id ORDER BY c.call_no DESC";
    let name: String = database.query(sql, &[]).await.unwrap()[0].get(0);
    name.strip_prefix("node-").unwrap().parse().unwrap()
}

/// A user with a schedule in a zone.
struct Reader {
    user: User,
    zone: &'static str,
}

impl Reader {
    async fn subscribe(node: &Node, name: &str, zone: &'static str) -> Self {
        let user = User::of(node, name);
        let new = json!({
            "name": "Nightly digest", "app_id": "probe", "function": "echo", "params": {"text": zone},
            "when": {"cron": "30 2 * * *"}, "zone": zone,
        });
        let (status, made) = user.post("/v1/schedules", &new).await;
        assert_eq!(status, 201, "{made}");
        Self { user, zone }
    }

    /// When the digests in the chat were due, as clocks in the zone showed it then: those with a reply.
    async fn digests(&self, node: &Node) -> Vec<String> {
        let turns = self.user.at(node).turns().await;
        let replied = |call: &Value| turns.iter().any(|turn| turn["call_id"] == *call && turn["role"] == "bot");
        let due = turns.iter().filter(|turn| turn["role"] == "user" && replied(&turn["call_id"]));
        due.map(|turn| {
            let due: Timestamp = turn["schedule"]["due_at"].as_str().unwrap().parse().unwrap();
            due.to_zoned(TimeZone::get(self.zone).unwrap()).strftime("%m-%d %H:%M %:z").to_string()
        })
        .collect()
    }

    /// The schedule's counts of runs, failures, missed and skipped times, once its last run is noted.
    async fn counts(&self, node: &Node) -> [u64; 4] {
        let user = self.user.at(node);
        let schedule = eventually("no run is open", async || {
            let (_, listed) = user.get("/v1/schedules").await;
            let schedule = listed["schedules"][0].clone();
            (schedule["running"].is_null() && schedule["last_run"]["state"] == "succeeded").then_some(schedule)
        })
        .await;
        ["runs", "failures", "missed", "skipped"].map(|count| schedule["counts"][count].as_u64().unwrap_or_default())
    }
}

/// Goes from one due time to the next. The node that ran the last digest before the night of the change is killed, and
/// comes back after that night.
async fn check(database: &str, begin: &str, due: &[&str], berlin: &[&str], tokyo: &[&str]) {
    let mut fleet = Fleet::make(database, env!("CARGO_BIN_EXE_probe").as_ref(), 3).await;
    // A lease that no pause of a busy machine outlasts.
    for number in 0..fleet.len() {
        let args = &mut fleet.options_mut(number).args;
        let lease = args.iter().position(|arg| arg == "--lease").unwrap() + 1;
        "20".clone_into(&mut args[lease]);
    }
    fleet.start(0).await.terminate().await;
    let database = cluster::client_of(&fleet.database.url()).await;
    set_clock(&database, begin.parse().unwrap()).await;
    let mut nodes: Vec<Option<Node>> = fleet.start_all().await.into_iter().map(Some).collect();
    let anna = Reader::subscribe(nodes[0].as_ref().unwrap(), "anna", "Europe/Berlin").await;
    let ben = Reader::subscribe(nodes[1].as_ref().unwrap(), "ben", "Asia/Tokyo").await;

    let (mut seen, mut killed) = (0, None);
    for (night, due) in due.iter().enumerate() {
        match (night, killed) {
            (2, None) => {
                let number = latest_runner(&database).await;
                nodes[number].take().unwrap().kill().await;
                killed = Some(number);
            }
            (3, Some(number)) => nodes[number] = Some(fleet.start(number).await),
            _ => {}
        }
        let due: Timestamp = due.parse().unwrap();
        set_clock(&database, due - SignedDuration::from_millis(500)).await;
        let node = nodes.iter().flatten().next().unwrap();
        seen += 1;
        eventually("the digest has come", async || {
            let all = anna.digests(node).await.len() + ben.digests(node).await.len();
            (all >= seen).then_some(())
        })
        .await;
        // 02:30 comes again an hour later on the night when clocks go back.
        set_clock(&database, due + SignedDuration::from_millis(3_599_500)).await;
        tokio::time::sleep(LOOKS).await;
    }
    let node = nodes.iter().flatten().next().unwrap();
    assert_eq!(anna.digests(node).await, berlin);
    assert_eq!(ben.digests(node).await, tokyo);
    assert_eq!(anna.counts(node).await, [berlin.len() as u64, 0, 0, 0]);
    assert_eq!(ben.counts(node).await, [tokyo.len() as u64, 0, 0, 0]);
}

/// 02:30 does not exist on 29 March in Berlin: the digest comes at 03:00, once. Tokyo has no such day.
#[tokio::test(flavor = "multi_thread")]
async fn digests_come_once_each_when_clocks_go_forward() {
    check(
        "nightly_forward",
        "2026-03-27T20:00:00Z",
        &[
            "2026-03-28T01:30:00Z",
            "2026-03-28T17:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T17:30:00Z",
            "2026-03-30T00:30:00Z",
        ],
        &["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"],
        &["03-29 02:30 +09:00", "03-30 02:30 +09:00"],
    )
    .await;
}

/// 02:30 comes twice on 25 October in Berlin: the digest comes the first time.
#[tokio::test(flavor = "multi_thread")]
async fn digests_come_once_each_when_clocks_go_back() {
    check(
        "nightly_back",
        "2026-10-23T20:00:00Z",
        &[
            "2026-10-24T00:30:00Z",
            "2026-10-24T17:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T17:30:00Z",
            "2026-10-26T01:30:00Z",
        ],
        &["10-24 02:30 +02:00", "10-25 02:30 +02:00", "10-26 02:30 +01:00"],
        &["10-25 02:30 +09:00", "10-26 02:30 +09:00"],
    )
    .await;
}
