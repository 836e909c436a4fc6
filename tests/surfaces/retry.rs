//! Requests that are retried, and requests that are not.

use std::sync::{Arc, Mutex};

use imperal::context::{HttpErrorKind, Retry};
use imperal::ledger::TaskState;
use imperal::prelude::*;
use serde_json::json;

use crate::server::{Answer, Server};
use crate::{platform, run, secs};

/// Pauses so short that a test needs no paused clock.
fn quickly(attempts: u32) -> Retry {
    Retry::backoff(attempts).first_wait(Duration::from_millis(2))
}

async fn answers(heads: &'static [&'static str]) -> Server {
    Server::start(|asked| Answer::Head(heads[asked.min(heads.len() - 1)])).await
}

#[tokio::test]
async fn get_is_retried_until_the_service_answers() {
    for first in ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        let server = Server::start(move |asked| Answer::Head(if asked < 2 { first } else { "200 OK" })).await;
        let url = server.url.clone();
        let (task, turn) = run(move |ctx| {
            let url = url.clone();
            async move {
                let answer = ctx.http().get(&url).retry(quickly(3)).send().await?.error_for_status()?;
                Ok(ActionResult::done(format!("{} after {}", answer.status().as_u16(), answer.attempts())))
            }
        })
        .await;
        assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "200 after 3"));
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn error_has_the_number_of_tries() {
    let server = answers(&["503 Service Unavailable"]).await;
    let url = server.url.clone();
    let (task, turn) = run(move |ctx| {
        let url = url.clone();
        async move {
            let error = ctx.http().get(&url).retry(quickly(4)).send().await?.error_for_status().unwrap_err();
            assert_eq!((error.attempts(), error.status_code().unwrap().as_u16()), (4, 503));
            assert!(error.to_string().ends_with("after 4 attempts"), "{error}");
            Err(error.into())
        }
    })
    .await;
    assert_eq!((task.state, server.asked().len()), (TaskState::Failed, 4));
    assert_eq!(turn.body.text, "The service failed (503 Service Unavailable). It was asked 4 times.");
}

#[tokio::test]
async fn permanent_failures_are_not_retried() {
    for head in ["200 OK", "400 Bad Request", "401 Unauthorized", "404 Not Found", "500 Internal Server Error"] {
        let server = Server::start(move |_| Answer::Head(head)).await;
        let url = server.url.clone();
        run(move |ctx| {
            let url = url.clone();
            async move {
                assert_eq!(ctx.http().get(&url).retry(quickly(3)).send().await?.attempts(), 1);
                Ok(ActionResult::done("asked"))
            }
        })
        .await;
        assert_eq!(server.asked().len(), 1, "{head}");
    }
}

#[tokio::test]
async fn broken_connection_is_retried_and_a_timeout_only_on_request() {
    let server = Server::start(|asked| if asked < 2 { Answer::Break } else { Answer::Head("204 No Content") }).await;
    let hanging = Server::start(|_| Answer::Hang).await;
    let (url, slow) = (server.url.clone(), hanging.url.clone());
    let (task, turn) = run(move |ctx| {
        let (url, slow) = (url.clone(), slow.clone());
        async move {
            // A service without an answer breaks pooled connections too.
            let answer = ctx.http().delete(&url).retry(quickly(5)).send().await?;
            assert!(answer.status().is_success());
            for (on_timeout, attempts) in [(false, 1), (true, 2)] {
                let call = ctx.http().get(&slow).timeout(0.05).retry(quickly(2).on_timeout(on_timeout));
                let error = call.send().await.unwrap_err();
                assert_eq!((error.kind(), error.attempts()), (HttpErrorKind::Timeout, attempts));
            }
            Ok(ActionResult::done("asked"))
        }
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
    assert_eq!(hanging.asked().len(), 3);
}

#[tokio::test]
async fn post_is_retried_only_with_an_idempotency_key() {
    let server = answers(&["503 Service Unavailable", "201 Created"]).await;
    let url = server.url.clone();
    let (task, turn) = run(move |ctx| {
        let url = url.clone();
        async move {
            for call in [ctx.http().post(&url), ctx.http().patch(&url)] {
                let refused = call.json(&1).retry(quickly(3)).send().await.unwrap_err();
                assert_eq!((refused.kind(), refused.attempts()), (HttpErrorKind::Refused, 0));
                assert!(refused.to_string().contains(".idempotency_key(..)"), "{refused}");
            }
            let call = ctx.http().post(&url).body(&b"\x00\xff"[..]).idempotency_key("refund-17");
            assert_eq!(call.retry(quickly(3)).send().await?.attempts(), 2);
            Ok(ActionResult::done("created"))
        }
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "the refused ones sent nothing");
    for request in asked {
        assert_eq!(request.header("idempotency-key"), Some("refund-17"));
        assert_eq!(request.body, b"\x00\xff", "the same bytes each time");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_or_ends_the_retries() {
    for (head, wanted) in [
        ("429 Too Many Requests\r\nretry-after: 1", Some(secs(1))),
        ("503 Service Unavailable\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT", Some(secs(0))),
        ("429 Too Many Requests\r\nretry-after: 3", None),
        ("429 Too Many Requests\r\nretry-after: nonsense", Some(secs(0))),
    ] {
        let server = Server::start(move |asked| Answer::Head(if asked == 0 { head } else { "200 OK" })).await;
        let url = server.url.clone();
        let waits: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let told = waits.clone();
        run(move |ctx| {
            let (url, told) = (url.clone(), told.clone());
            async move {
                let retry = quickly(3).longest_wait(secs(2)).on_wait(move |wait| told.lock().unwrap().push(wait.wait));
                ctx.http().get(&url).retry(retry).send().await?;
                Ok(ActionResult::done("asked"))
            }
        })
        .await;
        let waits = waits.lock().unwrap().clone();
        assert_eq!(waits.len(), usize::from(wanted.is_some()), "{head}");
        if let Some(wanted) = wanted {
            assert!(waits[0] >= wanted && waits[0] < wanted + Duration::from_millis(3), "{head}: {waits:?}");
        }
        assert_eq!(server.asked().len(), 1 + waits.len());
    }
}

#[tokio::test]
async fn cancel_ends_the_wait_and_sends_nothing_more() {
    let server = answers(&["503 Service Unavailable"]).await;
    let url = server.url.clone();
    let (waiting, waits) = tokio::sync::watch::channel(false);
    let waiting = Arc::new(waiting);
    let (_platform, anna) = platform(move |ctx| {
        let (url, waiting) = (url.clone(), waiting.clone());
        async move {
            let retry = Retry::waits([secs(60)]).on_wait(move |_| {
                let _ = waiting.send(true);
            });
            let error = ctx.http().get(&url).retry(retry).send().await.unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (HttpErrorKind::Stopped, 1));
            Err(error.into())
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    waits.clone().wait_for(|waiting| *waiting).await.unwrap();
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn no_wait_exceeds_the_time_of_the_work() {
    let server = answers(&["503 Service Unavailable"]).await;
    let url = server.url.clone();
    let what = crate::work(move |ctx| {
        let url = url.clone();
        async move {
            assert!(ctx.time_left() <= secs(20) && ctx.time_left() > secs(1), "{:?}", ctx.time_left());
            let answer = ctx.http().get(&url).retry(Retry::waits([secs(20)])).send().await?;
            Ok(ActionResult::done(format!("{} after {}", answer.status().as_u16(), answer.attempts())))
        }
    });
    let setup = imperal::testing::TestPlatform::setup().state(what).real_network();
    let platform = setup.settings(|s| (s.long_task_cap, s.call_cap) = (secs(20), secs(20))).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("in_background", json!({})).await;
    let (task, turn) = crate::ended(&anna, task_id).await;
    assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "503 after 1"));
    let reply = anna.call("in_handler", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, "503 after 1");
}
