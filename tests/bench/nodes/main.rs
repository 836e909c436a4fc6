//! What many nodes on one PostgreSQL cost and bring. Figures are printed, none is asserted; ratios
//! are taken within this run.
//!
//!     cargo build --release -p imperal-tests --bin probe --bin nodes-bench
//!     target/release/nodes-bench [scale | recovery | stream | cancel | trips]
//!     target/release/nodes-bench scale 10     # each node has 10 % of a core; needs root
//!
//! With `ledger URL` it is one side of the comparison in `tests/bench/queue`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]

mod scale;
mod share;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::context::MsgType;
use imperal::ids::{CallId, TaskId, TurnId};
use imperal::ledger::{
    AuditOutcome, Incarnation, Ledger, NewAudit, NewCall, NewTask, Owner, PostgresLedger, Role, TaskEnd, TaskState,
    TurnBody,
};
use imperal_tests::campaigns::nodes::LEASE;
use imperal_tests::cluster::{self, Database};
use imperal_tests::{Node, NodeOptions, User, sibling};
use serde_json::json;
use tempfile::TempDir;

/// Between two measurements of a wait: what is measured is the wait, not how often it can be had.
const REST: Duration = Duration::from_millis(100);

struct Fleet {
    nodes: Vec<Node>,
    _data: Vec<TempDir>,
    database: Database,
}

fn binary() -> PathBuf {
    sibling(&std::env::args().next().unwrap(), "probe")
}

async fn nodes(name: &str, count: usize) -> Fleet {
    let database = Database::make(name).await;
    let mut nodes = Vec::new();
    let mut folders = Vec::new();
    for _ in 0..count {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(binary(), folder.path().join("data"));
        options.args.extend(["--lease".to_owned(), LEASE.to_string()]);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
        options.env.push(("RUST_LOG".to_owned(), "error".to_owned()));
        nodes.push(options.start().await);
        folders.push(folder);
    }
    Fleet { nodes, _data: folders, database }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn rate(count: usize, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / seconds
}

/// From `kill -9` to the outcome turn on another node, as a multiple of the lease.
async fn recovery() {
    let mut fleet = nodes("recovery", 2).await;
    let mut multiples = Vec::new();
    for round in 0..10 {
        let user = User::of(&fleet.nodes[0], &format!("user-{round}"));
        let called = user.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
        let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        let there = user.at(&fleet.nodes[1]);
        // Not always at the same moment between two renewals.
        tokio::time::sleep(Duration::from_millis(37 * round)).await;
        let first = fleet.nodes.remove(0);
        let begun = Instant::now();
        let options = first.kill().await;
        assert_eq!(there.end_of(&task_id).await["state"], "reclaimed");
        let lease = f64::from(u32::try_from(LEASE).unwrap());
        multiples.push(begun.elapsed().as_secs_f64() / lease);
        fleet.nodes.insert(0, options.start().await);
    }
    println!(
        "from kill -9 to the outcome turn, lease {LEASE} s, 10 kills, load {}: median {:.2} leases, worst {:.2}",
        load(),
        median(multiples.clone()),
        worst(&multiples)
    );
}

/// From a message's being accepted on one node to its being shown on a stream of the same and of
/// another.
async fn stream() {
    let fleet = nodes("stream", 2).await;
    let user = User::of(&fleet.nodes[0], "anna");
    let mut same = user.stream(0).await;
    let mut other = user.at(&fleet.nodes[1]).stream(0).await;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for round in 0..220 {
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        let asked = tokio::spawn({
            let user = user.clone();
            async move { user.call("echo", json!({"text": "hello"})).await }
        });
        let (mut turns_same, mut turns_other) = (0, 0);
        let (mut when_same, mut late_other) = (0.0, 0.0);
        while turns_same < 2 || turns_other < 2 {
            tokio::select! {
                event = same.next(), if turns_same < 2 => if event.event == "turn" {
                    turns_same += 1;
                    when_same = begun.elapsed().as_secs_f64();
                },
                event = other.next(), if turns_other < 2 => if event.event == "turn" {
                    turns_other += 1;
                    late_other = begun.elapsed().as_secs_f64();
                },
            }
        }
        asked.await.unwrap();
        if round >= 20 {
            here.push(when_same * 1e3);
            there.push(late_other * 1e3);
        }
    }
    let (same, other) = (median(here.clone()), median(there.clone()));
    println!(
        "from a call to its reply on a stream, 200 calls, load {}: same node median {same:.1} ms (worst {:.0}), other \
         node median {other:.1} ms (worst {:.0}), {:.1} times as long",
        load(),
        worst(&here),
        worst(&there),
        other / same
    );
}

/// From a cancel's being asked on one node to the end of the task on another.
async fn cancel() {
    let fleet = nodes("cancel", 2).await;
    let user = User::of(&fleet.nodes[0], "anna");
    let there = user.at(&fleet.nodes[1]);
    let mut times = Vec::new();
    for _ in 0..50 {
        let called = user.call("steps", json!({"steps": 100_000, "step_ms": 5})).await;
        let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        let mut events = there.stream(called["turn"]["seq"].as_u64().unwrap()).await;
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        assert_eq!(there.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await.0, 200);
        loop {
            let event = events.next().await;
            if event.event == "task" && event.data["task_id"] == task_id && event.data["state"] == "cancelled" {
                break;
            }
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "from a cancel on one node to the task's end on another, shown on the first's stream, 50 cancels, load {}: \
         median {:.0} ms, worst {:.0} ms",
        load(),
        median(times.clone()),
        worst(&times)
    );
}

/// Transactions that a call takes: each is one statement and one round trip.
async fn trips() {
    let fleet = nodes("trips", 1).await;
    let client = cluster::client_of(&fleet.database.url()).await;
    let committed = async || -> i64 {
        // A connection says what it did a second later, or when it is idle for longer.
        tokio::time::sleep(Duration::from_secs(11)).await;
        let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    let user = User::of(&fleet.nodes[0], "anna");
    user.call("echo", json!({"text": "hello"})).await;
    let begun = Instant::now();
    let first = committed().await;
    let idle = rate(usize::try_from(committed().await - first).unwrap(), 11.0);
    for (name, function, params) in [
        ("a foreground call", "echo", json!({"text": "hello"})),
        ("a call with a background task", "steps", json!({"steps": 0, "step_ms": 0})),
    ] {
        let before = committed().await;
        let since = Instant::now();
        for _ in 0..200 {
            user.call(function, params.clone()).await;
        }
        let after = committed().await;
        let own = idle * since.elapsed().as_secs_f64();
        let each = (f64::from(i32::try_from(after - before).unwrap()) - own) / 200.0;
        println!("{name}: {each:.1} transactions, one round trip each");
    }
    println!("a node at rest: {idle:.1} transactions a second ({} s measured)", begun.elapsed().as_secs());
}

fn turn(role: Role, call_id: CallId, task_id: Option<TaskId>) -> TurnBody {
    TurnBody {
        turn_id: TurnId::generate(),
        role,
        msg_type: MsgType::Response,
        text: "x".repeat(200),
        app_id: "refine".to_owned(),
        function: Some("refine_output".to_owned()),
        params: None,
        call_id: Some(call_id),
        task_id,
        result: None,
        refresh_panels: None,
        truncated: false,
    }
}

fn end(owner: &Owner, call_id: CallId, task_id: TaskId) -> TaskEnd {
    let turn = turn(Role::Bot, call_id, Some(task_id));
    let audit = NewAudit {
        tenant_id: owner.tenant_id.to_string(),
        user_id: owner.user_id.to_string(),
        actor: "extension:refine".to_owned(),
        app_id: Some("refine".to_owned()),
        action: "chat.inject".to_owned(),
        target: Some(turn.turn_id.to_string()),
        outcome: AuditOutcome::Done,
        detail: None,
    };
    TaskEnd { state: TaskState::Succeeded, turn, audit }
}

/// One user's work in the ledger, step by step.
#[derive(Clone)]
struct Side {
    ledger: Arc<PostgresLedger>,
    incarnation: Incarnation,
    owner: Owner,
    calls: Vec<CallId>,
    tasks: Vec<(CallId, TaskId)>,
}

impl Side {
    async fn call(mut self, count: usize) -> Self {
        for _ in 0..count {
            let call_id = CallId::generate();
            let new =
                NewCall { call_id, owner: self.owner.clone(), turn: turn(Role::User, call_id, None), max_stored: None };
            self.ledger.accept_call(&self.incarnation, new).await.unwrap();
            self.ledger.reply(&self.incarnation, call_id, turn(Role::Bot, call_id, None)).await.unwrap();
            self.calls.push(call_id);
        }
        self
    }

    async fn start(mut self, _: usize) -> Self {
        for call_id in std::mem::take(&mut self.calls) {
            let new = NewTask {
                task_id: TaskId::generate(),
                call_id,
                owner: self.owner.clone(),
                app_id: "refine".to_owned(),
                function: "refine_output".to_owned(),
                name: "refine".to_owned(),
                key: None,
                long_running: false,
                cap: Duration::from_secs(180),
                max_running: u32::MAX,
            };
            self.tasks.push((call_id, self.ledger.start_task(&self.incarnation, new).await.unwrap().task_id));
        }
        self
    }

    async fn finish(mut self, _: usize) -> Self {
        for (call_id, task_id) in std::mem::take(&mut self.tasks) {
            self.ledger.finish_task(&self.incarnation, task_id, end(&self.owner, call_id, task_id)).await.unwrap();
        }
        self
    }
}

/// All sides do this at once; seconds until the last has done it.
async fn all<F>(sides: &mut Vec<Side>, each: usize, step: impl Fn(Side, usize) -> F) -> f64
where
    F: Future<Output = Side> + Send + 'static,
{
    let begun = Instant::now();
    let steps: Vec<_> = sides.drain(..).map(|side| tokio::spawn(step(side, each))).collect();
    for step in steps {
        sides.push(step.await.unwrap());
    }
    begun.elapsed().as_secs_f64()
}

/// Answers each line of standard input with three times: calls, starts and ends of so many tasks.
async fn ledger(url: &str, callers: usize, each: usize) {
    let ledger = Arc::new(PostgresLedger::connect_in(url, "bench_ledger", callers).await.unwrap());
    let incarnation = ledger.join("bench", Duration::from_secs(3600)).await.unwrap();
    let side = |user| Side {
        ledger: ledger.clone(),
        incarnation: incarnation.clone(),
        owner: Owner::new("tenant", &format!("user{user}")),
        calls: Vec::new(),
        tasks: Vec::new(),
    };
    let mut sides: Vec<_> = (0..callers).map(side).collect();
    for line in std::io::stdin().lines() {
        drop(line.unwrap());
        let called = all(&mut sides, each, Side::call).await;
        let started = all(&mut sides, each, Side::start).await;
        let ended = all(&mut sides, each, Side::finish).await;
        println!("{called} {started} {ended}");
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(16);
    match arguments.first().map(String::as_str) {
        Some("scale") => scale::scale(arguments.get(1).and_then(|part| part.parse().ok())).await,
        Some("recovery") => recovery().await,
        Some("stream") => stream().await,
        Some("cancel") => cancel().await,
        Some("trips") => trips().await,
        Some("ledger") => ledger(&arguments[1], number(2), number(3)).await,
        _ => {
            trips().await;
            stream().await;
            cancel().await;
            recovery().await;
            scale::scale(None).await;
        }
    }
}
