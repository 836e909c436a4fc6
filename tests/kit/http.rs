//! Rules that answer outgoing HTTP requests.

use imperal::prelude::*;
use imperal::testing::{Reply, TestPlatform, TestUser};
use serde_json::json;
use tokio::time::Instant;

async fn fetch(anna: &TestUser, url: &str) -> String {
    anna.call("fetch", json!({ "url": url })).await.unwrap().turn.body.text
}

async fn post(anna: &TestUser, url: &str, body: &str) -> String {
    anna.call("fetch", json!({ "url": url, "body": body })).await.unwrap().turn.body.text
}

#[imperal::test]
async fn first_matching_rule_with_replies_left_answers(platform: TestPlatform) {
    let http = platform.http();
    let german = http.get("https://a.example/page").query("lang", "de").reply(Reply::text("Seite"));
    let first = http.get("https://a.example/*").replies([Reply::status(429), Reply::text("second")]);
    http.any("/page").reply(Reply::text("always"));
    let anna = platform.user("anna");
    for (url, wanted) in [
        ("https://a.example/page?lang=de&x=1", "200 Seite"),
        ("https://a.example/page?lang=en", "429 "),
        ("https://a.example/other", "200 second"),
        ("https://a.example/page", "200 always"),
        ("http://127.0.0.1:1/page", "200 always"),
    ] {
        assert_eq!(fetch(&anna, url).await, wanted, "{url}");
    }
    assert_eq!((german.calls(), first.calls(), http.requests().len()), (1, 2, 5));
    let sent = &http.requests()[0];
    assert_eq!((sent.method.as_str(), sent.host(), sent.path()), ("GET", "a.example", "/page"));
    assert_eq!((sent.query("lang").as_deref(), sent.header("x-client")), (Some("de"), Some("kit")));
}

#[imperal::test]
async fn rules_match_bodies_and_headers(platform: TestPlatform) {
    let http = platform.http();
    http.post("/j").json_body(json!({"a": 1, "b": [2]})).reply(Reply::text("json"));
    http.post("/j").body_contains("needle").reply(Reply::text("text"));
    http.post("/j").header("x-client", "other").reply(Reply::text("header"));
    http.post("/j").matching(|sent| sent.body.len() == 3).reply(Reply::with(|sent| Reply::text(sent.text())));
    let anna = platform.user("anna");
    for (body, wanted) in
        [(r#"{ "b": [ 2 ], "a": 1 }"#, "200 json"), ("hay needle hay", "200 text"), ("abc", "200 abc")]
    {
        assert_eq!(post(&anna, "https://a.example/j", body).await, wanted);
    }
    assert_eq!(http.requests()[0].json::<serde_json::Value>()["a"], 1);
}

#[imperal::test]
async fn service_can_be_slow_hang_or_be_unreachable(platform: TestPlatform) {
    let http = platform.http();
    http.get("/slow").reply(Reply::text("at last").after(Duration::from_secs(29)));
    http.get("/late").reply(Reply::text("too late").after(Duration::from_secs(31)));
    http.get("/hang").reply(Reply::hang());
    http.get("/away").reply(Reply::connect_error());
    let anna = platform.user("anna");
    let begun = Instant::now();
    for (path, wanted, at) in [
        ("slow", "200 at last", 29),
        ("late", "Timeout: no answer within 30 s", 59),
        ("hang", "Timeout: no answer within 30 s", 89),
        ("away", "Connect: the service could not be reached", 89),
    ] {
        assert_eq!(fetch(&anna, &format!("https://a.example/{path}")).await, wanted);
        assert_eq!(begun.elapsed().as_secs(), at);
    }
}

#[imperal::test]
async fn bytes_arrive_unchanged_and_limits_hold(platform: TestPlatform) {
    let bytes: Vec<u8> = (0..=255).collect();
    platform.http().get("/b").reply(Reply::bytes(bytes.clone()).header("x-a", "b").with_status(203));
    let reply = platform.user("anna").call("fetch", json!({"url": "https://a.example/b"})).await.unwrap();
    assert_eq!(reply.turn.body.text, format!("203 {}", String::from_utf8_lossy(&bytes)));
    // The surface's own limits hold: this request is refused before any rule.
    let refused = platform.user("anna").call("fetch", json!({"url": "https://a.example/b", "timeout": 181})).await;
    assert!(refused.unwrap().turn.body.text.starts_with("Refused"));
    assert_eq!(platform.http().requests().len(), 1);
}

#[imperal::test]
async fn rule_counts_concurrent_requests(platform: TestPlatform) {
    let log = platform.http().get("/slow").reply(Reply::text("ok").after(Duration::from_secs(5)));
    let users: Vec<_> = ["a", "b", "c"].iter().map(|id| platform.user(id)).collect();
    let calls = users.iter().map(|user| fetch(user, "https://a.example/slow"));
    futures_util::future::join_all(calls).await;
    fetch(&users[0], "https://a.example/slow").await;
    assert_eq!((log.calls(), log.most_at_once(), log.running()), (4, 3, 0));
}

#[imperal::test]
async fn scripted_redirects_follow_the_rules_of_the_network(platform: TestPlatform) {
    let http = platform.http();
    http.get("https://a.example/one").reply(Reply::redirect(301, "/two"));
    http.any("https://a.example/two").reply(Reply::redirect(302, "https://b.example/three?page=3"));
    http.post("https://a.example/kept").reply(Reply::redirect(307, "https://b.example/three"));
    http.get("https://a.example/down").reply(Reply::redirect(302, "http://a.example/three"));
    http.get("https://a.example/round").reply(Reply::redirect(302, "https://a.example/round"));
    http.any("https://b.example/three").reply(Reply::text("there"));
    let anna = platform.user("anna");
    assert_eq!(fetch(&anna, "https://a.example/one").await, "200 there");
    assert_eq!(post(&anna, "https://a.example/two", "hush").await, "200 there");
    let sent = http.requests();
    assert_eq!(sent.len(), 5, "each hop is a request");
    assert_eq!(sent[1].header("x-client"), Some("kit"), "within the origin");
    for away in [&sent[2], &sent[4]] {
        assert_eq!((away.url(), away.header("x-client")), ("https://b.example/three?page=3", None));
        assert_eq!((away.method.as_str(), away.body.len()), ("GET", 0));
    }
    for (url, body, wanted) in [
        ("https://a.example/kept", Some("hush"), "Redirect: https://a.example redirects a POST to another origin"),
        ("https://a.example/down", None, "Redirect: https://a.example redirects from https to http"),
        ("https://a.example/round", None, "Redirect: the service redirected more than 10 times"),
    ] {
        let said = match body {
            Some(body) => post(&anna, url, body).await,
            None => fetch(&anna, url).await,
        };
        assert!(said.starts_with(wanted), "{said}");
    }
}

#[imperal::test]
async fn scripted_timeout_covers_all_hops(platform: TestPlatform) {
    let http = platform.http();
    http.get("/one").reply(Reply::redirect(302, "/two").after(Duration::from_secs(20)));
    http.get("/two").reply(Reply::text("late").after(Duration::from_secs(20)));
    let anna = platform.user("anna");
    let begun = Instant::now();
    assert_eq!(fetch(&anna, "https://a.example/one").await, "Timeout: no answer within 30 s");
    assert_eq!(begun.elapsed().as_secs(), 30);
}
