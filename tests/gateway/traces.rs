//! The traces that a collector gets from a real process.

use std::time::Duration;

use imperal_tests::collector::{Collector, attribute, number};
use imperal_tests::{NodeOptions, User};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::options;

/// The trace and span of a caller.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(folder: &TempDir, collector: &Collector) -> NodeOptions {
    let mut options = options(folder);
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    options.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    options
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The only span with this name.
fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut named = spans.iter().filter(|span| span.name == name);
    let span = named.next().unwrap_or_else(|| panic!("there is no span {name}"));
    assert!(named.next().is_none(), "there are two spans {name}");
    span
}

fn children<'a>(spans: &'a [Span], parent: &Span, name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.parent_span_id == parent.span_id && span.name == name).collect()
}

#[tokio::test]
async fn call_continues_its_callers_trace_and_its_task_links_to_it() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut options = traced(&folder, &collector);
    options.env.push(("OTEL_RESOURCE_ATTRIBUTES".to_owned(), "deployment.environment.name=trial".to_owned()));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let mut events = anna.stream(0).await;
    let url = format!("{}/the-secret-of-the-path?key=the-secret-of-the-query", collector.url);
    let call = anna
        .request(Method::POST, "/v1/extensions/probe/call")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("tracestate", "vendor=1")
        .json(&json!({"function": "fetch", "params": {"url": url}}));
    let (status, reply) = User::send(call).await;
    assert_eq!(status, 200, "{reply}");
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap();
    assert_eq!(anna.end_of(task_id).await["state"], "succeeded");
    for _ in 0..6 {
        events.next().await;
    }
    drop(events);
    let done = |spans: &[Span]| ["task fetch", "stream"].iter().all(|name| spans.iter().any(|span| span.name == *name));
    let spans = collector.until(done).await;

    // The request is a child of the caller, and the call a child of the request.
    let request = only(&spans, "POST /v1/extensions/{app_id}/call");
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(request.kind(), SpanKind::Server);
    assert_eq!(number(&request.attributes, "http.response.status_code"), Some(200));
    let (host, port) = node.url.trim_start_matches("http://").split_once(':').unwrap();
    let said = [
        ("http.request.method", "POST"),
        ("url.path", "/v1/extensions/probe/call"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("server.address", host),
    ];
    for (name, value) in said {
        assert_eq!(attribute(&request.attributes, name), Some(value), "{name}");
    }
    assert_eq!(number(&request.attributes, "server.port"), port.parse().ok());
    let call = only(&spans, "call fetch");
    assert_eq!(call.parent_span_id, request.span_id);
    assert_eq!(attribute(&call.attributes, "function"), Some("fetch"));
    assert_eq!(attribute(&call.attributes, "user"), Some("anna"));
    assert_eq!(attribute(&call.attributes, "outcome"), Some("success"));
    for commit in ["ledger accept_call", "ledger reply"] {
        assert_eq!(children(&spans, call, commit).len(), 1, "{commit}");
    }

    // The task has its own trace with a link to the call.
    let task = only(&spans, "task fetch");
    assert_ne!(task.trace_id, call.trace_id);
    assert!(task.parent_span_id.is_empty());
    assert_eq!((&task.links[0].trace_id, &task.links[0].span_id), (&call.trace_id, &call.span_id));
    assert_eq!(attribute(&task.attributes, "outcome"), Some("succeeded"));
    assert_eq!(attribute(&task.attributes, "task"), Some(task_id));
    assert_eq!(attribute(&task.attributes, "call"), attribute(&call.attributes, "call"));
    for commit in ["ledger start_task", "ledger finish_task"] {
        assert_eq!(children(&spans, task, commit).len(), 1, "{commit}");
    }
    assert!(task.events.iter().any(|event| event.name == "on the way"), "a log line is an event: {:?}", task.events);

    // Three requests: two of the call, one of them in a spawned task, and one in the author's own span.
    let own = only(&spans, "of the author");
    assert_eq!(own.parent_span_id, task.span_id);
    let mut requests = children(&spans, call, "GET");
    requests.extend(children(&spans, own, "GET"));
    assert_eq!(requests.len(), 3);
    let mut sent: Vec<_> = collector.asked().iter().map(|headers| headers["traceparent"].clone()).collect();
    let mut expected: Vec<_> =
        requests.iter().map(|span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))).collect();
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected, "each request carries its own span");
    assert_eq!(collector.asked().iter().filter(|headers| headers.get("tracestate").is_some()).count(), 2);
    for request in requests {
        assert_eq!(request.kind(), SpanKind::Client);
        assert_eq!(attribute(&request.attributes, "server.address"), Some("127.0.0.1"));
        assert_eq!(number(&request.attributes, "http.response.status_code"), Some(200));
    }

    let streamed = spans.iter().filter(|span| span.name == "stream");
    let streamed: Vec<_> = streamed.map(|span| number(&span.attributes, "events").unwrap()).collect();
    assert!(streamed.iter().any(|events| *events >= 6), "{streamed:?}");
    let said = format!("{spans:?}");
    assert!(!said.contains("the-secret"), "no path, query or parameter is in a span");
    let resource = &collector.resources()[0];
    assert_eq!(attribute(resource, "service.name"), Some("probe"));
    assert_eq!(attribute(resource, "deployment.environment.name"), Some("trial"));
    assert!(attribute(resource, "service.instance.id").is_some());
}

#[tokio::test]
async fn spans_mark_failures_and_settled_interrupted_work() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let node = traced(&folder, &collector).start().await;
    let anna = User::of(&node, "anna");
    anna.call("fail", json!({"how": "panic"})).await;
    anna.call("fail", json!({"how": "error", "later": true})).await;
    let steps = anna.call("steps", json!({"steps": 1000, "step_ms": 1000})).await;
    let named = |name: &'static str| move |spans: &[Span]| spans.iter().any(|span| span.name == name);
    let spans = collector.until(named("task fail")).await;
    let call = spans.iter().find(|span| attribute(&span.attributes, "outcome") == Some("panic")).unwrap();
    for failed in [call, only(&spans, "task fail")] {
        assert_eq!(failed.status.as_ref().unwrap().code, 2, "{failed:?}");
    }
    assert!(!format!("{spans:?}").contains("secret of the"), "no text of an error is in a span");

    let node = node.kill().await.start().await;
    let spans = collector.until(named("recovery")).await;
    let recovery = only(&spans, "recovery");
    let reclaim = children(&spans, recovery, "reclaimed");
    assert_eq!(reclaim.len(), 1);
    assert_eq!(attribute(&reclaim[0].attributes, "task"), steps["result"]["data"]["task_id"].as_str());
    // Periodic work without a result makes no span.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(collector.spans().iter().all(|span| span.name != "lease renew"));
    // The process sends its last spans before it ends.
    User::of(&node, "anna").call("echo", json!({"text": "the last"})).await;
    node.terminate().await;
    collector.until(named("ledger leave")).await;
    only(&collector.spans(), "call echo");
}

#[tokio::test]
async fn unreachable_collector_delays_no_call_and_tracing_is_off_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let mut gone = options(&folder);
    gone.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned()));
    gone.env.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "50".to_owned()));
    gone.log = Some(folder.path().join("log"));
    let mut node = gone.start().await;
    let anna = User::of(&node, "anna");
    for _ in 0..20 {
        anna.call("echo", json!({"text": "hello"})).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.signal("TERM").await;
    assert!(node.ended_within(Duration::from_secs(10)).await, "it ends all the same");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("spans do not arrive").count(), 1, "the operator is told once: {log}");
    assert!(log.contains("Connection refused"), "and why: {log}");
    assert!(!log.contains("opentelemetry"), "and nothing of each batch: {log}");

    let collector = Collector::start().await;
    for (name, value) in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        let mut silent = traced(&folder, &collector);
        silent.env.push((name.to_owned(), value.to_owned()));
        let node = silent.start().await;
        let url = format!("{}/asked", collector.url);
        User::of(&node, "anna").call("fetch", json!({"url": url})).await;
        node.terminate().await;
    }
    assert!(collector.spans().is_empty());
    assert!(collector.asked().iter().all(|headers| !headers.contains_key("traceparent")));
}

#[tokio::test]
async fn unsupported_tracing_variables_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER is `zipkin`"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL is `grpc`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ];
    for (name, value, said) in cases {
        let mut asked = options(&folder);
        let log = folder.path().join(name);
        asked.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned()));
        asked.env.push((name.to_owned(), value.to_owned()));
        asked.log = Some(log.clone());
        assert!(asked.try_start().await.is_none(), "{name}={value} is refused");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains(said), "{name}={value}: {log}");
    }
}

#[tokio::test]
async fn failed_outgoing_request_has_its_error_and_retry_number() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let node = traced(&folder, &collector).start().await;
    let anna = User::of(&node, "anna");
    anna.call("fetch", json!({"url": format!("{}/status/503", collector.url)})).await;
    anna.call("fetch", json!({"url": "http://[::1]:9/"})).await;
    // Accepts connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hang = anna.call("hang", json!({"url": format!("http://{}/", silent.local_addr().unwrap())})).await;
    let _asked = silent.accept().await.unwrap();
    let task_id = hang["result"]["data"]["task_id"].as_str().unwrap();
    anna.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await;
    let spans = collector.until(|spans| spans.iter().any(|span| span.name == "task hang")).await;

    let requests: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    assert!(requests.iter().all(|span| span.status.as_ref().unwrap().code == 2), "{requests:?}");
    let failed = |how: &str| {
        let failed = requests.iter().filter(|span| attribute(&span.attributes, "error.type") == Some(how));
        failed.copied().collect::<Vec<_>>()
    };
    let again = failed("503").into_iter().filter_map(|span| number(&span.attributes, "http.request.resend_count"));
    assert_eq!(again.collect::<Vec<_>>(), [1], "of three requests one was sent twice");
    let unreachable = failed("connect");
    assert_eq!(attribute(&unreachable[0].attributes, "server.address"), Some("::1"));
    let task = only(&spans, "task hang");
    let aborted = failed("aborted");
    assert_eq!((aborted.len(), &aborted[0].parent_span_id), (1, &task.span_id));
    assert!(number(&aborted[0].attributes, "http.response.status_code").is_none());
}

/// A service that gives every request this answer; returns its address and the heads of its requests.
async fn service(answer: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && connection.read_buf(&mut head).await.unwrap_or(0) > 0 {}
            connection.write_all(answer.as_bytes()).await.unwrap();
            let _ = sender.send(String::from_utf8(head).unwrap());
        }
    });
    (url, heads)
}

#[tokio::test]
async fn redirect_to_another_origin_has_no_trace_context() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let node = traced(&folder, &collector).start().await;
    let end = "content-length: 0\r\nconnection: close\r\n\r\n";
    let (there, mut heads_there) = service(format!("HTTP/1.1 200 OK\r\n{end}")).await;
    let (first, mut heads) = service(format!("HTTP/1.1 302 Found\r\nlocation: {there}/x\r\n{end}")).await;
    User::of(&node, "anna").call("fetch", json!({ "url": first })).await;
    assert!(heads.recv().await.unwrap().contains("\r\ntraceparent: "), "the service that the author chose has it");
    let head = heads_there.recv().await.unwrap();
    assert!(head.starts_with("GET /x ") && !head.contains("trace"), "{head}");
}

#[tokio::test]
async fn export_follows_the_otel_variables() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut options = traced(&folder, &collector);
    let own_path = format!("{}/own/traces", collector.url);
    let env = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own_path.as_str()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a-token, x-tenant = trial"),
        ("OTEL_SERVICE_NAME", "named"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=a%20b%2Cc,my.service.version=9"),
    ];
    options.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let node = options.start().await;
    User::of(&node, "anna").call("echo", json!({"text": "hello"})).await;
    collector.until(|spans| spans.iter().any(|span| span.name == "call echo")).await;
    let (path, headers) = &collector.sent()[0];
    assert_eq!(path, "/own/traces", "the endpoint of traces is taken as it is");
    let said = [("content-encoding", "gzip"), ("authorization", "Bearer a-token"), ("x-tenant", "trial")];
    for (name, value) in said {
        assert_eq!(headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let resource = &collector.resources()[0];
    let said = [("service.name", "named"), ("team", "a b,c"), ("service.version", "0.1.0")];
    for (name, value) in said {
        assert_eq!(attribute(resource, name), Some(value), "{name}");
    }
    node.terminate().await;

    // Under an endpoint for all signals, traces have their own path.
    let mut below = traced(&folder, &collector);
    below.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), format!("{}/base/", collector.url)));
    below.start().await.terminate().await;
    assert_eq!(collector.sent().last().unwrap().0, "/base/v1/traces");
}

/// Waits until more batches than this were sent, accepted or refused.
async fn sent_since(collector: &Collector, before: usize) {
    let sent = async {
        while collector.sent().len() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("spans are sent");
}

#[tokio::test]
async fn collector_outage_is_logged_once_per_transition() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut options = traced(&folder, &collector);
    options.env.push(("RUST_LOG".to_owned(), "info".to_owned()));
    options.log = Some(folder.path().join("log"));
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    collector.refuse(Some("401 Unauthorized"));
    for _ in 0..3 {
        let before = collector.sent().len();
        anna.call("echo", json!({"text": "lost"})).await;
        sent_since(&collector, before).await;
    }
    collector.refuse(None);
    anna.call("echo", json!({"text": "taken"})).await;
    collector.until(|spans| spans.iter().any(|span| span.name == "call echo")).await;
    let said = log();
    assert_eq!(said.matches("spans do not arrive").count(), 1, "{said}");
    assert!(said.contains("status code: 401"), "{said}");

    // The exporter waits when asked to, and loses no span.
    let before = collector.spans().len();
    collector.refuse(Some("429 Too Many Requests\r\nretry-after: 1"));
    let refused = collector.sent().len();
    anna.call("steps", json!({"steps": 1, "step_ms": 1})).await;
    sent_since(&collector, refused).await;
    collector.refuse(None);
    collector.until(|spans| spans[before..].iter().any(|span| span.name == "call steps")).await;
    node.terminate().await;
    let said = log();
    assert_eq!(said.matches("spans do not arrive").count(), 1, "{said}");
    assert_eq!(said.matches("spans arrive at the collector again").count(), 1, "{said}");
    assert!(!said.contains("opentelemetry"), "{said}");
}

#[tokio::test]
async fn ignored_tracing_variables_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let mut odd = options(&folder);
    odd.log = Some(folder.path().join("log"));
    let names = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz9"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
    ];
    odd.env.extend(names.map(|(name, value)| (name.to_owned(), value.to_owned())));
    odd.start().await.terminate().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for (name, _) in &names[1..] {
        assert!(log.contains(name), "{name}: {log}");
    }
}
