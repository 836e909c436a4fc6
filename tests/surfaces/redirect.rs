//! Headers and bodies that follow a redirect, on the wire.

use imperal::context::{HttpErrorKind, Response, Retry};
use imperal::prelude::*;
use serde_json::{Value, json};

use crate::server::{Answer, Asked, Server};
use crate::{run, secs};

/// A head that a server answers with. It leaks, which tests can afford.
fn head(text: String) -> Answer {
    Answer::Head(Box::leak(text.into_boxed_str()))
}

fn redirect(status: u16, to: &str) -> Answer {
    head(format!("{status} See There\r\nlocation: {to}"))
}

/// A server that redirects every request to this URL.
async fn to(status: u16, location: String) -> Server {
    Server::start(move |_| redirect(status, &location)).await
}

async fn ok() -> Server {
    Server::start(|_| Answer::Head("200 OK")).await
}

/// The outcome of one call with a secret in every place.
async fn asked(method: &'static str, url: String, body: &'static str) -> Result<u16, (HttpErrorKind, String)> {
    let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
    run(move |ctx| {
        let (url, sender) = (url.clone(), sender.clone());
        async move {
            let mut request = ctx
                .http()
                .request(method.parse()?, format!("{url}?key=query-secret"))
                .bearer_auth("auth-secret")
                .header("x-api-key", "key-secret")
                .header("cookie", "c=cookie-secret")
                .header("referer", "http://referer-secret.example/")
                .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                .header("accept", "text/plain")
                .idempotency_key("idempotency-secret");
            if !body.is_empty() {
                request = request.body(body);
            }
            let sent = request.send().await;
            let said = sent.map(|answer| answer.status().as_u16()).map_err(|error| (error.kind(), error.to_string()));
            sender.send(said)?;
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    answer.recv().await.unwrap()
}

fn holds_no_secret(asked: &Asked) {
    let all = format!("{}{}", asked.head, String::from_utf8_lossy(&asked.body));
    assert!(!all.contains("secret") && asked.header("traceparent").is_none(), "{all}");
    assert_eq!(asked.header("accept"), Some("text/plain"));
}

#[tokio::test]
async fn other_origin_gets_no_secret_and_no_body() {
    for (method, status, body) in [
        ("GET", 301, ""),
        ("GET", 302, ""),
        ("GET", 307, ""),
        ("POST", 302, "body-secret"),
        ("PUT", 303, "body-secret"),
    ] {
        let elsewhere = ok().await;
        let first = to(status, format!("{}/there", elsewhere.url)).await;
        assert_eq!(asked(method, first.url.clone(), body).await, Ok(200), "{method} {status}");
        let got = elsewhere.asked();
        assert!(got[0].head.starts_with("GET /there HTTP/1.1\r\n"), "{method} {status}: {}", got[0].head);
        holds_no_secret(&got[0]);
        assert!(first.asked()[0].head.contains("auth-secret"), "the first request is as the author wrote it");
    }
}

#[tokio::test]
async fn secrets_are_not_restored_by_a_redirect_to_the_first_origin() {
    let first = Server::start(|asked| match asked {
        0 => redirect(302, "/elsewhere"),
        _ => Answer::Head("200 OK"),
    })
    .await;
    let back = first.url.clone();
    let elsewhere = Server::start(move |_| redirect(302, &format!("{back}/back"))).await;
    let there = elsewhere.url.clone();
    let start = to(302, there).await;
    assert_eq!(asked("GET", start.url, "").await, Ok(200));
    assert!(elsewhere.asked().len() == 1 && !first.asked().is_empty());
    for got in first.asked() {
        holds_no_secret(&got);
    }
}

#[tokio::test]
async fn body_is_not_sent_to_another_origin() {
    for (method, status) in [("POST", 307), ("POST", 308), ("PUT", 302), ("PATCH", 301)] {
        let elsewhere = ok().await;
        let first = to(status, format!("{}/there?code=1", elsewhere.url)).await;
        let (kind, why) = asked(method, first.url.clone(), "body-secret").await.unwrap_err();
        assert_eq!(kind, HttpErrorKind::Redirect);
        for part in [first.url.as_str(), elsewhere.url.as_str(), "send it there yourself", method] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(!why.contains("secret") && !why.contains("code="), "{why}");
        assert_eq!(elsewhere.asked().len(), 0, "{method} {status}");
    }
}

#[tokio::test]
async fn same_origin_gets_everything_but_the_referer() {
    let server = Server::start(|asked| match asked {
        0 => redirect(308, "/two"),
        1 => redirect(307, "three?q=1"),
        _ => Answer::Head("200 OK"),
    })
    .await;
    assert_eq!(asked("POST", server.url.clone(), "body\r\n\u{0}secret").await, Ok(200));
    let got = server.asked();
    assert_eq!(got.len(), 3);
    assert!(got[2].head.starts_with("POST /three?q=1 HTTP/1.1\r\n"), "{}", got[2].head);
    for hop in &got[1..] {
        assert_eq!(hop.body, "body\r\n\u{0}secret".as_bytes());
        assert_eq!(hop.header("referer"), None);
        assert_eq!(hop.header("authorization"), Some("Bearer auth-secret"));
        assert_eq!(hop.header("idempotency-key"), Some("idempotency-secret"));
    }
}

#[tokio::test]
async fn ten_redirects_are_followed_and_an_eleventh_is_not() {
    for (redirects, wanted) in [(10, Ok(200)), (11, Err(HttpErrorKind::Redirect))] {
        let server = Server::start(move |asked| match asked {
            asked if asked < redirects => redirect(302, "/again"),
            _ => Answer::Head("200 OK"),
        })
        .await;
        assert_eq!(asked("GET", server.url.clone(), "").await.map_err(|(kind, _)| kind), wanted);
        assert_eq!(server.asked().len(), 11);
    }
}

/// Sends one request; returns its answer or the text of its error.
async fn call<F, Fut>(send: F) -> Result<Value, String>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, imperal::context::HttpError>> + Send + 'static,
{
    let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
    let send = std::sync::Arc::new(send);
    run(move |ctx| {
        let (sender, send) = (sender.clone(), send.clone());
        async move {
            let answer = send(ctx).await;
            sender.send(
                answer
                    .map_err(|error| error.to_string())
                    .map(|answer| json!([answer.status().as_u16(), answer.attempts(), answer.header("location")])),
            )?;
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    said.recv().await.unwrap()
}

#[tokio::test]
async fn redirect_can_be_returned_as_the_answer() {
    let server = to(307, "https://b.example/?code=1".to_owned()).await;
    let url = server.url.clone();
    let answer = call(move |ctx| {
        let request = ctx.http().post(&url).body("body").follow_redirects(false);
        async move { request.send().await }
    });
    assert_eq!(answer.await, Ok(json!([307, 1, "https://b.example/?code=1"])));
}

#[tokio::test]
async fn timeout_covers_all_hops() {
    let server = Server::start(|asked| if asked < 3 { redirect(302, "/again") } else { Answer::Hang }).await;
    let url = server.url.clone();
    let answer = call(move |ctx| {
        let request = ctx.http().get(&url).timeout(0.5);
        async move { request.send().await }
    });
    let begun = std::time::Instant::now();
    assert_eq!(answer.await, Err("no answer within 0.5 s".to_owned()), "the whole, not what was left");
    assert!(begun.elapsed() < secs(20));
}

#[tokio::test]
async fn chain_of_redirects_is_one_attempt() {
    let server = Server::start(|asked| match asked {
        0 | 2 => redirect(302, "/there"),
        1 => Answer::Head("503 Service Unavailable"),
        _ => Answer::Head("200 OK"),
    })
    .await;
    let url = server.url.clone();
    let answer = call(move |ctx| {
        let request = ctx.http().get(&url).retry(Retry::backoff(3).first_wait(Duration::from_millis(2)));
        async move { request.send().await }
    });
    assert_eq!(answer.await, Ok(json!([200, 2, null])));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn body_over_its_limit_is_not_read_and_the_limit_has_a_maximum() {
    // An announced length, no length, and an invalid limit that is refused before a byte leaves.
    for (head, limit, wanted) in [
        ("200 OK\r\ncontent-length: 67108865\r\n\r\n", None, "larger than the limit of 67108864 bytes"),
        ("200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello", Some(4), "larger than the limit of 4 bytes"),
        ("200 OK", Some(usize::MAX), "a body limit is at most 1073741824 bytes"),
    ] {
        let server = Server::start(move |_| Answer::Head(head)).await;
        let url = server.url.clone();
        let answer = call(move |ctx| {
            let request = ctx.http().get(&url);
            let request = limit.into_iter().fold(request, imperal::context::RequestBuilder::body_limit);
            async move { request.send().await }
        });
        let said = answer.await.unwrap_err();
        assert!(said.contains(wanted), "{said}");
        assert_eq!(server.asked().len(), usize::from(limit != Some(usize::MAX)));
    }
}
