//! Responses that are read as they come: bytes and server-sent events, against a server in this process.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt, StreamExt};
use imperal::context::{HttpErrorKind, Retry};
use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::{Chunks, Reply, TestPlatform};
use serde_json::json;

use crate::stream_server::Piece::{Break, Bytes, Hang, Pause, Wait};
use crate::stream_server::{Piece, StreamServer};
use crate::{platform, run, secs, work};

const MS_20: Duration = Duration::from_millis(20);

fn event(data: &str) -> Piece {
    format!("data: {data}\n\n").as_str().into()
}

/// Reads a service's events, each as `event/data`, and how the stream ends.
async fn read(
    server: &StreamServer,
    request: fn(imperal::context::RequestBuilder) -> imperal::context::RequestBuilder,
) -> Vec<String> {
    let (url, seen) = (server.url.clone(), Arc::new(Mutex::new(Vec::new())));
    let told = seen.clone();
    run(move |ctx| {
        let (url, told) = (url.clone(), told.clone());
        async move {
            let add = |line: String| told.lock().unwrap().push(line);
            match request(ctx.http().get(&url)).events().await {
                Err(error) => add(format!("{:?}: {error}", error.kind())),
                Ok(mut events) => loop {
                    match events.next_event().await {
                        Ok(Some(event)) => add(format!("{}/{}", event.event, event.data)),
                        Ok(None) => break add("end".to_owned()),
                        Err(error) => {
                            add(format!("{:?}: {error}", error.kind()));
                            assert_eq!(events.next_event().await.unwrap(), None, "an error ends the stream");
                            break;
                        }
                    }
                },
            }
            Ok(ActionResult::done("read"))
        }
    })
    .await;
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test]
async fn chunks_arrive_before_the_response_ends() {
    let server = StreamServer::start("200 OK", ["one".into(), Wait, "two".into(), Wait]).await;
    let (url, gate) = (server.url.clone(), server.gate());
    let (task, turn) = run(move |ctx| {
        let (url, gate) = (url.clone(), gate.clone());
        async move {
            let mut body = ctx.http().get(&url).stream().await?.error_for_status()?;
            let mut seen = Vec::new();
            // The server sends the next chunk only once this one was read.
            while let Some(chunk) = body.chunk().await? {
                seen.push(String::from_utf8(chunk.to_vec())?);
                gate.send(()).await?;
            }
            Ok(ActionResult::done(seen.join("+")))
        }
    })
    .await;
    assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "one+two"));
}

#[tokio::test]
async fn events_are_parsed_across_chunks_of_any_size() {
    let text = ": hello\r\n\r\ndata: 😀 Grüße\r\n\r\nevent: delta\rid: 7\rdata: a\rdata: b\r\r\
                retry: 5\nunknown: x\ndata\n\nevent: none\n\ndata:  two spaces\n\n";
    let wanted = ["message/😀 Grüße", "delta/a\nb", "message/", "message/ two spaces", "end"];
    for size in [1, 2, 3, 5, 1000] {
        let pieces = text.as_bytes().chunks(size).map(|bytes| Bytes(bytes.to_vec()));
        let server = StreamServer::events(pieces).await;
        assert_eq!(read(&server, |request| request).await, wanted, "chunks of {size} bytes");
    }
}

#[tokio::test]
async fn stream_that_ends_without_its_end_mark_is_no_error_and_loses_no_event() {
    let server = StreamServer::events([event("1"), "data: 2".into()]).await;
    assert_eq!(read(&server, |request| request).await, ["message/1", "message/2", "end"]);
    let empty = StreamServer::events([]).await;
    assert_eq!(read(&empty, |request| request).await, ["end"]);
}

#[tokio::test]
async fn timeout_is_the_longest_silence_and_not_the_whole_time() {
    let mut pieces: Vec<_> = (0..20).flat_map(|n| [event(&n.to_string()), Pause(MS_20)]).collect();
    pieces.push(Hang);
    let server = StreamServer::events(pieces).await;
    let mut seen = read(&server, |request| request.timeout(0.3)).await;
    assert_eq!(seen.pop().unwrap(), "Timeout: no byte for 0.3 s");
    assert_eq!(seen.len(), 20, "400 ms in all: {seen:?}");
}

#[tokio::test]
async fn comments_keep_a_silent_stream_open() {
    let beats = (0..20).flat_map(|_| [": beat\n\n".into(), Pause(MS_20)]);
    let server = StreamServer::events(beats.chain([event("late")])).await;
    assert_eq!(read(&server, |request| request.timeout(0.3)).await, ["message/late", "end"]);
}

#[tokio::test]
async fn connection_that_breaks_in_the_middle_is_an_error_and_not_retried() {
    let server = StreamServer::events([event("1"), "data: 2".into(), Break]).await;
    let seen = read(&server, |request| request.retry(Retry::backoff(5).first_wait(MS_20))).await;
    assert_eq!(seen, ["message/1", "CutOff: the connection broke before the answer was complete"]);
    assert_eq!(server.asked(), 1, "the first bytes may have been used");
}

#[tokio::test]
async fn giant_events_and_endless_bodies_are_refused() {
    let long = "x".repeat(3000);
    let server = StreamServer::events([event("small"), event(&long), event("next")]).await;
    assert_eq!(
        read(&server, |request| request.event_limit(2000)).await,
        ["message/small", "TooLarge: an event is larger than the limit of 2000 bytes; `.event_limit(..)` sets another"]
    );
    // Many lines of one event, and one line that never ends.
    let lines = StreamServer::events((0..30).map(|_| Piece::from("data: 0123456789\n"))).await;
    assert!(read(&lines, |request| request.event_limit(200)).await[0].starts_with("TooLarge: an event"));
    let line = StreamServer::events(["data: ".into(), Bytes(vec![b'x'; 3000]), Hang]).await;
    assert!(read(&line, |request| request.event_limit(2000)).await[0].starts_with("TooLarge: an event"));
    let endless = StreamServer::events((0..30).map(|n| event(&n.to_string()))).await;
    let seen = read(&endless, |request| request.body_limit(100)).await;
    assert_eq!(
        seen.last().unwrap(),
        "TooLarge: the answer is larger than the limit of 100 bytes; `.body_limit(..)` sets another"
    );
    let announced = StreamServer::events([event("1")]).await;
    for limit in [0, imperal::context::MAX_BODY_LIMIT + 1] {
        let url = announced.url.clone();
        let (_, turn) = run(move |ctx| {
            let url = url.clone();
            async move {
                let refused = ctx.http().get(&url).event_limit(limit).events().await.unwrap_err();
                assert_eq!((refused.kind(), refused.attempts()), (HttpErrorKind::Refused, 0));
                Ok(ActionResult::done(refused.to_string()))
            }
        })
        .await;
        assert_eq!(turn.body.text, format!("an event limit is from 1 to 1073741824 bytes, not {limit}"));
    }
    assert_eq!(announced.asked(), 0);
}

#[tokio::test]
async fn response_of_another_kind_is_named_and_its_body_can_be_read() {
    let refusal =
        StreamServer::start("400 Bad Request\r\ncontent-type: application/json", ["{\"error\":\"no model\"}".into()]);
    let (refusal, page) =
        tokio::join!(refusal, StreamServer::start("200 OK\r\ncontent-type: Text/HTML; charset=utf-8", ["<p>".into()]));
    assert_eq!(read(&refusal, |request| request).await, ["Status(400): the service answered 400 Bad Request"]);
    assert_eq!(
        read(&page, |request| request).await,
        ["Decode: the answer is `Text/HTML` and not `text/event-stream`; `.stream()` reads an answer of any type"]
    );
    let bare = StreamServer::start("200 OK", [event("1")]).await;
    assert_eq!(read(&bare, |request| request).await, ["message/1", "end"], "no content-type is no other one");
    let url = refusal.url.clone();
    let (_, turn) = run(move |ctx| {
        let url = url.clone();
        async move {
            let answer = ctx.http().get(&url).stream().await?;
            assert_eq!(answer.status().as_u16(), 400);
            Ok(ActionResult::done(answer.read().await?.text()?))
        }
    })
    .await;
    assert_eq!(turn.body.text, "{\"error\":\"no model\"}");
}

#[tokio::test]
async fn cancel_ends_a_stream_and_closes_its_connection() {
    let mut server = StreamServer::events([event("1"), Hang]).await;
    let (url, (told, first)) = (server.url.clone(), tokio::sync::mpsc::channel(1));
    let (platform, anna) = platform(move |ctx| {
        let (url, told) = (url.clone(), told.clone());
        async move {
            let mut events = ctx.http().get(&url).timeout(180).events().await?;
            assert_eq!(events.next_event().await?.unwrap().data, "1");
            told.send(()).await?;
            let error = events.next_event().await.unwrap_err();
            assert_eq!(error.kind(), HttpErrorKind::Stopped);
            Err(error.into())
        }
    })
    .await;
    let mut first = first;
    let task_id = anna.start("in_background", json!({})).await;
    first.recv().await.unwrap();
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    server.closed().await;
    drop(platform);
}

#[tokio::test]
async fn dropped_stream_closes_its_connection_and_a_dropped_future_loses_nothing() {
    let mut server = StreamServer::events([event("1"), Wait, event("2"), Hang]).await;
    let (url, gate) = (server.url.clone(), server.gate());
    let (_, turn) = run(move |ctx| {
        let (url, gate) = (url.clone(), gate.clone());
        async move {
            let mut events = ctx.http().get(&url).events().await?;
            let mut seen = vec![events.next_event().await?.unwrap().data];
            assert!(events.next_event().now_or_never().is_none(), "not yet sent");
            gate.send(()).await?;
            seen.push(events.next().await.unwrap()?.data);
            drop(events);
            Ok(ActionResult::done(seen.join("+")))
        }
    })
    .await;
    assert_eq!(turn.body.text, "1+2");
    server.closed().await;
}

#[tokio::test]
async fn stream_does_not_outlive_its_work() {
    let server = StreamServer::events([event("1"), Wait, event("2")]).await;
    let (url, gate, kept) = (server.url.clone(), server.gate(), Arc::new(Mutex::new(None)));
    let keep = kept.clone();
    run(move |ctx| {
        let (url, keep) = (url.clone(), keep.clone());
        async move {
            let mut events = ctx.http().get(&url).events().await?;
            events.next_event().await?;
            *keep.lock().unwrap() = Some(events);
            Ok(ActionResult::done("left open"))
        }
    })
    .await;
    let mut events = kept.lock().unwrap().take().unwrap();
    gate.send(()).await.unwrap();
    assert_eq!(events.next_event().await.unwrap_err().kind(), HttpErrorKind::Stopped);
}

#[tokio::test]
async fn retry_and_redirects_end_with_the_head_of_a_response() {
    let stream = StreamServer::events([event("there")]).await;
    let location = format!("307 Temporary Redirect\r\nlocation: {}", stream.url);
    let redirect = StreamServer::start(&location, []).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = redirect.url.clone();
    let (_, turn) = run(move |ctx| {
        let url = url.clone();
        async move {
            let mut events = ctx.http().get(&url).retry(Retry::backoff(2)).events().await?;
            let first = events.next_event().await?.unwrap().data;
            let away = ctx.http().get(format!("http://{closed}/")).retry(Retry::backoff(3).first_wait(MS_20));
            let away = away.events().await.unwrap_err();
            Ok(ActionResult::done(format!("{first}, {:?} after {}", away.kind(), away.attempts())))
        }
    })
    .await;
    assert_eq!(turn.body.text, "there, Connect after 3");
    assert_eq!((redirect.asked(), stream.asked()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn scripted_streams_pause_hang_break_and_run_into_the_cap_of_the_task() {
    let read = work(|ctx| async move {
        let path = ctx.user().id.clone();
        let mut events = ctx.http().get(format!("https://model.example/{path}")).timeout(60).events().await?;
        let mut text = String::new();
        loop {
            match events.next_event().await {
                Ok(Some(event)) => text.push_str(&event.data),
                Ok(None) => return Ok(ActionResult::done(text)),
                Err(error) if error.kind() == HttpErrorKind::Stopped => return Err(error.into()),
                Err(error) => return Ok(ActionResult::done(format!("{text}, {error}"))),
            }
        }
    });
    let platform = TestPlatform::setup().state(read).start().await;
    let http = platform.http();
    http.get("/words").reply(Reply::stream(Chunks::new().event("Hel").pause(secs(59)).event("lo")));
    http.get("/plain").reply(Reply::events(["one\ntwo", "."]));
    http.get("/silent").reply(Reply::stream(Chunks::new().event("Hel").hang()));
    http.get("/broken").reply(Reply::stream(Chunks::new().event("Hel").cut_off()));
    let endless = (0..100).fold(Chunks::new(), |chunks, _| chunks.event("on").pause(secs(50)));
    http.get("/endless").reply(Reply::stream(endless));
    for (path, wanted) in [
        ("words", "Hello"),
        ("plain", "one\ntwo."),
        ("silent", "Hel, no byte for 60 s"),
        ("broken", "Hel, the connection broke before the answer was complete"),
    ] {
        let reply = platform.user(path).call("in_handler", json!({})).await.unwrap();
        assert_eq!(reply.turn.body.text, wanted, "{path}");
    }
    let user = platform.user("endless");
    let task_id = user.start("in_background", json!({})).await;
    assert_eq!(user.end_of(task_id).await.state, TaskState::TimedOut, "1800 s, however often a byte comes");
}
