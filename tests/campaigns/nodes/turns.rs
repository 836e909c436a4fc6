//! A greedy user in a queue: it starts nearly all of the queue's tasks, and guests come in between with a few.
//!
//! The rule is that of the simulations in `contract::fairness`: between the moment when a guest's first task can be taken
//! and its turn, no other user has more than one turn. A turn is a row of the ledger (the attempt that a claim began), so
//! no kill, pause or slow machine changes the count. The moment is exact because the campaign holds the queue's row
//! while it looks at the task: no claim is under way then, and each later one sees the task. The queue has one slot, and the
//! greedy user's tasks are long enough for most guests to be seen waiting; the others are not counted.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::crowd::Crowd;
use crate::campaigns::crash::driver::{TrackedUser, send};
use crate::{Dice, cluster};

/// Open tasks of the greedy user: far more than the queue has slots, and fewer than a user may have.
const OPEN: i64 = 200;
/// Tasks of one call of the greedy user.
const BATCH: u64 = 20;
/// Guests that come at once.
const PARTY: u64 = 3;
/// Longest time in which nothing happens in the queue.
const PATIENCE: Duration = Duration::from_secs(300);

/// A guest with its first task.
#[derive(Debug)]
pub(super) struct Arrival {
    user: String,
    task_id: String,
    /// The number of the queue's latest turn when the task could be taken.
    turn: u64,
}

/// The users of the queue.
pub(super) struct Turns {
    pub(super) crowd: Crowd,
    /// The queue's tasks. For each guest nineteen are the greedy user's.
    pub(super) tasks: u64,
    pub(super) dice: Dice,
}

/// The events of the queue.
struct Progress {
    /// Tasks of the greedy user that were started, and those among them that have not ended.
    started: u64,
    open: i64,
    /// Turns so far.
    served: u64,
}

impl Turns {
    /// One for twenty of the queue's tasks, and at least one party.
    fn guests(&self) -> u64 {
        (self.tasks / 20).max(PARTY).min(self.tasks / 2)
    }

    /// Starts the tasks. Returns the guests whose first task was seen before its turn, and the faults.
    pub(super) async fn run(mut self) -> (Vec<Arrival>, Vec<String>) {
        let mut client = cluster::client_of(&self.crowd.fleet.database.url()).await;
        let (guests, greedy) = (self.guests(), user("greedy"));
        let quota = self.tasks.saturating_sub(guests);
        let (mut arrivals, mut came) = (Vec::new(), 0);
        let (mut last, mut changed_at) = ((0, 0), Instant::now());
        loop {
            let Progress { started, open, served } = progress(&client).await;
            if (started, served) != last {
                (last, changed_at) = ((started, served), Instant::now());
            }
            if changed_at.elapsed() > PATIENCE {
                return (arrivals, vec![format!("nothing happened in the queue after turn {served}")]);
            }
            if started < quota && open < OPEN {
                let millis = 50 + self.dice.below(100);
                let _ = self.start(&greedy, BATCH.min(quota - started), millis, None).await;
            }
            // They come one party after the other, while the greedy user's tasks are served.
            if came < guests && served > came * quota / guests {
                let party = came..(came + PARTY).min(guests);
                came = party.end;
                self.welcome(&mut client, party.collect(), &mut arrivals).await;
            }
            if started >= quota && came == guests {
                return (arrivals, Vec::new());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Calls for guests until each call is answered. Notes the turn of those whose task still waits for its own.
    async fn welcome(&mut self, client: &mut Client, mut party: Vec<u64>, arrivals: &mut Vec<Arrival>) {
        let by = Instant::now() + PATIENCE;
        while !party.is_empty() && Instant::now() < by {
            let mut left = Vec::new();
            for guest in party {
                let name = format!("guest-{guest}");
                let started = self.start(&user(&name), 1 + guest % 3, guest % 30, Some(&name)).await;
                let Some(task_id) = started else {
                    left.push(guest);
                    continue;
                };
                // No claim is under way while the queue's row is held, and each later one sees the task.
                let held = client.transaction().await.expect("a transaction begins");
                let sql = "SELECT served FROM imperal.queue WHERE queue = 'fair' FOR UPDATE";
                let served: i64 = held.query_one(sql, &[]).await.expect("the queue has had a task").get(0);
                let sql = "SELECT attempt = 0 FROM imperal.task WHERE task_id::text = $1";
                let waits = held.query_one(sql, &[&task_id]).await.expect("an acknowledged task is stored");
                held.commit().await.expect("the row is given back");
                if waits.get(0) {
                    arrivals.push(Arrival { user: name, task_id, turn: served.unsigned_abs() });
                }
            }
            party = left;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A call that starts tasks in the queue. Returns the first of them once the call is answered; the same one for a
    /// repeated `key`.
    async fn start(&mut self, user: &TrackedUser, tasks: u64, millis: u64, key: Option<&str>) -> Option<String> {
        let url = self.crowd.fleet.any(&mut self.dice)?;
        let params = json!({ "tasks": tasks, "millis": millis });
        let body = json!({ "function": "line_up", "params": params });
        let user = user.visit_by(&self.crowd.http, &url);
        let mut request = user.request(Method::POST, "/v1/extensions/probe/call").json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let (status, answer) = send(request).await.ok()?;
        let task_id = answer.pointer("/result/data/task_ids/0").and_then(serde_json::Value::as_str);
        task_id.filter(|_| status == StatusCode::OK).map(str::to_owned)
    }
}

fn user(id: &str) -> TrackedUser {
    TrackedUser::new("default", id, "")
}

async fn progress(client: &Client) -> Progress {
    let sql = "SELECT count(*), count(*) FILTER (WHERE t.finished_at IS NULL),
            coalesce((SELECT q.served FROM imperal.queue q WHERE q.queue = 'fair'), 0)
        FROM imperal.task t JOIN imperal.owner o USING (owner_id) WHERE o.user_id = 'greedy'";
    let row = client.query_one(sql, &[]).await.expect("the ledger can be read");
    let number = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    Progress { started: number(0), open: row.get(1), served: number(2) }
}

/// The owner and the task of each turn of the queue, in order: an attempt that a claim began.
const TURNS: &str = "SELECT o.user_id, c.task_id FROM (
        SELECT t.owner_id, t.task_id::text AS task_id, a.began_at AS at
        FROM imperal.attempt a JOIN imperal.task t USING (task_no) WHERE t.queue = 'fair'
        UNION ALL
        SELECT t.owner_id, t.task_id::text, d.claimed_at
        FROM imperal.durable d JOIN imperal.task t USING (task_no) WHERE t.queue = 'fair' AND d.claimed_at IS NOT NULL
    ) AS c JOIN imperal.owner o USING (owner_id) ORDER BY c.at";

/// Compares the turns of the queue, at rest, with the arrivals. Returns the number of checks and the faults.
pub(super) async fn judge(client: &Client, arrivals: &[Arrival]) -> (u64, Vec<String>) {
    let rows = client.query(TURNS, &[]).await.expect("the ledger can be read");
    let turns: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let sql = "SELECT served FROM imperal.queue WHERE queue = 'fair'";
    let served = client.query_opt(sql, &[]).await.expect("the ledger can be read");
    let served = served.map_or(0, |row| row.get::<_, i64>(0));
    let mut found = Vec::new();
    if turns.len() as u64 != served.unsigned_abs() {
        found.push(format!("the queue counts {served} turns, and its tasks have {} attempts", turns.len()));
    }
    for Arrival { user, task_id, turn } in arrivals {
        let since = usize::try_from(*turn).map_or(&[][..], |turn| turns.get(turn..).unwrap_or_default());
        let Some(own) = since.iter().position(|(_, served)| served == task_id) else {
            found.push(format!("the task of {user} came after turn {turn} and had none"));
            continue;
        };
        let mut of_others: HashMap<&str, u64> = HashMap::new();
        for (other, _) in &since[..own] {
            *of_others.entry(other).or_default() += 1;
        }
        for (other, count) in of_others.iter().filter(|(_, count)| **count > 1) {
            found.push(format!("{other} had {count} turns before the first one of {user}, who came after turn {turn}"));
        }
    }
    (arrivals.len() as u64, found)
}
