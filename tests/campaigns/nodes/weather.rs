//! What happens to one node after the other while users work.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::fleet::{Fleet, LEASE, name};
use crate::campaigns::crash::dice::Dice;
use crate::campaigns::crash::fate::POINTS;
use crate::proxy::Way;
use crate::{Node, cluster};

/// By when a dead node's life must be ended and its work settled, on a machine with other work.
const BY: Duration = Duration::from_secs(60);

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// What happened to the nodes.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) killed: u64,
    /// Ended by themselves at a named moment.
    pub(crate) at_a_moment: u64,
    pub(crate) terminated: u64,
    /// Cut off from the database, or worse, for a while.
    pub(crate) cut_off: u64,
    /// Stopped and continued within their lease.
    pub(crate) paused: u64,
    pub(crate) zombies: Vec<Zombie>,
    pub(crate) found: Vec<String>,
}

/// A life that was over when its process went on.
#[derive(Debug)]
pub(crate) struct Zombie {
    node: String,
    incarnation: i64,
    /// Calls and tasks that it had at work when it was stopped.
    pub(crate) held: i64,
    /// What it left, once others had settled it.
    left: String,
}

/// A life's calls and tasks, in a form that shows every change.
const LEFT: &str = "SELECT md5(coalesce(string_agg(line, '|' ORDER BY line), '')) FROM (
        SELECT concat_ws(' ', task_id, state, progress_no, percent, message, outcome_seq, finished_at) AS line
        FROM imperal.task t JOIN imperal.node n USING (node_id) WHERE n.node = $1 AND t.incarnation = $2
        UNION ALL
        SELECT concat_ws(' ', call_id, state, turn_seq)
        FROM imperal.call c JOIN imperal.node n USING (node_id) WHERE n.node = $1 AND c.incarnation = $2) AS lines";

/// How much of a life is not settled: calls without a reply, running tasks.
const UNSETTLED: &str = "SELECT
        (SELECT count(*) FROM imperal.task t JOIN imperal.node n USING (node_id)
         WHERE n.node = $1 AND t.incarnation = $2 AND t.state = 'running') +
        (SELECT count(*) FROM imperal.call c JOIN imperal.node n USING (node_id)
         WHERE n.node = $1 AND c.incarnation = $2 AND c.state <> 'replied')";

impl Zombie {
    /// Whether everything is as it was when the process went on.
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

/// The node's latest epoch, and whether that life is over.
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

/// One node's fates, one after the other, until told; then it is left running.
pub(crate) struct Weather {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) number: usize,
    /// One permit fewer than there are nodes: somebody is always well.
    pub(crate) well: Arc<Semaphore>,
    pub(crate) calm: Duration,
    pub(crate) dice: Dice,
    pub(crate) happened: Happened,
    /// Whether the node is to die at a named moment.
    pub(crate) armed: bool,
}

impl Weather {
    pub(crate) async fn blow(mut self, mut node: Node, enough: CancellationToken) -> (Node, Happened) {
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
                // It has met its named moment. Others may be waiting for somebody who is well.
                () = node.ended() => None,
            };
            let Some(Ok(_permit)) = turn else {
                self.happened.at_a_moment += 1;
                node = self.back().await;
                continue;
            };
            node = match self.dice.below(10) {
                0..3 => {
                    self.happened.killed += 1;
                    self.fleet.is_at(self.number, None);
                    node.kill().await;
                    self.rest(1500).await;
                    self.back().await
                }
                3..5 => {
                    self.happened.terminated += 1;
                    node.signal("TERM").await;
                    // It may meet its named moment on the way.
                    if !node.ended_within(BY).await {
                        self.happened.found.push(format!("{} does not stop when told to", name(self.number)));
                    }
                    self.fleet.is_at(self.number, None);
                    node.kill().await;
                    self.rest(500).await;
                    self.back().await
                }
                5..7 => {
                    self.happened.cut_off += 1;
                    self.spoil_the_way().await;
                    node
                }
                7 => {
                    self.happened.paused += 1;
                    node.signal("STOP").await;
                    self.rest(LEASE * 1000 / 2).await;
                    node.signal("CONT").await;
                    node
                }
                _ => {
                    self.past_the_lease(&client, &mut node).await;
                    node
                }
            };
        }
        let at_a_moment = node.ended_within(Duration::ZERO).await;
        // Left alone, it would still meet its named moment, perhaps while it is asked what it has.
        if at_a_moment || self.armed {
            *(if at_a_moment { &mut self.happened.at_a_moment } else { &mut self.happened.killed }) += 1;
            self.fleet.is_at(self.number, None);
            node.kill().await;
            node = self.fleet.start(self.number).await;
        }
        (node, self.happened)
    }

    async fn rest(&mut self, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.below(most_ms))).await;
    }

    /// Starts the node again, now and then to die at a named moment.
    async fn back(&mut self) -> Node {
        let point = (self.dice.below(3) == 0).then(|| self.dice.one_of(POINTS)).flatten();
        self.armed = point.is_some();
        if let Some((name, most)) = point {
            let env = ("IMPERAL_CRASH_AT".to_owned(), format!("{name}:{}", 1 + self.dice.below(most * 8)));
            match self.fleet.try_start(self.number, Some(env)).await {
                Some(node) => return node,
                None => self.happened.at_a_moment += 1,
            }
        }
        self.armed = false;
        self.fleet.start(self.number).await
    }

    /// Delays, holds back, half closes or cuts the node's way to the database, up to past its lease.
    async fn spoil_the_way(&mut self) {
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

    /// Stops the node until others have ended its life and settled what it had, then lets it go on.
    async fn past_the_lease(&mut self, client: &Client, node: &mut Node) {
        let who = name(self.number);
        node.signal("STOP").await;
        let (incarnation, _) = latest_incarnation(client, &who).await;
        let held = unsettled(client, &who, incarnation).await;
        let by = Instant::now() + BY;
        if !until(by, || over(client, &who)).await {
            self.happened.found.push(format!("nobody ended the life of {who}, which was stopped past its lease"));
            return node.signal("CONT").await;
        }
        if !until(by, || settled(client, &who, incarnation)).await {
            self.happened.found.push(format!("nobody settled what {who} had, which was stopped past its lease"));
        }
        let left = left(client, &who, incarnation).await;
        node.signal("CONT").await;
        let back = || began_after(client, &who, incarnation);
        // Unless it meets its named moment first.
        if !until(Instant::now() + BY, back).await && !node.ended_within(Duration::ZERO).await {
            self.happened.found.push(format!("{who} went on and never noticed that its life was over"));
        }
        self.happened.zombies.push(Zombie { node: who, incarnation, held, left });
    }
}
