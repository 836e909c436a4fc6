//! Keys of an identity provider at a URL or in a file.

use std::time::Duration;

use imperal_tests::issuer::{Answer, Issuer};
use imperal_tests::{Node, NodeOptions, User};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{http, message, refusal};
use crate::options;

const NOW: Duration = Duration::ZERO;

fn by(jwks: &str) -> (TempDir, NodeOptions) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.env.push(("IMPERAL_JWT_SECRET".to_owned(), String::new()));
    options.args.extend(["--jwks", jwks, "--audience", "here", "--issuer", "them"].map(str::to_owned));
    (folder, options)
}

fn anna(node: &Node, kid: &str) -> User {
    User::with_token(node, &Issuer::token(kid, json!({"sub": "anna", "aud": "here", "iss": "them"})))
}

async fn statuses(user: &User, how_many: usize) -> Vec<u16> {
    let asked = (0..how_many).map(|_| async { user.get("/v1/session").await.0.as_u16() });
    futures_util::future::join_all(asked).await
}

#[tokio::test]
async fn tokens_succeed_at_first_use_and_after_a_key_rotation() {
    let late = Duration::from_secs(1);
    let issuer = Issuer::start(Answer::Keys(vec!["local"], late)).await;
    let (_folder, options) = by(&issuer.url);
    let node = options.start().await;
    // The machine's own key was once named `local`.
    assert_eq!(statuses(&anna(&node, "local"), 20).await, [200; 20]);
    assert_eq!(issuer.asked(), 1);
    issuer.set(Answer::Keys(vec!["next"], late));
    assert_eq!(statuses(&anna(&node, "next"), 20).await, [200; 20]);
    assert_eq!(issuer.asked(), 2);
    let (status, body) = anna(&node, "local").get("/v1/session").await;
    assert_eq!((status.as_u16(), message(&body)), (401, "The token was signed by a key that is not known here."));
    let other = Issuer::token("next", json!({"sub": "anna", "aud": "elsewhere", "iss": "them"}));
    assert_eq!(User::with_token(&node, &other).get("/v1/session").await.0, 401);
}

#[tokio::test]
async fn failing_issuer_is_503_until_it_answers() {
    let elsewhere = Issuer::start(Answer::Keys(vec!["a"], NOW)).await;
    for bad in [Answer::Status(503), Answer::Redirect(elsewhere.url.clone()), Answer::Endless] {
        let issuer = Issuer::start(bad.clone()).await;
        let (_folder, options) = by(&issuer.url);
        let node = options.start().await;
        let answer = http()
            .get(format!("{}/v1/session", node.url))
            .bearer_auth(Issuer::token("a", json!({"sub": "anna", "aud": "here", "iss": "them"})))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 503, "{bad:?}");
        assert!(answer.headers().contains_key("retry-after"), "{bad:?}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "UNAVAILABLE");
        issuer.set(Answer::Keys(vec!["a"], NOW));
        let again = async {
            while anna(&node, "a").get("/v1/session").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), again).await.expect("the keys arrive");
        // The issuer sent 256 KiB, the limit, plus the socket buffers of both sides.
        assert!(issuer.sent() < 16 * 1024 * 1024, "{} bytes were read", issuer.sent());
    }
    assert_eq!(elsewhere.asked(), 0, "a redirect was followed");
}

#[tokio::test]
async fn key_file_with_an_unusable_key_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let mut keys = Issuer::keys(&["a"]);
    let weak = json!({"kty": "RSA", "kid": "weak", "e": "AQAB", "n": "gAAAAAAAAAA"});
    keys["keys"].as_array_mut().unwrap().push(weak);
    std::fs::write(&path, keys.to_string()).unwrap();
    let (_data, options) = by(path.to_str().unwrap());
    let said = refusal(&options).await;
    assert!(said.contains("key \"weak\": has 64 bits"), "{said}");

    // A key for another purpose is valid and is ignored.
    keys["keys"][1] = json!({"kty": "RSA", "kid": "other", "use": "enc", "e": "AQAB", "n": "gAAAAAAAAAA"});
    std::fs::write(&path, keys.to_string()).unwrap();
    let node = options.start().await;
    assert_eq!(anna(&node, "a").get("/v1/session").await.0, 200);
    assert_eq!(anna(&node, "other").get("/v1/session").await.0, 401);
}

#[tokio::test]
async fn missing_audience_and_issuer_are_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, Issuer::keys(&["a"]).to_string()).unwrap();
    let mut options = options(&folder);
    options.env.push(("IMPERAL_JWT_SECRET".to_owned(), String::new()));
    options.args.extend(["--jwks".to_owned(), path.to_str().unwrap().to_owned()]);
    options.log = Some(folder.path().join("log"));
    let _node = options.start().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("--audience") && log.contains("--issuer"), "{log}");
}
