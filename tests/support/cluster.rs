//! A PostgreSQL server for tests: the server in `IMPERAL_TEST_DATABASE_URL`, or a temporary one.
//!
//! The temporary server listens on a socket in a temporary folder. It ends with this process, also when
//! this process is killed: its shell waits for the end of a pipe that this process holds.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// Creates a server, prints its folder, and runs until the end of its input. The data need not survive a
/// crash of the machine, so `fsync` is off.
const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d /tmp/imperal-pg.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$1/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
"$1/postgres" -D data -k "$folder" -c listen_addresses= -c fsync=off -c max_connections=400 -c logging_collector=off >log 2>&1 </dev/null &
server=$!
# Said once it listens, or why it does not.
until [ -S .s.PGSQL.5432 ]; do kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }; sleep 0.02; done
echo "$folder"
cat >/dev/null
kill -INT "$server"
wait "$server" || true
"#;

struct Cluster {
    url: String,
    /// Whether the server outlives this process.
    borrowed: bool,
    /// Runs until its pipe is closed, at the end of this process.
    _shell: Option<Child>,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| match std::env::var("IMPERAL_TEST_DATABASE_URL") {
        Ok(url) if !url.is_empty() => Cluster { url, borrowed: true, _shell: None },
        _ => start(),
    })
}

/// A shell script that runs a server, with the folder of the server's programs as its first argument.
///
/// # Panics
/// When PostgreSQL's programs are not installed.
pub(crate) fn as_server(script: &str) -> Command {
    let Some(programs) = programs() else {
        panic!(
            "no PostgreSQL server here: install it (Debian: postgresql), set IMPERAL_TEST_DATABASE_URL, or leave \
             these tests out with `tests/run --without postgres`"
        );
    };
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    // The server refuses to run as root.
    let mut command = if is_root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh", "-c", script, "sh"]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        command
    };
    command.arg(programs);
    command
}

fn start() -> Cluster {
    let shell = as_server(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut shell = shell.expect("the server's shell starts");
    let mut folder = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut folder).unwrap();
    let folder = folder.trim_end();
    assert!(!folder.is_empty(), "the server was not made, see above");
    let url = format!("host={folder} user=postgres dbname=postgres");
    Cluster { url, borrowed: false, _shell: Some(shell) }
}

/// The folder of `initdb` and `postgres`: on the path, or the folder that Debian installs them in.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let folders = std::env::split_paths(&path).chain(debian.into_iter().rev());
    folders.into_iter().find(|folder| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file()))
}

/// The server's address, with `name` as the application name of its connections.
pub fn url(name: &str) -> String {
    let url = &cluster().url;
    match (url.contains("://"), url.contains('?')) {
        (false, _) => format!("{url} application_name={name}"),
        (true, false) => format!("{url}?application_name={name}"),
        (true, true) => format!("{url}&application_name={name}"),
    }
}

/// A new connection to the server.
pub async fn client() -> Client {
    client_of(&url("test")).await
}

/// A new connection to this address.
///
/// # Panics
/// When the server accepts none within a minute.
pub async fn client_of(url: &str) -> Client {
    // The server listens before it is ready.
    let begun = Instant::now();
    loop {
        match tokio_postgres::connect(url, NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A database for one test, dropped with this value.
#[derive(Debug)]
pub struct Database(String);

impl Database {
    /// Creates an empty database.
    pub async fn make(name: &str) -> Self {
        let name = format!("imperal_{name}_{}", std::process::id());
        client().await.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        Self(name)
    }

    /// Its address.
    pub fn url(&self) -> String {
        let url = url("node");
        if url.contains("://") { format!("{url}&dbname={}", self.0) } else { format!("{url} dbname={}", self.0) }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0));
    }
}

/// Drops a schema, on a server that outlives this process.
pub fn drop_schema(schema: &str) {
    run(format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE"));
}

/// Runs cleanup SQL on a server that outlives this process.
fn run(sql: String) {
    if !cluster().borrowed {
        return;
    }
    let dropping = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { client().await.batch_execute(&sql).await })
    });
    // A failing test reports its own failure.
    drop(dropping.join());
}
