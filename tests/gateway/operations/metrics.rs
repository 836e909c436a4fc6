//! `/metrics` is valid for Prometheus, and its values are correct.

use std::io::Write;
use std::process::{Command, Stdio};

use imperal_tests::User;
use serde_json::json;

/// Runs promtool, Prometheus' parser and linter (Debian's package `prometheus`).
fn promtool(args: &[&str], input: &str) {
    let child =
        Command::new("promtool").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("promtool is here: `tests/run` installs it, Debian's package is `prometheus`");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let said_text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "promtool {args:?}: {said_text}");
}

fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is missing")).parse().unwrap()
}

/// The metrics after some work of each kind.
async fn metrics() -> String {
    let (_folder, node) = crate::node().await;
    let anna = User::of(&node, "anna-with-a-name-to-be-found");
    let mut events = anna.stream(0).await;
    let called = anna.call("steps", json!({"steps": 3, "step_ms": 150})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    anna.end_of(&task_id).await;
    while events.next().await.data["task_id"] != task_id.as_str() {}
    assert_eq!(anna.try_call("steps", json!({"steps": "three", "step_ms": 1})).await.0, 422);
    assert_eq!(anna.try_call("unknown", json!({})).await.0, 404);
    assert_eq!(User::with_token(&node, "x").get("/v1/tasks").await.0, 401);
    let answer = anna.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn metrics_are_valid_and_count_what_happened() {
    let text = metrics().await;
    promtool(&["check", "metrics"], &text);
    let call = "imperal_call_duration_seconds_count{app=\"probe\",function=\"steps\",outcome=\"success\"}";
    assert!((value(&text, call) - 1.0).abs() < f64::EPSILON);
    let steps = "imperal_task_duration_seconds_sum{state=\"succeeded\"}";
    assert!((0.3..30.0).contains(&value(&text, steps)), "{text}");
    for (sample, least) in [
        ("imperal_tasks_started_total", 1.0),
        ("imperal_ledger_commit_seconds_count", 4.0),
        ("imperal_ledger_commit_seconds_sum", 0.000_1),
        ("imperal_ledger_queue_seconds_count", 4.0),
        ("imperal_ledger_batch_writes_sum", 4.0),
        ("imperal_lease_renewals_total{outcome=\"renewed\"}", 1.0),
        ("imperal_streams_open", 1.0),
        ("imperal_streams_opened_total", 2.0),
        ("imperal_stream_events_total{event=\"turn\"}", 3.0),
        ("imperal_stream_events_total{event=\"task\"}", 2.0),
        ("imperal_stream_events_total{event=\"progress\"}", 1.0),
        ("imperal_refusals_total{code=\"VALIDATION_TYPE_ERROR\"}", 1.0),
        ("imperal_refusals_total{code=\"UNKNOWN_SUB_FUNCTION\"}", 1.0),
        ("imperal_refusals_total{code=\"UNAUTHENTICATED\"}", 1.0),
    ] {
        assert!(value(&text, sample) >= least, "{sample} is {}", value(&text, sample));
    }
    assert!((value(&text, "imperal_tasks_running")).abs() < f64::EPSILON);
    assert!(!text.contains("anna-with"), "a label names a user");
    // Buckets are cumulative.
    let mut below = (String::new(), 0.0);
    for line in text.lines().filter(|line| line.contains("_bucket{")) {
        let (sample, count) = line.rsplit_once(' ').unwrap();
        let series = sample.split("le=").next().unwrap().to_owned();
        let count: f64 = count.parse().unwrap();
        assert!(series != below.0 || count >= below.1, "{line}");
        below = (series, count);
    }
}

/// The dashboard and the alerts use existing metrics only.
#[tokio::test]
async fn dashboard_and_alerts_use_existing_metrics() {
    let text = metrics().await;
    let families: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let known = |name: &str| {
        families.iter().any(|(family, kind)| {
            let rest = name.strip_prefix(family);
            if *kind == "histogram" {
                rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
            } else {
                rest == Some("")
            }
        })
    };
    for path in ["deploy/grafana.json", "deploy/alerts.yml", "docs/operations.md"] {
        let file = super::file(path);
        let names: Vec<_> = super::metric_names(&file).into_iter().collect();
        assert!(names.len() > 5, "{path} names {names:?} only");
        for name in names {
            let whole = path.starts_with("docs/") && families.iter().any(|(family, _)| *family == name);
            assert!(known(name) || whole, "{path}: there is no metric {name}");
        }
    }
    let dashboard: serde_json::Value = serde_json::from_str(&super::file("deploy/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.iter().filter(|panel| panel["type"] != "row").all(|panel| panel["targets"][0]["expr"].is_string()));
}

fn path_of(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    path.to_str().unwrap().to_owned()
}

/// `alerts.yml` in this folder has the cases of each rule; no rule is missing in it.
#[test]
fn alerts_fire_in_their_cases_only() {
    promtool(&["check", "rules", &path_of("../deploy/alerts.yml")], "");
    promtool(&["test", "rules", &path_of("gateway/operations/alerts.yml")], "");
    let tried = super::file("tests/gateway/operations/alerts.yml");
    for line in super::file("deploy/alerts.yml").lines() {
        if let Some((_, rule)) = line.split_once("- alert: ") {
            assert_eq!(tried.matches(&format!("alertname: {rule}")).count(), 2, "{rule}: quiet once, firing once");
        }
    }
}

/// Prometheus parses rules and queries with the same parser.
#[test]
fn dashboard_queries_are_valid() {
    let dashboard: serde_json::Value = serde_json::from_str(&super::file("deploy/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let rules = targets.enumerate().map(|(number, target)| {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m").replace("$instance", ".*");
        json!({"record": format!("query:{number}"), "expr": query})
    });
    let rules = rules.collect::<Vec<_>>();
    assert!(rules.len() > 20, "{rules:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    // JSON is a subset of YAML.
    std::fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
}
