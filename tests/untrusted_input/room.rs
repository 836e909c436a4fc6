//! One process and one user, driven by proptest's synchronous checks.

use std::path::PathBuf;

use imperal_tests::cluster::Database;
use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, token};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Tries of one check, unless `PROPTEST_CASES` is set.
const CASES: u32 = 200;

/// Seeds of earlier failures. Each check tries them before new inputs.
const SEEDS: &str = "untrusted_input/seeds.txt";

/// Tries a check with random inputs. A failing input is made as small as possible, and its seed is kept.
pub fn check<S: Strategy>(inputs: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let kept = FileFailurePersistence::Direct(SEEDS);
    let config = Config { cases, failure_persistence: Some(Box::new(kept)), ..Config::default() };
    if let Err(failure) = TestRunner::new(config).run(inputs, test) {
        panic!("{failure}");
    }
}

/// A process and its user anna.
pub struct Room {
    runtime: Runtime,
    node: Node,
    anna: User,
    token: String,
    log: PathBuf,
    folder: TempDir,
    database: Option<Database>,
}

impl Room {
    pub fn open() -> Self {
        Self::on(None)
    }

    /// The same on a new PostgreSQL database.
    pub fn on_postgres(name: &str) -> Self {
        Self::on(Some(name))
    }

    fn on(database: Option<&str>) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
        options.log = Some(log.clone());
        options.env.push(("RUST_LOG".to_owned(), "info".to_owned()));
        let database = database.map(|name| runtime.block_on(Database::make(name)));
        options.env.extend(database.iter().map(|database| ("IMPERAL_DATABASE_URL".to_owned(), database.url())));
        let node = runtime.block_on(options.start());
        let token = token(&Claims::of("anna"), JWT_SECRET);
        let anna = User::with_token(&node, &token);
        Self { runtime, node, anna, token, log, folder, database }
    }

    /// Kills the process with SIGKILL and starts another one.
    pub fn restarted(self) -> Self {
        let Self { runtime, node, token, log, folder, database, .. } = self;
        let node = runtime.block_on(async { node.kill().await.start().await });
        let anna = User::with_token(&node, &token);
        Self { runtime, node, anna, token, log, folder, database }
    }

    /// Host and port of the process.
    pub fn address(&self) -> String {
        self.node.url.trim_start_matches("http://").to_owned()
    }

    /// The log and every byte of the ledger: the data folder's files or the database's rows.
    pub fn everything_written(&self) -> Vec<(String, Vec<u8>)> {
        let mut written = vec![("the log".to_owned(), std::fs::read(&self.log).unwrap())];
        let mut folders = vec![self.folder.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    written.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
        if let Some(database) = &self.database {
            let dumped = std::process::Command::new("pg_dump").arg(database.url()).output().expect("pg_dump runs");
            assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
            written.push(("the database".to_owned(), dumped.stdout));
        }
        written
    }

    /// The URL of a service that answers once, with this body.
    pub fn service(body: String) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut asked);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = std::io::Write::write_all(&mut stream, (head + &body).as_bytes());
        });
        url
    }

    /// Checks that the process is ready and has not panicked.
    pub fn end(self) {
        assert_eq!(self.runtime.block_on(self.anna.get("/readyz")).0, 200);
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(!log.contains("panicked"), "{log}");
        self.runtime.block_on(self.node.kill());
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.anna.request(Method::POST, path).header("content-type", "application/json").body(body)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.anna.request(Method::GET, path)
    }

    /// With another token than the user's.
    pub fn get_as(&self, path: &str, token: &str) -> RequestBuilder {
        reqwest::Client::new()
            .get(format!("{}{path}", self.node.url))
            .header("authorization", format!("Bearer {token}"))
    }

    /// `None` when the HTTP client refuses to send it.
    pub fn odd_path(&self, path: &str) -> Option<RequestBuilder> {
        let url: reqwest::Url = format!("{}{path}", self.node.url).parse().ok()?;
        (url.host_str() == Some("127.0.0.1")).then(|| self.anna.request(Method::GET, "").build().ok()).flatten()?;
        Some(reqwest::Client::new().get(url).bearer_auth(&self.token))
    }

    /// Returns status and body.
    pub fn send(&self, request: RequestBuilder) -> (u16, Value) {
        let (status, body) = self.runtime.block_on(User::send(request));
        assert!(status != 500, "{body}");
        (status.as_u16(), body)
    }

    /// Returns status and content type without the body, which can be endless.
    pub fn head_of(&self, request: RequestBuilder) -> (u16, String) {
        let answer = self.runtime.block_on(request.send()).expect("the node answers");
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        assert!(answer.status() != 500);
        (answer.status().as_u16(), kind.to_owned())
    }

    /// Checks that the process is ready, has not panicked, and that anna's chat has this many turns.
    pub fn close(self, turns: usize) {
        let count = self.runtime.block_on(async {
            assert_eq!(self.anna.get("/readyz").await.0, 200);
            let (mut count, mut after) = (0, 0);
            loop {
                let (_, page) = self.anna.get(&format!("/v1/chat/turns?limit=500&after={after}")).await;
                count += page["turns"].as_array().unwrap().len();
                match page["next"].as_u64() {
                    Some(next) => after = next,
                    None => return count,
                }
            }
        });
        assert_eq!(count, turns, "turns in the chat");
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(!log.contains("panicked"), "{log}");
        self.runtime.block_on(self.node.kill());
    }
}
