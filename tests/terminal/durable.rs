//! Durable tasks at the terminal: a server is killed or stopped in their middle, and another one goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use imperal_tests::{Node, NodeOptions, Terminal, eventually};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

use super::{PROBE, command, json_lines, run, text};

const KEEPS_WATCHING: Duration = Duration::from_secs(40);

/// Where the traces of a task are looked up.
const TRACES: &str = "https://traces.example/search?task={task}";

/// A server with a durable task, and the file that its steps write.
struct Relay {
    folder: TempDir,
    node: Option<Node>,
}

impl Relay {
    async fn start(legs: u32, leg_ms: u64, failures: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(PROBE, folder.path().join("data"));
        let grace = options.args.iter().position(|arg| arg == "--shutdown-grace").unwrap();
        "10".clone_into(&mut options.args[grace + 1]);
        options.args.extend(["--trace-url", TRACES].map(str::to_owned));
        let node = options.start().await;
        let relay = Self { folder, node: Some(node) };
        let log = relay.log();
        let call = [
            "call".to_owned(),
            "relay".to_owned(),
            format!("legs={legs}"),
            format!("leg_ms={leg_ms}"),
            format!("failures={failures}"),
            format!("log={}", log.display()),
        ];
        let called = run(&relay.data(), &call.each_ref().map(String::as_str)).await;
        assert_eq!(text(&called.stdout), "Off they go.\n", "{}", text(&called.stderr));
        relay
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("legs")
    }

    /// How often each step began.
    fn begun(&self) -> BTreeMap<u32, u32> {
        let mut begun = BTreeMap::new();
        for line in std::fs::read_to_string(self.log()).unwrap_or_default().lines() {
            *begun.entry(line.parse().unwrap()).or_default() += 1;
        }
        begun
    }

    async fn until_begun(&self, leg: u32) {
        self.until_begun_times(leg, 1).await;
    }

    async fn until_begun_times(&self, leg: u32, times: u32) {
        eventually("the leg begins", async || self.begun().get(&leg).copied().filter(|begun| *begun >= times)).await;
    }

    async fn task(&self) -> Value {
        json_lines(&run(&self.data(), &["tasks", "--json"]).await)[0].clone()
    }

    /// How many crashes the ledger counts.
    fn crashes(&self) -> u32 {
        self.stored("SELECT crashes FROM durable")
    }

    /// Whether the ledger knows that the server stops.
    fn is_draining(&self) -> bool {
        self.stored("SELECT max(draining) FROM node") > 0
    }

    fn stored(&self, sql: &str) -> u32 {
        let ledger = rusqlite::Connection::open(self.data().join("ledger.db")).unwrap();
        ledger.query_row(sql, (), |row| row.get(0)).unwrap()
    }
}

/// `follow` in a pipe.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
}

impl Following {
    fn start(data: &Path) -> Self {
        let mut follow = command(data, &["follow"]);
        let mut child = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, said: Vec::new() }
    }

    async fn until(&mut self, begins: &str) {
        let found = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.said.push(line);
                if self.said.last().unwrap().starts_with(begins) {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(KEEPS_WATCHING, found).await.unwrap_or_default();
        assert!(found, "{begins:?} was not said: {:?}", self.said);
    }

    /// Exit code, standard output and the lines of standard error.
    async fn ended(mut self) -> (Option<i32>, String, Vec<String>) {
        let to_its_end = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.said.push(line);
            }
            let output = self.child.wait_with_output().await.unwrap();
            (output.status.code(), text(&output.stdout), self.said)
        };
        tokio::time::timeout(KEEPS_WATCHING, to_its_end).await.expect("it does not hang")
    }
}

/// The steps that were reported as done, in this order.
fn done(said: &[String]) -> Vec<&str> {
    said.iter().filter_map(|line| line.strip_prefix("done  leg/")?.split("  ").next()).collect()
}

#[tokio::test]
async fn follow_sees_the_outcome_after_the_server_was_killed() {
    let mut relay = Relay::start(5, 600, 0).await;
    let mut following = Following::start(&relay.data());
    following.until("done  leg/2").await;
    relay.until_begun(3).await;
    let options = relay.node.take().unwrap().kill().await;
    following.until("the connection to the platform is lost").await;
    // Port 0: the new process listens elsewhere.
    let _node = options.start().await;
    let (code, shown, said) = following.ended().await;
    assert_eq!((code, shown.as_str()), (Some(0), "5 legs done.\n"), "{said:?}");
    assert_eq!(done(&said), ["1", "2", "3", "4", "5"], "each step once: {said:?}");
    assert_eq!(said.iter().filter(|line| *line == "went on in another process, 2 steps kept").count(), 1, "{said:?}");
    assert!(said.contains(&"connected again".to_owned()), "{said:?}");
    let begun = relay.begun();
    assert_eq!(begun, BTreeMap::from([(1, 1), (2, 1), (3, 2), (4, 1), (5, 1)]), "only the step that was cut off");
}

#[tokio::test]
async fn stopped_server_hands_its_task_over() {
    let mut relay = Relay::start(5, 600, 0).await;
    let mut following = Following::start(&relay.data());
    following.until("done  leg/2").await;
    relay.until_begun(3).await;
    let options = relay.node.take().unwrap().terminate().await;
    assert_eq!(relay.crashes(), 0);
    let _node = options.start().await;
    let (code, shown, said) = following.ended().await;
    assert_eq!((code, shown.as_str()), (Some(0), "5 legs done.\n"), "{said:?}");
    assert_eq!(done(&said), ["1", "2", "3", "4", "5"], "{said:?}");
    // On a busy machine the fourth has begun before the signal arrives, and is finished as well.
    let kept = [3, 4].map(|steps| format!("went on in another process, {steps} steps kept"));
    assert!(said.iter().any(|line| kept.contains(line)), "{said:?}");
    assert!(relay.begun().values().all(|times| *times == 1), "no step was cut off: {:?}", relay.begun());
    let task = relay.task().await;
    assert_eq!(task["attempt"], 2);
    let task_id = task["task_id"].as_str().unwrap();
    let traces = TRACES.replace("{task}", task_id);
    let shown = text(&run(&relay.data(), &["show", task_id]).await.stdout);
    assert!(shown.lines().any(|line| line.trim_start().starts_with("traces") && line.ends_with(&traces)), "{shown}");
    assert_eq!(json_lines(&run(&relay.data(), &["show", task_id, "--json"]).await)[0]["trace_url"], *traces);
}

/// As by a supervisor with less patience than the grace period. After two crashes in a row the task would wait 10 s.
#[tokio::test]
async fn server_that_is_killed_while_it_stops_has_not_crashed() {
    let mut relay = Relay::start(1, 60_000, 0).await;
    for attempt in 1..=2 {
        relay.until_begun_times(1, attempt).await;
        let node = relay.node.take().unwrap();
        node.signal("TERM").await;
        eventually("the ledger knows", async || relay.is_draining().then_some(())).await;
        relay.node = Some(node.kill().await.start().await);
    }
    let started = Instant::now();
    relay.until_begun_times(1, 3).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(relay.crashes(), 0);
}

#[tokio::test]
async fn commands_without_a_server_leave_durable_tasks_as_they_are() {
    let mut relay = Relay::start(3, 700, 0).await;
    relay.until_begun(2).await;
    relay.node.take().unwrap().kill().await;
    let data = relay.data();
    let listed = text(&run(&data, &["tasks"]).await.stdout);
    assert!(listed.contains("STEP") && listed.contains("  queued  "), "{listed}");
    let follow = run(&data, &["follow"]).await;
    assert_eq!(follow.status.code(), Some(5), "an open task is no success: {}", text(&follow.stderr));
    let waits = text(&follow.stdout);
    assert!(waits.starts_with("relay waits for a process to go on; none has run it for "), "{waits}");
    assert!(text(&follow.stderr).contains("`probe dev` starts a process"), "{}", text(&follow.stderr));
    let task_id = relay.task().await["task_id"].as_str().unwrap().to_owned();
    let shown = text(&run(&data, &["show", &task_id]).await.stdout);
    assert!(shown.contains("it waits for a process to go on") && shown.contains("done leg/1"), "{shown}");
    let killed = "gap its process ended or lost touch; no process runs it";
    assert!(shown.contains("attempt 1 on ") && shown.contains(killed), "{shown}");
    let json = json_lines(&run(&data, &["show", &task_id, "--json"]).await);
    assert_eq!(json[0]["stored_steps"][0]["name"], "leg/1", "{json:?}");
    let kinds: Vec<_> = json[0]["timeline"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["started", "attempt_began", "step", "attempt_ended", "unattended"]);
    assert_eq!((relay.task().await["attempt"].clone(), relay.begun()), (Value::Null, [(1, 1), (2, 1)].into()));
    let cancelled = run(&data, &["cancel", &task_id]).await;
    assert_eq!(text(&cancelled.stdout), "relay was cancelled: no process ran it.\n");
    let again = run(&data, &["cancel", &task_id]).await;
    assert_eq!(text(&again.stdout), "relay had ended already: cancelled.\n");
    assert_eq!(run(&data, &["follow", &task_id]).await.status.code(), Some(3));
}

#[tokio::test]
async fn follow_tells_of_failed_tries() {
    let relay = Relay::start(2, 10, 1).await;
    let (code, _, said) = Following::start(&relay.data()).ended().await;
    assert_eq!(code, Some(0), "{said:?}");
    let tries: Vec<_> = said.iter().filter(|line| line.starts_with("leg/1  attempt 1/5, ")).collect();
    assert!(tries.len() == 1 && tries[0].contains("  next in 0:0"), "{said:?}");
    assert_eq!(done(&said), ["1", "2"], "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_stay_above_the_bar_on_a_terminal() {
    let mut relay = Relay::start(4, 800, 0).await;
    let mut terminal = Terminal::start(PROBE, &["follow"], relay.folder.path(), &[("NO_COLOR", "1")]);
    let at = terminal.until(0, "✓ leg/1");
    let at = terminal.until(at, "leg/2  0:0");
    relay.until_begun(3).await;
    let options = relay.node.take().unwrap().kill().await;
    let at = terminal.until(at, "is lost");
    let _node = options.start().await;
    let at = terminal.until(at, "↻ went on in another process, 2 steps kept");
    terminal.until(at, "✓ leg/4");
    terminal.until(at, "4 legs done.");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test]
async fn call_without_a_server_runs_its_durable_task_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("log={}", folder.path().join("legs").display());
    let call = ["call", "relay", "legs=2", "leg_ms=10", &log];
    let output = run(&folder.path().join("data"), &call).await;
    assert_eq!(text(&output.stdout), "Off they go.\n2 legs done.\n", "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

/// It would otherwise run, and wait for, whatever others have left in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn call_without_a_server_leaves_others_tasks_of_queues_to_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = |name: &str| format!("log={}", folder.path().join(name).display());
    let node = NodeOptions::new(PROBE, &data).start().await;
    for _ in 0..2 {
        run(&data, &["call", "relay", "legs=1", "leg_ms=600000", "queue=narrow", &log("others")]).await;
    }
    let begun = || std::fs::read_to_string(folder.path().join("others")).unwrap_or_default().lines().count();
    eventually("both run", async || (begun() == 2).then_some(())).await;
    node.kill().await;
    let call = ["call", "relay", "legs=2", "leg_ms=10", "queue=narrow", &log("own")];
    let output = run(&data, &call).await;
    assert_eq!(text(&output.stdout), "Off they go.\n2 legs done.\n", "{}", text(&output.stderr));
    assert_eq!((output.status.code(), begun()), (Some(0), 2));
    let tasks = json_lines(&run(&data, &["tasks", "--json"]).await);
    assert_eq!(tasks.iter().filter(|task| task["state"] == "queued").count(), 2, "{tasks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn task_of_an_interrupted_call_goes_on_with_the_next_server() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("log={}", folder.path().join("legs").display());
    let call = ["call", "relay", "legs=3", "leg_ms=1000", &log, "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, folder.path(), &[("NO_COLOR", "1")]);
    let at = terminal.until(0, "✓ leg/1");
    terminal.send("\x03");
    let at = terminal.until(at, "keep watching");
    terminal.send("\x03");
    terminal.until(at, "durable tasks go on when a process serves them: `probe dev` starts one");
    assert_eq!(terminal.ended(), 130);
    let data = folder.path().join("data");
    assert_eq!(json_lines(&run(&data, &["tasks", "--json"]).await)[0]["state"], "queued");
    let _node = NodeOptions::new(PROBE, &data).start().await;
    let (code, shown, said) = Following::start(&data).ended().await;
    assert_eq!((code, shown.as_str()), (Some(0), "3 legs done.\n"), "{said:?}");
}
