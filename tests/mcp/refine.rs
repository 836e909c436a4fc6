//! A client of each language drives the example `refine` through background work to its outcome, while the server is
//! killed with kill -9 in between, and gets the outcome once.
//!
//! A script of this folder is one client, as its language writes it. It starts the work, prints `started ID`, and goes on
//! with the same connection after a line on standard input, when another process serves the same address.

use std::process::Stdio;
use std::time::Duration;

use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, eventually, free_port, sibling, token};
use rmcp::model::{CallToolResponse, GetTaskParams, TaskPayload};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::{Kind, client, clients, text, tool_call};

/// Five paragraphs of half a second each.
const DOCUMENT: &str = "it  is one\n\nIt is two.\n\nteh third\n\nit is is four\n\nIt is five.";
const OUTCOME: &str = "Refined 5 paragraphs; 3 changed.";

/// The example at an address that stays the same.
struct Refine {
    _folder: tempfile::TempDir,
    node: Node,
    token: String,
}

impl Refine {
    async fn start(wait: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(sibling("refine"), folder.path().join("data"));
        options.listen = format!("127.0.0.1:{}", free_port());
        options.env.push(("REFINE_SECONDS".to_owned(), "0.5".to_owned()));
        options.args.extend(["--mcp-wait", wait].map(str::to_owned));
        Self { _folder: folder, node: options.start().await, token: token(&Claims::of("anna"), JWT_SECRET) }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.node.url)
    }

    /// Replaces the process by another one at the same address, by kill -9, while the work goes on.
    async fn kill_and_start(self) -> Self {
        let outcomes = self.outcomes().await;
        assert_eq!(outcomes, 0, "the work is open");
        Self { node: self.node.kill().await.start().await, ..self }
    }

    async fn outcomes(&self) -> usize {
        let turns = User::with_token(&self.node, &self.token).turns().await;
        turns.iter().filter(|turn| turn["text"] == OUTCOME).count()
    }

    /// Runs a client that is a program of its own.
    async fn drive(self, mut script: Command) {
        script.args([self.url(), self.token.clone(), DOCUMENT.to_owned()]);
        let mut script = Script::start(script);
        assert!(script.line().await.starts_with("started "));
        let refine = self.kill_and_start().await;
        script.go_on().await;
        assert_eq!(script.line().await, format!("outcome {OUTCOME}"));
        script.end().await;
        assert_eq!(refine.outcomes().await, 1);
    }
}

struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await.expect("a line in time");
        line.unwrap().expect("the script goes on; its error is above")
    }

    async fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    }

    async fn end(mut self) {
        assert!(self.child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn rust_client_gets_the_outcome_of_refine_across_a_kill() {
    let refine = Refine::start("45").await;
    let client = client(&refine.url(), &refine.token, Kind::Tasks).await;
    let call = tool_call("refine_document", json!({"document": DOCUMENT}));
    let CallToolResponse::Task(created) = client.call_tool_once(call).await.unwrap() else { panic!("no task") };
    let refine = refine.kill_and_start().await;
    let ended = eventually("the task ends", async || {
        let task = client.get_task(GetTaskParams::new(&created.task.task_id)).await.unwrap().task;
        task.status().is_terminal().then_some(task)
    })
    .await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert!(result["content"][0]["text"].as_str().unwrap().starts_with(OUTCOME), "{result:?}");
    assert_eq!(refine.outcomes().await, 1);
}

#[tokio::test]
async fn rust_client_of_the_handshake_era_gets_the_outcome_by_its_ticket() {
    let refine = Refine::start("0.2").await;
    let client = client(&refine.url(), &refine.token, Kind::Handshake).await;
    let ticket = crate::call(&client, "refine_document", json!({"document": DOCUMENT})).await;
    let id = ticket.structured_content.unwrap()["id"].clone();
    let refine = refine.kill_and_start().await;
    let outcome = eventually("the work ends", async || {
        let status = crate::call(&client, "task_status", json!({"id": id})).await;
        let is_open = status.structured_content.as_ref().is_some_and(|state| state["status"] == "working");
        (!is_open).then(|| text(&status))
    })
    .await;
    assert!(outcome.starts_with(OUTCOME), "{outcome}");
    assert_eq!(refine.outcomes().await, 1);
}

#[tokio::test]
async fn typescript_client_gets_the_outcome_of_refine_across_a_kill() {
    Refine::start("45").await.drive(clients::node("refine.mjs").await).await;
}

#[tokio::test]
async fn python_client_gets_the_outcome_of_refine_across_a_kill() {
    Refine::start("0.2").await.drive(clients::python("refine_mcp.py").await).await;
}

#[tokio::test]
async fn fastmcp_client_gets_the_outcome_of_refine_across_a_kill() {
    Refine::start("45").await.drive(clients::python("refine_fastmcp.py").await).await;
}
