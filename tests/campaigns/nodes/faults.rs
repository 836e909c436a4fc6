//! The faults of a node while users work.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::fleet::{Fleet, LEASE, name};
use crate::Dice;
use crate::campaigns::crash::fate::POINTS;
use crate::proxy::Way;
use crate::{Node, cluster};

/// Longest time until other nodes have ended a dead node's incarnation and settled its work, on a loaded machine.
const BY: Duration = Duration::from_secs(60);

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The faults of a node so far.
#[derive(Debug, Default)]
pub(crate) struct FaultCounts {
    pub(crate) killed: u64,
    /// It ended itself at a named moment.
    pub(crate) at_a_moment: u64,
    pub(crate) terminated: u64,
    /// Its connection to the database was disturbed for a while.
    pub(crate) cut_off: u64,
    /// It was stopped and continued within its lease.
    pub(crate) paused: u64,
    pub(crate) zombies: Vec<Zombie>,
    pub(crate) found: Vec<String>,
}

/// An incarnation that had ended when its process continued.
#[derive(Debug)]
pub(crate) struct Zombie {
    node: String,
    incarnation: i64,
    /// Calls and tasks that it was running when it was stopped.
    pub(crate) held: i64,
    /// Hash of its calls and tasks, once other nodes had settled them.
    left: String,
}

/// Hash of an incarnation's calls and tasks, which changes with any of them.
const LEFT: &str = "SELECT md5(coalesce(string_agg(line, '|' ORDER BY line), '')) FROM (
        SELECT concat_ws(' ', task_id, state, progress_no, percent, message, outcome_seq, finished_at) AS line
        FROM imperal.task t JOIN imperal.node n USING (node_id)
        WHERE n.node = $1 AND t.incarnation = $2 AND t.task_name IS NULL
        UNION ALL
        SELECT concat_ws(' ', call_id, state, turn_seq)
        FROM imperal.call c JOIN imperal.node n USING (node_id) WHERE n.node = $1 AND c.incarnation = $2) AS lines";

/// Number of an incarnation's unsettled calls and tasks.
const UNSETTLED: &str = "SELECT
        (SELECT count(*) FROM imperal.task t JOIN imperal.node n USING (node_id)
         WHERE n.node = $1 AND t.incarnation = $2 AND t.state = 'running') +
        (SELECT count(*) FROM imperal.call c JOIN imperal.node n USING (node_id)
         WHERE n.node = $1 AND c.incarnation = $2 AND c.state <> 'replied')";

impl Zombie {
    /// Whether its calls and tasks are unchanged since the process continued.
    pub(crate) async fn kept_still(&self, client: &Client) -> bool {
        left(client, &self.node, self.incarnation).await == self.left
    }
}

async fn left(client: &Client, node: &str, incarnation: i64) -> String {
    client.query_one(LEFT, &[&node, &incarnation]).await.expect("the ledger can be read").get(0)
}

async fn unsettled(client: &Client, node: &str, incarnation: i64) -> i64 {
    client.query_one(UNSETTLED, &[&node, &incarnation]).await.expect("the ledger can be read").get(0)
}

/// The number of the node's latest incarnation, and whether it has ended.
async fn latest_incarnation(client: &Client, node: &str) -> (i64, bool) {
    let sql = "SELECT incarnation, lease_until IS NULL FROM imperal.node WHERE node = $1";
    let row = client.query_one(sql, &[&node]).await.expect("the node has joined");
    (row.get(0), row.get(1))
}

async fn over(client: &Client, node: &str) -> bool {
    latest_incarnation(client, node).await.1
}

async fn began_after(client: &Client, node: &str, incarnation: i64) -> bool {
    latest_incarnation(client, node).await.0 > incarnation
}

async fn settled(client: &Client, node: &str, incarnation: i64) -> bool {
    unsettled(client, node, incarnation).await == 0
}

async fn until<F: Future<Output = bool>>(by: Instant, mut holds: impl FnMut() -> F) -> bool {
    while !holds().await {
        if Instant::now() > by {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}

/// One node's faults, one after another. The node runs at the end.
pub(crate) struct FaultInjector {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) number: usize,
    /// One permit fewer than nodes, so that one node is always healthy.
    pub(crate) well: Arc<Semaphore>,
    pub(crate) calm: Duration,
    pub(crate) dice: Dice,
    pub(crate) counts: FaultCounts,
    /// Whether the node was started to end itself at a named moment.
    pub(crate) armed: bool,
}

impl FaultInjector {
    pub(crate) async fn run(mut self, mut node: Node, enough: CancellationToken) -> (Node, FaultCounts) {
        let client = cluster::client_of(&self.fleet.database.url()).await;
        loop {
            let calm = Duration::from_millis(300 + self.dice.below(millis(self.calm)));
            let well = self.well.clone();
            let turn = async {
                tokio::time::sleep(calm).await;
                well.acquire().await
            };
            let turn = tokio::select! {
                turn = turn => Some(turn),
                () = enough.cancelled() => break,
                // It has reached its named moment. Another node may be waiting for the permit.
                () = node.ended() => None,
            };
            let Some(Ok(_permit)) = turn else {
                self.counts.at_a_moment += 1;
                node = self.back().await;
                continue;
            };
            node = match self.dice.below(10) {
                0..3 => {
                    self.counts.killed += 1;
                    self.fleet.is_at(self.number, None);
                    node.kill().await;
                    self.rest(1500).await;
                    self.back().await
                }
                3..5 => {
                    self.counts.terminated += 1;
                    node.signal("TERM").await;
                    // It may reach its named moment during this.
                    if !node.ended_within(BY).await {
                        self.counts.found.push(format!("{} does not stop when told to", name(self.number)));
                    }
                    self.fleet.is_at(self.number, None);
                    node.kill().await;
                    self.rest(500).await;
                    self.back().await
                }
                5..7 => {
                    self.counts.cut_off += 1;
                    self.disturb_connection().await;
                    node
                }
                7 => {
                    self.counts.paused += 1;
                    node.signal("STOP").await;
                    self.rest(LEASE * 1000 / 2).await;
                    node.signal("CONT").await;
                    node
                }
                _ => {
                    self.stop_past_the_lease(&client, &mut node).await;
                    node
                }
            };
        }
        let at_a_moment = node.ended_within(Duration::ZERO).await;
        // Without a restart it could still reach its named moment while the judge reads from it.
        if at_a_moment || self.armed {
            *(if at_a_moment { &mut self.counts.at_a_moment } else { &mut self.counts.killed }) += 1;
            self.fleet.is_at(self.number, None);
            node.kill().await;
            node = self.fleet.start(self.number).await;
        }
        (node, self.counts)
    }

    async fn rest(&mut self, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.below(most_ms))).await;
    }

    /// Restarts the node, sometimes so that it ends itself at a named moment.
    async fn back(&mut self) -> Node {
        let point = (self.dice.below(3) == 0).then(|| self.dice.one_of(POINTS)).flatten();
        self.armed = point.is_some();
        if let Some((name, most)) = point {
            let env = ("IMPERAL_CRASH_AT".to_owned(), format!("{name}:{}", 1 + self.dice.below(most * 8)));
            match self.fleet.try_start(self.number, Some(env)).await {
                Some(node) => return node,
                None => self.counts.at_a_moment += 1,
            }
        }
        self.armed = false;
        self.fleet.start(self.number).await
    }

    /// Delays, holds back, half closes or breaks the node's connections to the database, also for longer than its lease.
    async fn disturb_connection(&mut self) {
        let fleet = self.fleet.clone();
        let way = fleet.way(self.number);
        let slow = Way::Slow(Duration::from_millis(5 + self.dice.below(100)));
        match self.dice.below(6) {
            0 => way.break_all(),
            1 => way.set(slow),
            2 => way.set(Way::HalfClosed),
            3 => way.set(Way::Cut),
            _ => way.set(Way::Silent),
        }
        self.rest(LEASE * 1500).await;
        way.set(Way::Open);
    }

    /// Stops the node until other nodes have ended its incarnation and settled its work, then continues it.
    async fn stop_past_the_lease(&mut self, client: &Client, node: &mut Node) {
        let who = name(self.number);
        node.signal("STOP").await;
        let (incarnation, _) = latest_incarnation(client, &who).await;
        let held = unsettled(client, &who, incarnation).await;
        let by = Instant::now() + BY;
        if !until(by, || over(client, &who)).await {
            self.counts.found.push(format!("no node ended the incarnation of {who}, which was stopped past its lease"));
            return node.signal("CONT").await;
        }
        if !until(by, || settled(client, &who, incarnation)).await {
            self.counts.found.push(format!("no node settled the work of {who}, which was stopped past its lease"));
        }
        let left = left(client, &who, incarnation).await;
        node.signal("CONT").await;
        let back = || began_after(client, &who, incarnation);
        // Unless it reaches its named moment first.
        if !until(Instant::now() + BY, back).await && !node.ended_within(Duration::ZERO).await {
            self.counts.found.push(format!("{who} continued and did not join as a new incarnation"));
        }
        self.counts.zombies.push(Zombie { node: who, incarnation, held, left });
    }
}
