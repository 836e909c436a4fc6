//! A user who sends too many requests is refused, and no other user notices.

use imperal_tests::{Node, User};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn limited() -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    // The last value of an option counts.
    options.args = [
        "--cancel-grace=1",
        "--shutdown-grace=1",
        "--requests-per-second=2",
        "--request-burst=20",
        "--streams-per-user=3",
    ]
    .map(str::to_owned)
    .to_vec();
    let node = options.start().await;
    (folder, node)
}

#[tokio::test]
async fn user_over_the_rate_is_refused_and_others_are_not() {
    let (_folder, node) = limited().await;
    let anna = User::of(&node, "anna");
    let begun = std::time::Instant::now();
    // The limit is per user, for all routes, tokens and connections together.
    let tries = (0..200).map(|n| {
        let anna = if n % 2 == 0 { anna.clone() } else { User::of(&node, "anna") };
        tokio::spawn(async move {
            let path = ["/v1/chat/turns", "/v1/tasks", "/v1/audit", "/v1/session", "/v1/extensions"][n % 5];
            let answer = anna.request(reqwest::Method::GET, path).send().await.unwrap();
            let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().parse::<u64>().unwrap());
            (answer.status().as_u16(), wait, answer.json::<Value>().await.unwrap())
        })
    });
    let mut taken = 0;
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            (200, None, _) => taken += 1,
            (429, Some(1..), body) => assert_eq!(body["error"]["code"], "RATE_LIMITED"),
            other => panic!("{other:?}"),
        }
    }
    let allowed = 20 + 2 * (begun.elapsed().as_secs() + 1);
    assert!((20..=allowed).contains(&taken), "{taken} of 200 were taken, {allowed} may be");
    // While anna is over her limit, ben, a caller without a token and the operator's probes are served.
    let ben = User::of(&node, "ben");
    while anna.get("/v1/tasks").await.0 != 429 {}
    let called = ben.call("steps", json!({"steps": 1, "step_ms": 1})).await;
    assert_eq!(called["result"]["status"], "success", "{called}");
    assert_eq!(User::with_token(&node, "no token").get("/v1/tasks").await.0, 401);
    for path in ["/healthz", "/readyz", "/metrics", "/"] {
        assert_eq!(anna.get(path).await.0, 200, "{path}");
    }
    let (_, metrics) = ben.get("/metrics").await;
    let refused = 200 - taken + 1;
    assert!(
        metrics.as_str().unwrap().contains(&format!("imperal_refusals_total{{code=\"RATE_LIMITED\"}} {refused}\n"))
    );
    assert!(ben.audit().await.is_empty() || !ben.audit().await.iter().any(|row| row["outcome"] == "refused"));
}

#[tokio::test]
async fn closed_streams_free_the_users_limit() {
    let (_folder, node) = limited().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(anna.stream(0).await);
    }
    let (status, body) = anna.get("/v1/events/stream").await;
    assert_eq!((status.as_u16(), body["error"]["code"].as_str()), (429, Some("RATE_LIMITED")), "{body}");
    ben.stream(0).await.next().await;
    open.clear();
    // The server notices a closed connection after a while.
    let again = async {
        loop {
            let answer = anna.request(reqwest::Method::GET, "/v1/events/stream").send().await.unwrap();
            if answer.status() == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), again).await.expect("streams are given back");
}
