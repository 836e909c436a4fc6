//! The binary under test as a child process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The HS256 secret of the nodes under test.
pub const JWT_SECRET: &str = "a-secret-of-the-tests-32-bytes-long!";
/// The service token of the nodes under test.
pub const SERVICE_TOKEN: &str = "service-token-of-the-tests";

const UNTIL_READY: Duration = Duration::from_secs(30);

/// Another binary of the build that this process belongs to.
///
/// # Panics
/// When it was not built.
pub fn sibling(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a process knows its binary");
    let folder = this.parent().expect("a binary is in a folder");
    // Cargo puts test binaries one folder deeper than programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: build it first, `tests/run` does", path.display());
    path
}

/// Options of a node's start.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The binary.
    pub binary: PathBuf,
    /// The data folder.
    pub folder: PathBuf,
    /// The address to listen on; port 0 takes a free port.
    pub listen: String,
    /// Further arguments of `serve`.
    pub args: Vec<String>,
    /// Further environment variables.
    pub env: Vec<(String, String)>,
    /// A program with its first arguments that starts the binary; empty starts it directly.
    pub under: Vec<String>,
    /// The file that the log is appended to; standard error when absent.
    pub log: Option<PathBuf>,
}

impl NodeOptions {
    /// Appends the log to the file `log` in this folder; returns its path.
    pub fn log_into(&mut self, folder: &Path) -> PathBuf {
        let log = folder.join("log");
        self.log = Some(log.clone());
        log
    }

    /// `serve` on a folder, with short grace periods and no limits per user.
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
            // A variable, because an older version would refuse an unknown argument.
            env: vec![("IMPERAL_STORED_PER_USER_AND_DAY".to_owned(), "0".to_owned())],
            under: Vec::new(),
            log: None,
        }
    }

    /// Starts the node and waits until it accepts calls.
    ///
    /// # Panics
    /// When the node does not start.
    pub async fn start(&self) -> Node {
        self.try_start().await.expect("the node listens")
    }

    /// Starts the node; `None` when it ends before it accepts calls.
    ///
    /// # Panics
    /// When it does neither within 30 seconds.
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

    /// The command that starts the process.
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
    /// The address that it listens on.
    pub url: String,
    options: NodeOptions,
}

impl Node {
    /// Kills the node with SIGKILL and waits for its end.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) -> NodeOptions {
        // An error means that it has already ended.
        let _ = self.child.start_kill();
        self.child.wait().await.expect("the node can be waited for");
        self.options.clone()
    }

    /// Waits at most this long for the node to end by itself, and returns whether it did.
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

    /// Waits until the node ends by itself. Cancel safe.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn ended(&mut self) {
        self.child.wait().await.expect("the node can be waited for");
    }

    /// Sends a signal: `STOP`, `CONT`, `TERM`.
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

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When the node ends with an error.
    pub async fn terminate(mut self) -> NodeOptions {
        self.signal("TERM").await;
        let status = self.child.wait().await.expect("the node ends");
        assert!(status.success(), "the node ended with {status}");
        self.options.clone()
    }
}
