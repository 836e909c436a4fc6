//! The binary under test as a child process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// HS256 secret of the nodes under test.
pub const JWT_SECRET: &str = "a-secret-of-the-tests-32-bytes-long!";
/// Service token of the nodes under test.
pub const SERVICE_TOKEN: &str = "service-token-of-the-tests";

const UNTIL_READY: Duration = Duration::from_secs(30);

/// Another binary of the same build.
pub fn sibling(this: &str, name: &str) -> PathBuf {
    let path = Path::new(this).with_file_name(name);
    assert!(path.exists(), "{} is missing: build it first, `tests/run` does", path.display());
    path
}

/// How a node is started.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The binary.
    pub binary: PathBuf,
    /// Its data folder.
    pub folder: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: String,
    /// More arguments of `serve`.
    pub args: Vec<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// What starts it, where it is not started by itself: a program and its first arguments.
    pub under: Vec<String>,
    /// Where its log is added to; standard error when absent.
    pub log: Option<PathBuf>,
}

impl NodeOptions {
    /// `serve` on a folder, with short times and no limits for one user.
    pub fn new(binary: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            folder: folder.into(),
            listen: "127.0.0.1:0".to_owned(),
            args: [
                "--cancel-grace",
                "1",
                "--shutdown-grace",
                "1",
                "--requests-per-second",
                "0",
                "--streams-per-user",
                "0",
                "--calls-per-user",
                "0",
            ]
            .map(str::to_owned)
            .to_vec(),
            // Not an argument: a version before it would not start.
            env: vec![("IMPERAL_STORED_PER_USER_AND_DAY".to_owned(), "0".to_owned())],
            under: Vec::new(),
            log: None,
        }
    }

    /// Starts it and waits until it accepts calls.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&self) -> Node {
        self.try_start().await.expect("the node listens")
    }

    /// Starts it; `None` when it ends before it accepts calls.
    ///
    /// # Panics
    /// When it does neither in half a minute.
    pub async fn try_start(&self) -> Option<Node> {
        let mut child = self.command().spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let url = tokio::time::timeout(UNTIL_READY, async {
            while let Some(line) = lines.next_line().await.expect("standard output is text") {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return Some(url.to_owned());
                }
            }
            None
        })
        .await
        .expect("the node listens in time");
        let Some(url) = url else {
            child.wait().await.expect("the node can be waited for");
            return None;
        };
        Some(Node { child, url, options: self.clone() })
    }

    /// The process, not yet started.
    pub fn command(&self) -> Command {
        let mut words = self.under.iter().map(AsRef::as_ref).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(self.binary.as_os_str()));
        command
            .args(words)
            .arg("serve")
            .args(["--listen", &self.listen, "--data-dir"])
            .arg(&self.folder)
            .args(&self.args)
            .env("IMPERAL_JWT_SECRET", JWT_SECRET)
            .env("IMPERAL_SERVICE_TOKEN", SERVICE_TOKEN)
            .env("RUST_LOG", "warn")
            .envs(self.env.clone())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(log) = &self.log {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("the log can be written");
            command.stderr(log);
        }
        command
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    child: Child,
    /// Where it listens.
    pub url: String,
    options: NodeOptions,
}

impl Node {
    /// Kills it with -9 and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) -> NodeOptions {
        // One that is gone already cannot be killed again.
        let _ = self.child.start_kill();
        self.child.wait().await.expect("the node can be waited for");
        self.options.clone()
    }

    /// Waits until it has ended by itself, for so long at most; whether it has.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn ended_within(&mut self, patience: Duration) -> bool {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => {
                status.expect("the node can be waited for");
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until it has ended by itself. Cancel safe.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn ended(&mut self) {
        self.child.wait().await.expect("the node can be waited for");
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().await;
        assert!(told.expect("kill runs").success(), "SIG{name} was not sent");
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the node runs")
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn terminate(mut self) -> NodeOptions {
        self.signal("TERM").await;
        let status = self.child.wait().await.expect("the node ends");
        assert!(status.success(), "the node ended with {status}");
        self.options.clone()
    }
}
