//! A model server that floods: the process answers with an error, its memory stays bounded, and others are served (P23).

use imperal_tests::model_server::ModelServer;
use imperal_tests::{Node, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::options;

/// How much memory one flood may take, in MiB: a reply has at most 16 MiB, and an event 1 MiB, each with copies of it while it
/// is read. A flood of 10 times that which is collected takes far more.
const MOST: u64 = 120;

/// The most memory that the process has had, in MiB.
fn peak(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

fn event(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"choices": [{"delta": delta}]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_floods_fills_no_memory_and_stops_nobody() {
    let model = ModelServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--model-url", &model.url, "--model", "scripted", "--model-tokens", "0"].map(str::to_owned));
    let node = options.start().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let call = json!({"tool_calls": [{"index": null, "id": "", "function": {"name": "echo", "arguments": "{}"}}]});
    let (open, close) = ("[".repeat(300_000), "]".repeat(300_000));
    let deep = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{open}{close}}}}}]}}\n\n");
    // What comes first, what comes again, how often; for ever without a number.
    let floods: [(&str, &str, String, Option<usize>); 8] = [
        ("text without an end", "", event(&json!({"content": "word ".repeat(200)})), None),
        ("thoughts without an end", "", event(&json!({"reasoning_content": "hm ".repeat(300)})), None),
        ("opaque parts without an end", "", event(&json!({"reasoning_details": [{"data": "x".repeat(900)}]})), None),
        ("a line without an end", "data: ", "x".repeat(64 << 10), None),
        ("comments without an end", "", format!(": {}\n", "x".repeat(1000)), None),
        (
            "arguments without an end",
            "",
            event(
                &json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "echo", "arguments": "x".repeat(900)}}]}),
            ),
            None,
        ),
        ("a million calls", "", event(&call), Some(1_000_000)),
        ("values nested 300,000 deep", "", deep, Some(200)),
    ];
    let mut told = Vec::new();
    for (name, first, again, times) in floods {
        let before = peak(&node);
        model.floods(first, again, times);
        let sent = anna.request(Method::POST, "/v1/chat/say").json(&json!({"text": name})).send().await.unwrap();
        let task = sent.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned();
        ben.call("echo", json!({"text": "meanwhile"})).await;
        let end = anna.end_of(&task).await;
        assert_eq!(end["state"], "failed", "{name}: {end}");
        let outcome = anna.outcomes(&task).await.remove(0);
        assert_eq!(outcome["result"]["error_code"], "MODEL_FAILED", "{name}: {outcome}");
        let took = peak(&node) - before;
        told.push(format!("{name}: {took} MiB, {}", outcome["result"]["error"]));
        assert!(took < MOST, "{told:#?}");
    }
    eprintln!("{told:#?}");
    model.says("Hello again.");
    let sent = anna.request(Method::POST, "/v1/chat/say").json(&json!({"text": "Hello"})).send().await.unwrap();
    let task = sent.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(anna.end_of(&task).await["state"], "succeeded", "the conversation goes on");
}
