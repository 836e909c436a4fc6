//! Nodes behind a pooler in transaction mode, which loses every NOTIFY.

use std::process::Stdio;
use std::time::{Duration, Instant};

use imperal_tests::cluster::{self, Database};
use imperal_tests::proxy::Proxy;
use imperal_tests::{Node, NodeOptions, User, eventually, free_port};
use serde_json::json;
use tempfile::TempDir;
use tokio_postgres::config::Host;

/// `PgBouncer` in front of a server.
struct Pooler {
    _process: tokio::process::Child,
    _folder: TempDir,
    /// The address of the database through the pooler.
    url: String,
}

impl Pooler {
    async fn before(url: &str) -> Self {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let host = match &config.get_hosts()[0] {
            Host::Tcp(host) => host.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        };
        let port = free_port();
        let server_port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().unwrap_or("postgres");
        let password = config.get_password().map(String::from_utf8_lossy);
        let password = password.map(|password| format!("password='{password}'")).unwrap_or_default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={host} port={server_port} user={user} {password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 5\n"
        );
        std::fs::write(&file, text).unwrap();
        let is_root = std::process::Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
        let mut command = tokio::process::Command::new("pgbouncer");
        if is_root {
            // PgBouncer refuses to run as root, and its user must be able to read the file.
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            command.args(["-u", "postgres"]);
        }
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("pgbouncer is installed: `tests/run` does that");
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the pooler does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let name = config.get_dbname().unwrap();
        let url = format!("host=127.0.0.1 port={port} user={user} dbname={name} sslmode=disable");
        Self { _process: process, _folder: folder, url }
    }
}

fn behind(pooler: &Pooler, folder: &TempDir) -> NodeOptions {
    let mut options = crate::options(folder);
    options.env.push(("IMPERAL_DATABASE_URL".to_owned(), pooler.url.clone()));
    options.args.extend(["--lease", "3"].map(str::to_owned));
    options
}

async fn two_nodes(pooler: &Pooler) -> ([Node; 2], [TempDir; 2]) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = folders.each_ref().map(|folder| behind(pooler, folder));
    let nodes = tokio::join!(options[0].start(), options[1].start());
    (nodes.into(), folders)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_behind_a_pooler_are_one_platform() {
    let database = Database::make("pooler").await;
    let pooler = Pooler::before(&database.url()).await;
    let (nodes, _folders) = two_nodes(&pooler).await;
    let anna = User::of(&nodes[0], "anna");
    let there = anna.at(&nodes[1]);

    // A call on one node, its progress on a stream of the other.
    let mut events = there.stream(0).await;
    let called = anna.call("steps", json!({"steps": 30, "step_ms": 100})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let (mut numbers, mut reports) = (Vec::new(), 0);
    let watching = async {
        loop {
            let event = events.next().await;
            numbers.extend(event.id);
            reports += usize::from(event.event == "progress");
            if event.event == "turn" && event.data["task_id"] == task_id && event.data["result"].is_object() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), watching).await.expect("the outcome is shown");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(reports > 0, "no progress was shown");

    // A cancel on the other node.
    let called = anna.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(there.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await.0, 200);
    assert_eq!(there.end_of(&task_id).await["state"], "cancelled");

    // A recovery by the other node.
    let called = anna.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let [first, second] = nodes;
    first.kill().await;
    let there = there.at(&second);
    assert_eq!(there.end_of(&task_id).await["state"], "reclaimed");
    assert_eq!(there.outcomes(&task_id).await.len(), 1);

    // The nodes were connected to the pooler.
    let sql = "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let behind: i64 = cluster::client_of(&database.url()).await.query_one(sql, &[]).await.unwrap().get(0);
    assert!((1..=5).contains(&behind), "{behind} connections where the pooler makes five at most");
}

/// A pooler that loses its server reports that with its own error, the same for every unknown outcome. The
/// write may have been committed.
#[tokio::test(flavor = "multi_thread")]
async fn call_is_stored_once_when_the_pooler_loses_its_server() {
    let database = Database::make("pooler_loses").await;
    let way = Proxy::before(&database.url()).await;
    let pooler = Pooler::before(&way.url()).await;
    let folder = tempfile::tempdir().unwrap();
    let node = behind(&pooler, &folder).start().await;
    let anna = User::of(&node, "anna");
    anna.call("echo", json!({"text": "first"})).await;

    // The server blocks in the call's write, and completes it after the connection is gone.
    let other = cluster::client_of(&database.url()).await;
    other.batch_execute("BEGIN; SELECT FROM imperal.owner FOR UPDATE").await.unwrap();
    let calling = tokio::spawn({
        let anna = anna.clone();
        async move { anna.try_call("echo", json!({"text": "second"})).await }
    });
    let waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the server waits for the lock", async || {
        cluster::client_of(&database.url()).await.query(waits, &[]).await.unwrap().pop()
    })
    .await;
    way.break_all();
    // Until the node has noticed it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    other.batch_execute("COMMIT").await.unwrap();

    let (status, answer) = calling.await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let turns = anna.turns().await;
    let asked = turns.iter().filter(|turn| turn["params"]["text"] == "second").count();
    let of_call = turns.iter().filter(|turn| turn["call_id"] == answer["call_id"]).count();
    assert_eq!((asked, of_call), (1, 2), "{turns:#?}");
}
