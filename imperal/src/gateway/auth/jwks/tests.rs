//! The cache of keys on a clock that the tests hold still, with fetches that they script.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use serde_json::json;

use super::*;

/// An Ed25519 key pair of the tests: PKCS#8, then the public half.
const PRIVATE: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d, 0x61, 0xb1,
    0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
    0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

fn token(kid: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": kid})), part(json!({"sub": "anna"})));
    let key = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(PRIVATE).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())))
}

/// The issuer's keys, its delay, and the number of requests.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<Published>>, Arc<AtomicUsize>);

#[derive(Default)]
struct Published {
    kids: Vec<&'static str>,
    after: Duration,
    down: bool,
}

impl Issuer {
    fn publishes(kids: &[&'static str]) -> Self {
        let issuer = Self::default();
        issuer.set(|published| published.kids = kids.to_vec());
        issuer
    }

    fn set(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.0.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    fn jwks(&self) -> Jwks {
        Jwks::new(self.fetch())
    }

    fn fetch(&self) -> Fetch {
        let issuer = self.clone();
        Box::new(move || {
            issuer.1.fetch_add(1, Ordering::SeqCst);
            let (after, answer) = {
                let published = issuer.0.lock().unwrap();
                let keys: Vec<_> = published
                    .kids
                    .iter()
                    .map(|kid| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode(PUBLIC)}))
                    .collect();
                let down = published.down;
                (published.after, (!down).then(|| json!({ "keys": keys }).to_string()))
            };
            async move {
                tokio::time::sleep(after).await;
                let answer = answer.ok_or_else(|| "it answered 503".to_owned())?;
                KeySet::read(answer.as_bytes()).map_err(|error| error.to_string())
            }
            .boxed()
        })
    }
}

async fn check(jwks: &Jwks, kid: &str) -> Result<(), AuthError> {
    let token = token(kid);
    jwks.check(&UnverifiedToken::parse(&token).unwrap()).await
}

/// Checks by tasks of their own, at once.
async fn checks(jwks: &Jwks, kid: &'static str, how_many: usize) -> Vec<Result<(), AuthError>> {
    let check = |_| {
        let jwks = jwks.clone();
        tokio::spawn(async move { check(&jwks, kid).await })
    };
    let running: Vec<_> = (0..how_many).map(check).collect();
    futures_util::future::join_all(running).await.into_iter().map(Result::unwrap).collect()
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn is_refused(checked: &Result<(), AuthError>) -> bool {
    checked.as_ref().is_err_and(|error| error.retry_after().is_none())
}

fn is_unavailable(checked: &Result<(), AuthError>) -> bool {
    checked.as_ref().is_err_and(|error| error.retry_after().is_some())
}

#[tokio::test(start_paused = true)]
async fn concurrent_first_tokens_share_one_fetch() {
    let issuer = Issuer::publishes(&["a"]);
    issuer.set(|published| published.after = Duration::from_secs(2));
    let jwks = issuer.jwks();
    assert!(checks(&jwks, "a", 20).await.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_tokens_after_a_rotation_share_one_fetch() {
    let issuer = Issuer::publishes(&["a"]);
    let jwks = issuer.jwks();
    assert!(check(&jwks, "a").await.is_ok());
    pass(60).await;
    issuer.set(|published| (published.kids, published.after) = (vec!["b"], Duration::from_secs(2)));
    assert!(checks(&jwks, "b", 20).await.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 2);
    assert!(is_refused(&check(&jwks, "a").await), "taken out");
}

#[tokio::test(start_paused = true)]
async fn removed_key_is_refused_within_the_largest_age() {
    let issuer = Issuer::publishes(&["a", "b"]);
    let jwks = issuer.jwks();
    assert!(check(&jwks, "a").await.is_ok());
    issuer.set(|published| published.kids = vec!["b"]);
    pass(MAX_AGE.as_secs()).await;
    assert!(is_refused(&check(&jwks, "a").await));
    assert!(check(&jwks, "b").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_in_use_are_renewed_in_the_background() {
    let issuer = Issuer::publishes(&["a"]);
    let jwks = issuer.jwks();
    assert!(check(&jwks, "a").await.is_ok());
    issuer.set(|published| published.after = Duration::from_secs(2));
    pass(RENEW_AFTER.as_secs()).await;
    let before = Instant::now();
    assert!(check(&jwks, "a").await.is_ok());
    assert_eq!(Instant::now(), before, "it waited");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_key_ids_cost_few_fetches_and_delay_no_rotation() {
    let issuer = Issuer::publishes(&["a"]);
    let jwks = issuer.jwks();
    let begun = Instant::now();
    let strangers: Vec<_> = (0..100)
        .map(|number| {
            let jwks = jwks.clone();
            tokio::spawn(async move { check(&jwks, &format!("made up {number}")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    issuer.set(|published| published.kids = vec!["b"]);
    assert!(check(&jwks, "b").await.is_ok());
    assert!(begun.elapsed() <= MIN_FETCH_INTERVAL + Duration::from_secs(1), "{:?}", begun.elapsed());
    for stranger in strangers {
        assert!(is_refused(&stranger.await.unwrap()));
    }
    assert_eq!(issuer.asked(), 2);
    // The same name again is refused without a fetch, for a while.
    for _ in 0..10 {
        assert!(is_refused(&check(&jwks, "made up 1").await));
    }
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn missing_keys_make_tokens_unavailable_not_invalid() {
    let issuer = Issuer::publishes(&["a"]);
    issuer.set(|published| published.down = true);
    let jwks = issuer.jwks();
    assert!(checks(&jwks, "a", 5).await.iter().all(is_unavailable));
    assert_eq!(issuer.asked(), 1);
    issuer.set(|published| published.down = false);
    tokio::time::sleep(FIRST_RETRY).await;
    assert!(check(&jwks, "a").await.is_ok(), "the next second");
}

#[tokio::test(start_paused = true)]
async fn outage_is_bridged_for_a_limited_time() {
    let issuer = Issuer::publishes(&["a"]);
    let jwks = issuer.jwks();
    assert!(check(&jwks, "a").await.is_ok());
    issuer.set(|published| published.down = true);
    pass(MAX_AGE.as_secs()).await;
    assert!(check(&jwks, "a").await.is_ok());
    assert!(is_unavailable(&check(&jwks, "new").await), "it may be a new key");
    pass(MAX_AGE_IN_OUTAGE.as_secs()).await;
    assert!(is_unavailable(&check(&jwks, "a").await));
}

#[tokio::test(start_paused = true)]
async fn disconnected_request_does_not_abort_the_fetch() {
    let issuer = Issuer::publishes(&["a"]);
    issuer.set(|published| published.after = Duration::from_secs(2));
    let jwks = issuer.jwks();
    let gone = tokio::time::timeout(Duration::from_secs(1), check(&jwks, "a")).await;
    assert!(gone.is_err());
    assert!(check(&jwks, "a").await.is_ok());
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn number_of_waiting_requests_is_limited() {
    let issuer = Issuer::publishes(&["a"]);
    issuer.set(|published| published.after = Duration::from_secs(2));
    let jwks = Jwks::with_room(issuer.fetch(), 5);
    let checked = checks(&jwks, "a", 5 + 3).await;
    assert_eq!(checked.iter().filter(|checked| is_unavailable(checked)).count(), 3);
    assert_eq!(jwks.0.lock().waiting, 0);
}
