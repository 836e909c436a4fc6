//! The page's session, and the one-time links that open it.

use std::time::Duration;

use imperal::context::User as Identity;
use imperal::gateway::LocalKey;
use imperal_tests::{Events, Node, NodeOptions, User};
use reqwest::{Client, Method, Response};
use serde_json::json;
use tempfile::TempDir;

use super::{cookie, http, link, terminal};
use crate::options;

/// A node, and the cookie of a browser that opened one of its links.
struct Signed {
    _folder: TempDir,
    options: NodeOptions,
    node: Node,
    http: Client,
    cookie: String,
}

impl Signed {
    async fn in_() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options(&folder);
        let node = options.start().await;
        let http = http();
        let opened = http.post(link(&node, &options).await).send().await.unwrap();
        let cookie = cookie(&opened).unwrap();
        Self { _folder: folder, options, node, http, cookie }
    }

    async fn ask(&self, method: Method, path: &str, cookies: &[&str]) -> Response {
        let mut request =
            self.http.request(method, format!("{}{path}", self.node.url)).header("origin", &self.node.url);
        for cookie in cookies {
            request = request.header("cookie", *cookie);
        }
        request.send().await.unwrap()
    }

    async fn status(&self, cookies: &[&str]) -> u16 {
        self.ask(Method::GET, "/v1/session", cookies).await.status().as_u16()
    }
}

#[tokio::test]
async fn link_is_used_up_by_a_post_only() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let node = options.start().await;
    let (link, http) = (link(&node, &options).await, http());
    for _ in 0..2 {
        let head = http.head(&link).send().await.unwrap();
        assert_eq!((head.status().as_u16(), cookie(&head)), (200, None));
        let get = http.get(&link).send().await.unwrap();
        assert_eq!((get.status().as_u16(), cookie(&get)), (200, None));
        assert!(get.text().await.unwrap().contains("<form method=post>"));
    }
    let foreign = http.post(&link).header("origin", "https://elsewhere.example").send().await.unwrap();
    assert_eq!((foreign.status().as_u16(), cookie(&foreign)), (403, None));
    let opened = http.post(&link).header("origin", &node.url).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), opened.headers()["location"].to_str().unwrap()), (303, "../"));
    assert!(cookie(&opened).is_some());
    let again = http.post(&link).send().await.unwrap();
    assert_eq!((again.status().as_u16(), cookie(&again)), (303, None), "used");
    assert_eq!(again.headers()["location"], "../?link=used", "the page says so");
}

#[tokio::test]
async fn session_is_no_bearer_token_and_creates_no_links() {
    let signed = Signed::in_().await;
    assert_eq!(signed.status(&[&signed.cookie]).await, 200);
    let (name, value) = signed.cookie.split_once('=').unwrap();
    assert_eq!(User::with_token(&signed.node, value).get("/v1/session").await.0, 401);
    assert_eq!(signed.ask(Method::POST, "/v1/internal/link", &[&signed.cookie]).await.status(), 403);
    // The terminal's token is no session either.
    let bearer = LocalKey::of_folder(&signed.options.folder).unwrap().sign(&Identity::new("me", "default")).unwrap();
    assert_eq!(User::with_token(&signed.node, &bearer).get("/v1/session").await.0, 200);
    assert_eq!(signed.status(&[&format!("{name}={bearer}")]).await, 401);
}

#[tokio::test]
async fn planted_cookie_does_not_switch_the_user() {
    let signed = Signed::in_().await;
    let own = &*signed.cookie;
    let (name, _) = own.split_once('=').unwrap();
    let junk = format!("{name}=junk");
    // A valid cookie is found among others, in one header or several.
    assert_eq!(signed.status(&[&junk, own]).await, 200);
    assert_eq!(signed.status(&[&format!("a=b; {junk};{own}")]).await, 200);
    assert_eq!(signed.status(&[&junk]).await, 401);
    let second = signed.http.post(link(&signed.node, &signed.options).await).send().await.unwrap();
    assert_eq!(signed.status(&[own, &cookie(&second).unwrap()]).await, 200, "two sessions of one user");
    // Behind TLS only the cookie name counts that another port cannot set.
    let tls = signed.http.get(format!("{}/v1/session", signed.node.url)).header("x-forwarded-proto", "https");
    assert_eq!(tls.header("cookie", own).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn cookie_behind_tls_is_secure_and_bound_to_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let node = options.start().await;
    let http = http();
    let opened = http.post(link(&node, &options).await).header("x-forwarded-proto", "https").send().await.unwrap();
    let set = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.starts_with("__Host-imperal_session_") && set.contains("; Secure"), "{set}");
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=604800"] {
        assert!(set.contains(part), "{set}");
    }
    let asked = http.get(format!("{}/v1/session", node.url)).header("x-forwarded-proto", "https");
    assert_eq!(asked.header("cookie", cookie(&opened).unwrap()).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn sign_out_ends_the_session_and_its_streams() {
    let signed = Signed::in_().await;
    let own = &*signed.cookie;
    let second = signed.http.post(link(&signed.node, &signed.options).await).send().await.unwrap();
    let second = cookie(&second).unwrap();
    let mut events = Events::new(signed.ask(Method::GET, "/v1/events/stream", &[own]).await);
    assert_eq!(events.next().await.event, "hello");

    let foreign = signed.http.delete(format!("{}/v1/session", signed.node.url)).header("cookie", own);
    assert_eq!(foreign.header("origin", "https://elsewhere.example").send().await.unwrap().status(), 403);
    assert_eq!(signed.status(&[own]).await, 200);
    let out = signed.ask(Method::DELETE, "/v1/session", &[own]).await;
    assert_eq!(out.status(), 204);
    let set = out.headers()["set-cookie"].to_str().unwrap();
    assert!(set.contains("Max-Age=0") && set.starts_with(own.split('=').next().unwrap()), "{set}");
    let ended = tokio::time::timeout(Duration::from_secs(20), events.try_next()).await;
    assert!(ended.expect("the stream ends").is_none());

    assert_eq!(signed.status(&[own]).await, 401, "a copy of the cookie is worth nothing");
    assert_eq!(signed.status(&[&second]).await, 200, "the session of another browser continues");
    assert_eq!(signed.ask(Method::DELETE, "/v1/session", &[own]).await.status(), 204, "twice is no error");
    assert_eq!(signed.ask(Method::DELETE, "/v1/session", &[]).await.status(), 401);
    assert_eq!(
        terminal(&signed.node, &signed.options).request(Method::DELETE, "/v1/session").send().await.unwrap().status(),
        400
    );

    let options = signed.node.terminate().await;
    let node = options.start().await;
    let status = async |cookie: &str| {
        signed.http.get(format!("{}/v1/session", node.url)).header("cookie", cookie).send().await.unwrap().status()
    };
    assert_eq!((status(own).await.as_u16(), status(&second).await.as_u16()), (401, 200), "over a restart too");
    assert_eq!(User::of(&node, "anna").post("/v1/internal/link", &json!({})).await.0, 403);
}
