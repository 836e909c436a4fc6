//! A rolling upgrade as in `docs/operations.md`: two nodes behind nginx restart one after the other with
//! another binary while users call and one follows a stream.

use std::time::Duration;

use imperal_tests::cluster::{self, Database};
use imperal_tests::{Node, NodeOptions, User, free_port};
use serde_json::json;
use tempfile::TempDir;

use crate::crowd::{Crowd, USERS};
use crate::operations::nginx::Nginx;

/// Takes each node out, restarts it, and takes it in again.
const RELOADS: usize = 4;

struct Pair {
    options: [NodeOptions; 2],
    nodes: [Option<Node>; 2],
    nginx: Nginx,
    database: Database,
    _folders: [TempDir; 2],
}

/// Two nodes on fixed ports behind nginx.
async fn pair(name: &str) -> Pair {
    let database = Database::make(name).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = folders.each_ref().map(|folder| {
        let mut options: NodeOptions = crate::options(folder);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
        options.listen = format!("127.0.0.1:{}", free_port());
        // The grace period is long enough for every task of the crowd.
        options.args = ["--lease=3", "--shutdown-grace=20"].map(str::to_owned).to_vec();
        options.env.push(("IMPERAL_REQUESTS_PER_SECOND".to_owned(), "0".to_owned()));
        options
    });
    let (first, second) = tokio::join!(options[0].start(), options[1].start());
    let nginx = Nginx::start([&first.url, &second.url]);
    Pair { options, nodes: [Some(first), Some(second)], nginx, database, _folders: folders }
}

impl Pair {
    /// Stops a node with SIGTERM and starts another binary in its place.
    async fn exchange(&mut self, number: usize) {
        let folder = &self.options[number].folder;
        let newer = folder.with_file_name("newer");
        std::fs::copy(env!("CARGO_BIN_EXE_probe"), &newer).unwrap();
        self.options[number].binary = newer;
        self.nodes[number].take().unwrap().terminate().await;
        self.nodes[number] = Some(self.options[number].start().await);
    }
}

/// As in docs/operations.md, each node is taken out of nginx first.
#[tokio::test(flavor = "multi_thread")]
async fn rolling_upgrade_refuses_no_call() {
    let mut pair = pair("upgrade").await;
    let caller = User::behind(&pair.nginx.url, "nobody");
    pair.nginx.serves(&caller).await;
    let crowd = Crowd::start(&pair.nginx.url);
    crowd.go_on(20).await;
    for number in 0..2 {
        let url = pair.nodes[number].as_ref().unwrap().url.clone();
        pair.nginx.without(Some(&url)).await;
        pair.exchange(number).await;
        pair.nginx.without(None).await;
        crowd.go_on(40).await;
    }
    // nginx may close a connection while the next request is on it; the client repeats that request.
    let (refused, sent_again) = crowd.judge().await;
    assert_eq!(refused, 0, "a call was refused");
    assert!(sent_again <= USERS * RELOADS, "{sent_again} requests had no answer");
}

/// Without that, half of the calls reach the stopping node. They are refused, and no call is lost.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_node_under_load_loses_no_call() {
    let mut pair = pair("stops").await;
    let caller = User::behind(&pair.nginx.url, "nobody");
    pair.nginx.serves(&caller).await;
    let crowd = Crowd::start(&pair.nginx.url);
    crowd.go_on(20).await;
    for number in 0..2 {
        pair.exchange(number).await;
        // nginx retries a node that was unreachable a second ago.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        crowd.go_on(40).await;
    }
    let (refused, sent_again) = crowd.judge().await;
    println!("{refused} times told to come again, {sent_again} times no answer");
}

/// A running node continues on the tables of a newer version, but cannot start on them.
#[tokio::test]
async fn old_node_continues_on_a_newer_schema_but_cannot_start() {
    let mut pair = pair("newer").await;
    let client = cluster::client_of(&pair.database.url()).await;
    let newer = "ALTER TABLE imperal.task ADD COLUMN later bigint; \
                 UPDATE imperal.schema_version SET tables = tables + 1";
    client.batch_execute(newer).await.unwrap();
    let first = pair.nodes[0].take().unwrap();
    let anna = User::of(&first, "anna");
    let called = anna.call("steps", json!({"steps": 2, "step_ms": 20})).await;
    assert_eq!(anna.end_of(called["result"]["data"]["task_id"].as_str().unwrap()).await["state"], "succeeded");
    first.terminate().await;
    let mut options = pair.options[0].clone();
    options.log = Some(options.folder.with_file_name("log"));
    assert!(options.try_start().await.is_none(), "a node started on a schema that it does not know");
    let said = std::fs::read_to_string(options.log.unwrap()).unwrap();
    assert!(said.contains("newer version of this program"), "{said}");
    // The other node has all the work meanwhile.
    let anna = anna.at(pair.nodes[1].as_ref().unwrap());
    let called = anna.call("steps", json!({"steps": 2, "step_ms": 20})).await;
    assert_eq!(anna.end_of(called["result"]["data"]["task_id"].as_str().unwrap()).await["state"], "succeeded");
}
