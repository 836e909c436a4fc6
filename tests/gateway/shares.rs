//! One user's share of memory, readers and disk leaves enough for others.

use imperal_tests::{Node, SERVICE_TOKEN, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{node, options};

/// Largest page of turns, with the JSON around its rows.
const PAGE: usize = (2 << 20) + (64 << 10);

/// Sends this many messages of 60 kB, each as a call with a reply.
async fn fill(user: &User, messages: usize) {
    for _ in 0..messages {
        user.call("deliver", json!({"unit": "x".repeat(1000), "times": 60})).await;
    }
}

async fn page(user: &User, query: &str) -> (Vec<Value>, Option<u64>) {
    let answer = user.request(Method::GET, &format!("/v1/chat/turns?{query}")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.bytes().await.unwrap();
    assert!(body.len() <= PAGE, "a page of {} bytes", body.len());
    let page: Value = serde_json::from_slice(&body).unwrap();
    (page["turns"].as_array().unwrap().clone(), page["next"].as_u64())
}

fn numbers(turns: &[Value]) -> Vec<u64> {
    turns.iter().map(|turn| turn["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn long_chat_comes_in_pages_of_two_mebibytes_from_both_ends() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    fill(&anna, 80).await;
    let (mut forward, mut next) = page(&anna, "limit=500").await;
    let mut pages = 1;
    while let Some(after) = next {
        assert_eq!(after, *numbers(&forward).last().unwrap(), "`next` is the last number");
        let (turns, further) = page(&anna, &format!("limit=500&after={after}")).await;
        assert!(!turns.is_empty(), "there is more where `next` says so");
        forward.extend(turns);
        (next, pages) = (further, pages + 1);
    }
    assert_eq!(numbers(&forward), (1..=240).collect::<Vec<_>>());
    assert!(pages >= 3, "{pages} pages");
    let (mut backward, mut next) = page(&anna, "latest=500").await;
    while let Some(before) = next {
        assert_eq!(before, numbers(&backward)[0], "`next` is the first number");
        let (mut turns, further) = page(&anna, &format!("limit=500&before={before}")).await;
        assert!(!turns.is_empty());
        turns.append(&mut backward);
        (backward, next) = (turns, further);
    }
    assert_eq!(backward, forward);
    assert_eq!(page(&anna, "latest=2").await.1, Some(239), "rows end a page as well");
    assert_eq!(page(&anna, "before=3&limit=2").await.1, None);
}

/// Compares the order of the answers, not their times.
#[tokio::test]
async fn many_reads_of_one_user_do_not_delay_another() {
    let (_folder, node) = node().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    fill(&anna, 40).await;
    let (answered, mut answers) = mpsc::unbounded_channel();
    for _ in 0..40 {
        let (anna, answered) = (anna.clone(), answered.clone());
        tokio::spawn(async move {
            let (turns, _) = page(&anna, "limit=500").await;
            assert!(!turns.is_empty());
            answered.send("anna").unwrap();
        });
    }
    // The wait ends when the last of them ends.
    drop(answered);
    // All of them have arrived long before.
    answers.recv().await.unwrap();
    assert_eq!(page(&ben, "limit=500").await, (Vec::new(), None));
    let before = std::iter::from_fn(|| answers.try_recv().ok()).count();
    assert!(before < 20, "{before} of anna's reads were answered before ben's");
    for _ in before..39 {
        answers.recv().await.unwrap();
    }
}

#[cfg(target_os = "linux")]
fn resident(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Clients that open a stream from its start and do not read.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn unread_streams_hold_one_batch_each() {
    const STREAMS: u64 = 40;
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    fill(&anna, 400).await;
    let before = resident(&node);
    let mut unread = Vec::new();
    for _ in 0..STREAMS {
        unread.push(anna.request(Method::GET, "/v1/events/stream?after=0").send().await.unwrap());
    }
    // The user's requests are served in order, so the node has served the streams before this.
    for _ in 0..5 {
        page(&anna, "limit=500").await;
    }
    let grown = resident(&node).saturating_sub(before);
    assert!(grown < STREAMS * (1 << 20) + (32 << 20), "{} MiB for {STREAMS} streams", grown >> 20);
    drop(unread);
}

#[tokio::test]
async fn user_over_the_daily_bytes_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.env.push(("IMPERAL_STORED_PER_USER_AND_DAY".to_owned(), "1".to_owned()));
    let mut node = options.start().await;
    let anna = User::of(&node, "anna");
    let deliver = json!({"unit": "x".repeat(1000), "times": 60});
    let mut taken = 0;
    while taken < 30 && anna.try_call("deliver", deliver.clone()).await.0 == StatusCode::OK {
        taken += 1;
    }
    assert!((15..=18).contains(&taken), "{taken} messages of 60 kB");
    for restarted in [false, true] {
        if restarted {
            node = node.kill().await.start().await;
        }
        let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
        let params = json!({"function": "deliver", "params": deliver});
        let refused = anna.request(Method::POST, "/v1/extensions/probe/call").json(&params).send().await.unwrap();
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=24 * 3600).contains(&wait), "{wait}");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"]["code"], "QUOTA_EXCEEDED");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains("1 MiB") && message.contains("midnight UTC"), "{message}");
        let inject = async |user_id: &str| {
            let body = json!({"ext_id": "probe", "user_id": user_id, "text": "x".repeat(60_000)});
            let request = ben.request(Method::POST, "/v1/internal/chat/inject").json(&body);
            User::send(request.header("x-service-token", SERVICE_TOKEN)).await.0
        };
        assert_eq!(inject("anna").await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(inject("ben").await, StatusCode::OK);
        ben.call("echo", json!({"text": "hi"})).await;
    }
}
