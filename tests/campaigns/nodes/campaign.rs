//! The campaign: starts users and faults from a seed, waits for rest, and judges.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::crowd::Crowd;
use super::faults::{FaultCounts, FaultInjector};
use super::fleet::Fleet;
use super::report::{QUEUE, Report, TURNS, ZOMBIE};
use super::turns::{self, Turns};
use crate::Dice;
use crate::campaigns::crash::campaign::chat;
use crate::campaigns::crash::contents::Contents;
use crate::campaigns::crash::driver::{Gone, TrackedUser, send};
use crate::campaigns::crash::judge::{AUDIT, EFFECT, FILE, LIVE, REPLY, START, STEP, judge, judge_effects};
use crate::campaigns::crash::stored_files::{AGE, AGED, judge_swept};
use crate::cluster;
use crate::support::step_service::StepService;

/// Longest time until all work is settled once users and faults have stopped.
const REST: Duration = Duration::from_secs(420);

/// A campaign against several nodes.
#[derive(Debug)]
pub struct Campaign {
    /// The binary that hosts the extension `probe`, built with `crash-points`.
    pub binary: PathBuf,
    /// Nodes at once, at least two.
    pub nodes: usize,
    /// Users at once.
    pub users: u64,
    /// Acknowledged tasks of all users together, and as many tasks of one greedy user and its guests in a queue.
    pub tasks: u64,
    /// Longest time between two faults of a node.
    pub calm: Duration,
    /// Seed of all choices.
    pub seed: u64,
    /// Whether the campaign prints its progress.
    pub talkative: bool,
}

impl Campaign {
    /// Runs the campaign and judges the ledger.
    ///
    /// # Panics
    /// When PostgreSQL or a node does not start.
    pub async fn run(&self) -> Report {
        let begun = Instant::now();
        let mut dice = Dice::new(self.seed);
        let fleet = Arc::new(Fleet::make("nodes", &self.binary, self.nodes).await);
        let nodes = fleet.start_all().await;
        let crowd = Crowd::new(fleet.clone());
        let service = StepService::start().await;
        let tracked_users: Vec<_> = (0..self.users).map(|number| user(number, self.users, &service.url)).collect();

        let enough = CancellationToken::new();
        let well = Arc::new(Semaphore::new((self.nodes - 1).max(1)));
        let mut injectors = JoinSet::new();
        for (number, node) in nodes.into_iter().enumerate() {
            let (fleet, well, dice) = (fleet.clone(), well.clone(), dice.fork());
            let injector = FaultInjector {
                fleet,
                number,
                well,
                calm: self.calm,
                dice,
                counts: FaultCounts::default(),
                armed: false,
            };
            injectors.spawn(injector.run(node, enough.clone()));
        }
        let queue = tokio::spawn(watch_queue(fleet.database.url(), enough.clone()));
        let watched = CancellationToken::new();
        let mut watchers = JoinSet::new();
        let mut drivers = JoinSet::new();
        for (number, tracked) in (0..).zip(&tracked_users) {
            watchers.spawn(crowd.clone().watch(tracked.clone(), watched.clone(), dice.fork()));
            let others = tracked_users.iter().filter(|other| other.mark() != tracked.mark()).cloned().collect();
            let quota = self.tasks / self.users + u64::from(number < self.tasks % self.users);
            drivers.spawn(crowd.clone().drive(tracked.clone(), others, quota, dice.fork()));
        }
        let turns = Turns { crowd: crowd.clone(), tasks: (self.tasks / 10).max(60), dice: dice.fork() };
        let turns = tokio::spawn(turns.run());
        let mut left = self.users;
        while let Some(done) = drivers.join_next().await {
            done.expect("users do not panic");
            left -= 1;
            if self.talkative && left.is_multiple_of(10) {
                eprintln!("{left} users still at work after {} s", begun.elapsed().as_secs());
            }
        }
        let (arrivals, starved) = turns.await.expect("the queue's users do not panic");
        enough.cancel();
        let mut report = Report::new(self, &crowd.counts);
        let mut nodes = Vec::new();
        while let Some(finished) = injectors.join_next().await {
            let (node, counts) = finished.expect("a fault injector does not panic");
            nodes.push(node);
            report.add_faults(counts);
        }
        report.checked(QUEUE, queue.await.expect("the queue's watcher does not panic"));
        let mut client = cluster::client_of(&fleet.database.url()).await;
        if !at_rest(&client, &crowd, &tracked_users, &mut dice).await {
            report.found(START, &format!("work is unsettled {} s after everything was left alone", REST.as_secs()));
        }
        // One stream of a user at a time: two would show the same events.
        watched.cancel();
        while watchers.join_next().await.is_some() {}
        let by = Instant::now() + REST;
        for tracked in &tracked_users {
            if !crowd.catch_up(tracked, &mut dice, by).await {
                report.found(LIVE, &format!("{}'s stream never reached its head", tracked.mark()));
            }
        }
        let contents = verdict(&crowd, &tracked_users, &mut client, &mut dice, &mut report).await;
        report.checked(REPLY, links(&client).await);
        report.checked(EFFECT, judge_effects(&contents, &service.effects, true));
        report.checked(STEP, service.verdict());
        report.checked(TURNS, (0, starved));
        report.checked(TURNS, turns::judge(&client, &arrivals).await);
        for zombie in report.zombies() {
            if !zombie.kept_still(&client).await {
                report.found(ZOMBIE, &format!("a zombie wrote: {zombie:?}"));
            }
        }
        for node in nodes {
            node.kill().await;
        }
        report.checked(FILE, swept(&fleet, &mut client).await);
        for number in 0..fleet.len() {
            for line in fleet.log(number).lines().filter(|line| line.contains("panicked at")) {
                report.found(REPLY, &format!("a node panicked: {line}"));
            }
        }
        report.took(begun.elapsed());
        report.streams = crowd.counts.streams.load(Ordering::Relaxed);
        report
    }
}

/// Sweeps the files twice, as two days later: first unclaimed files are deleted, then the bytes are removed.
async fn swept(fleet: &Fleet, client: &mut Client) -> (u64, Vec<String>) {
    for _ in 0..2 {
        client.batch_execute(&format!("UPDATE imperal.{AGE}")).await.expect("the ledger can be written");
        let node = fleet.start(0).await;
        crate::eventually("the sweep has looked at all files", async || {
            let left = client.query_one(&format!("SELECT count(*) FROM imperal.{AGED}"), &[]).await;
            (left.expect("the ledger can be read").get::<_, i64>(0) == 0).then_some(())
        })
        .await;
        node.kill().await;
    }
    judge_swept(&Contents::of_database(client).await, &fleet.files())
}

/// Looks for rows that name an owner or a node that is not stored: their tables have no foreign keys. Returns the number of
/// rows and the faults.
async fn links(client: &Client) -> (u64, Vec<String>) {
    let (mut rows, mut found) = (0, Vec::new());
    for (table, key, of) in [
        ("turn", "owner_id", "owner"),
        ("call", "owner_id", "owner"),
        ("call", "node_id", "node"),
        ("task", "owner_id", "owner"),
        ("task", "node_id", "node"),
        ("task_event", "owner_id", "owner"),
        ("audit", "owner_id", "owner"),
    ] {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE o.{key} IS NULL)
             FROM imperal.{table} t LEFT JOIN imperal.{of} o ON o.{key} = t.{key}"
        );
        let row = client.query_one(&sql, &[]).await.expect("the ledger can be read");
        let (all, lost): (i64, i64) = (row.get(0), row.get(1));
        rows += all.unsigned_abs();
        if lost > 0 {
            found.push(format!("{lost} rows of {table} name no {of}"));
        }
    }
    (rows, found)
}

/// Slots of the probe's queue, and of one user in it.
const SLOTS: (i64, i64) = (6, 2);

/// Counts the tasks that run in the probe's queue until `enough` is cancelled. Returns how often a task ran, and the
/// faults.
async fn watch_queue(url: String, enough: CancellationToken) -> (u64, Vec<String>) {
    let sql = "SELECT coalesce(sum(n), 0)::bigint, coalesce(max(n), 0)::bigint FROM (
        SELECT count(*) AS n FROM imperal.task WHERE queue = 'narrow' AND state = 'running' AND NOT abandoned
        GROUP BY owner_id) AS q";
    let client = cluster::client_of(&url).await;
    let (mut looks, mut found) = (0, Vec::new());
    while !enough.is_cancelled() {
        let row = client.query_one(sql, &[]).await.expect("the ledger can be read");
        let (running, of_one): (i64, i64) = (row.get(0), row.get(1));
        looks += u64::from(running > 0);
        if running > SLOTS.0 || of_one > SLOTS.1 {
            found.push(format!("{running} tasks ran at once in the queue, {of_one} of them of one user"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (looks, found)
}

/// A tenth of the users shares its id with a user of another tenant.
fn user(number: u64, users: u64, service: &str) -> TrackedUser {
    let (tenant, id) = if number < users / 10 { ("north", number + users / 10) } else { ("default", number) };
    let mut tracked = TrackedUser::new(tenant, &format!("user-{id}"), service);
    tracked.may_be_refused = true;
    tracked
}

/// Waits until all work has ended. The users answer what they are asked about effects.
async fn at_rest(client: &Client, crowd: &Crowd, tracked_users: &[TrackedUser], dice: &mut Dice) -> bool {
    let sql = "SELECT NOT EXISTS (SELECT FROM imperal.task WHERE finished_at IS NULL)
        AND NOT EXISTS (SELECT FROM imperal.call WHERE state <> 'replied')
        AND NOT EXISTS (SELECT FROM imperal.schedule WHERE wake_at < created_at + 3600000000)";
    let by = Instant::now() + REST;
    while !client.query_one(sql, &[]).await.expect("the ledger can be read").get::<_, bool>(0) {
        if Instant::now() > by {
            return false;
        }
        for tracked in tracked_users {
            if let Some(url) = crowd.fleet.any(dice) {
                let _ = tracked.answer_effects(&tracked.visit_by(&crowd.http, &url)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    true
}

/// Asks until the node answers. After a broken connection to the database, the node answers only when the
/// statement on that connection has timed out.
async fn answered<T, F: Future<Output = Result<T, Gone>>>(ask: impl Fn() -> F) -> T {
    let by = Instant::now() + REST;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(Gone) => assert!(Instant::now() < by, "a node that is left alone does not answer"),
        }
    }
}

/// Compares the database and the answers over HTTP with the users' records.
async fn verdict(
    crowd: &Crowd,
    tracked_users: &[TrackedUser],
    client: &mut Client,
    dice: &mut Dice,
    report: &mut Report,
) -> Contents {
    let contents = Contents::of_database(client).await;
    let verdict = judge(&contents, tracked_users, true);
    report.judged(&contents, tracked_users, verdict);
    for tracked in tracked_users {
        let url = crowd.fleet.any(dice).expect("the nodes are left alone");
        let user = tracked.visit_by(&crowd.http, &url);
        let shown = answered(|| chat(&user)).await;
        let owner = contents.owner(&tracked.tenant, &tracked.id);
        let stored = contents.turns.iter().filter(|turn| Some(turn.owner) == owner);
        if !stored.map(|turn| &turn.turn_id).eq(&shown) {
            report.found(REPLY, &format!("{} reads another chat over HTTP than is stored", tracked.mark()));
        }
        let (_, trail) = answered(|| send(user.request(reqwest::Method::GET, "/v1/audit/check"))).await;
        if !trail["rows"].is_u64() || !trail["broken"].is_null() {
            report.found(AUDIT, &format!("{}'s audit trail is broken: {trail}", tracked.mark()));
        }
    }
    contents
}
