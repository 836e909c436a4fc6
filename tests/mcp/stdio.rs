//! `mcp`: a client starts the program and talks to it over standard input and output.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use imperal_tests::{eventually, sibling};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A window of a client, with the program that it has started.
struct Window {
    program: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Window {
    fn open(folder: &Path) -> Self {
        let mut command = Command::new(sibling("probe"));
        command.args(["mcp", "--data-dir"]).arg(folder).kill_on_drop(true);
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = program.stdin.take().unwrap();
        let output = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { program, input, output }
    }

    async fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn answer(&mut self) -> Value {
        let line =
            tokio::time::timeout(Duration::from_secs(30), self.output.next_line()).await.expect("an answer in time");
        serde_json::from_str(&line.unwrap().expect("the program runs")).unwrap()
    }

    async fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let answer = self.answer().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn shake_hands(&mut self) {
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "suite", "version": "1"}});
        let answer = self.ask(0, "initialize", hello).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "probe", "{answer}");
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    async fn echo(&mut self, id: u32, text: &str) {
        let answer = self.ask(id, "tools/call", json!({"name": "echo", "arguments": {"text": text}})).await;
        assert_eq!(answer["result"]["structuredContent"]["text"], text, "{answer}");
    }

    /// Closes standard input and waits for the end of the program.
    async fn close(mut self) {
        drop(self.input);
        let ended = tokio::time::timeout(Duration::from_secs(20), self.program.wait()).await;
        assert!(ended.expect("the program ends").unwrap().success());
    }
}

/// The texts of the chat of this machine's user.
async fn chat(folder: &Path) -> Vec<Value> {
    let output =
        Command::new(sibling("probe")).args(["chat", "--json", "--data-dir"]).arg(folder).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn windows_are_clients_of_one_platform_which_outlives_the_first_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut windows = Vec::new();
    for n in 0..3 {
        let mut window = Window::open(&data);
        window.shake_hands().await;
        window.echo(1, &format!("window {n}")).await;
        windows.push(window);
    }
    // The first one has the platform. Another one takes over.
    let mut first = windows.remove(0);
    first.program.start_kill().unwrap();
    first.program.wait().await.unwrap();
    for (n, window) in windows.iter_mut().enumerate() {
        window.echo(2, &format!("after {n}")).await;
    }
    for window in windows {
        window.close().await;
    }
    let asked: Vec<_> = chat(&data).await.into_iter().filter(|turn| turn["role"] == "user").collect();
    assert!(asked.iter().all(|turn| turn["client"] == "suite"), "{asked:?}");
    let texts: Vec<_> = asked.iter().map(|turn| turn["params"]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, ["window 0", "window 1", "window 2", "after 0", "after 1"]);
}

#[tokio::test]
async fn cancelled_request_stops_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut window = Window::open(&data);
    window.shake_hands().await;
    let params = json!({"name": "linger", "arguments": {"millis": 600_000}});
    window.send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": params})).await;
    eventually("the call is accepted", async || (!chat(&data).await.is_empty()).then_some(())).await;
    window.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}})).await;
    let code = eventually("the call has its reply", async || {
        chat(&data).await.get(1).map(|turn| turn["result"]["error_code"].clone())
    })
    .await;
    assert_eq!(code, "CANCELLED");
    window.echo(2, "next").await;
    window.close().await;
}

#[tokio::test]
async fn lines_that_are_no_messages_are_answered_and_the_next_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = Window::open(&folder.path().join("data"));
    for (line, code) in [("{\"id\":".to_owned(), -32700), ("[]".to_owned(), -32600), ("x".repeat(5 << 20), -32700)] {
        window.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        assert_eq!(window.answer().await["error"]["code"], code);
    }
    window.shake_hands().await;
    window.close().await;
}

#[tokio::test]
async fn client_without_a_handshake_gets_tasks_over_stdio() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = Window::open(&folder.path().join("data"));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    let call = json!({"name": "steps", "arguments": {"steps": 3, "step_ms": 400}, "_meta": meta});
    let created = window.ask(1, "tools/call", call).await;
    let id = created["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
    let mut state = Value::Null;
    for n in 2..200 {
        state = window.ask(n, "tasks/get", json!({"taskId": id, "_meta": meta})).await;
        if state["result"]["status"] != "working" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(state["result"]["result"]["content"][0]["text"], "3 steps done.", "{state}");
    window.close().await;
}

#[tokio::test]
async fn configuration_of_each_client_starts_this_program() {
    let print = async |client: &str| {
        let mut command = Command::new(sibling("probe"));
        let output = command.args(["mcp", "--print-config", client, "--data-dir", "/tmp/desk"]).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let program = sibling("probe").to_string_lossy().into_owned();
    for client in ["claude-code", "claude-desktop", "vscode", "cursor", "goose"] {
        let text = print(client).await;
        assert!(text.contains(&program) && text.contains("/tmp/desk") && text.contains("probe"), "{client}: {text}");
    }
    let cursor: Value = serde_json::from_str(&print("cursor").await).unwrap();
    assert_eq!(cursor["mcpServers"]["probe"]["args"], json!(["mcp", "--data-dir", "/tmp/desk"]));
}
