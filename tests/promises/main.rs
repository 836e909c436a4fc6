//! The promises that need a movable clock: time limits, liveness, the steps of a cancel, refusals.
//!
//! A real platform runs on a ledger in memory. With tokio's paused time half an hour takes a millisecond.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod lost_answers;
mod lost_documents;
mod lost_lease;
mod lost_schedules;
mod lost_secrets;
mod reads;
mod repeat;
mod settings;
mod starters;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imperal::context::MAX_TIMEOUT;
use imperal::ledger::{ManualClock, TaskState, Turn};
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;
use tokio::time::Instant;

imperal::extension! {
    app_id: "promises",
    name: "Promises",
    description: "Functions that try to break what the platform promises.",
    icon: "icon.svg",
    capabilities: ["promises:write"],
    secrets: [lost_secrets::TOKEN],
}

#[derive(Deserialize, JsonSchema)]
struct Nap {
    seconds: u64,
    /// Seconds between two signs of life; none when 0.
    #[serde(default)]
    report_every: u64,
    #[serde(default)]
    long_running: bool,
}

/// Sleep in the background for as long as told.
#[chat_function(action_type = "write", event = "slept", effects = ["update:nap"])]
async fn nap(ctx: Context, params: Nap) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        let until = Instant::now() + Duration::from_secs(params.seconds);
        while Instant::now() < until {
            let step = if params.report_every == 0 { params.seconds } else { params.report_every };
            tokio::time::sleep(Duration::from_secs(step)).await;
            if params.report_every > 0 {
                ctx.progress(50, "Still asleep").await?;
            }
        }
        Ok(ActionResult::done("Awake."))
    })
    .name("Nap")
    .long_running(params.long_running)
    .await?;
    Ok(ActionResult::done("Good night."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Take longer than any foreground call may.
#[chat_function(action_type = "write", event = "dawdled", effects = ["update:nap"])]
async fn dawdle(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    tokio::time::sleep(Duration::from_secs(10_000)).await;
    Ok(ActionResult::done("Finally."))
}

#[derive(Deserialize, JsonSchema)]
struct Timeout {
    /// Seconds; JSON has no NaN, so -1 stands for it.
    seconds: f64,
    url: String,
}

/// Fetch a page with a chosen timeout.
#[chat_function(action_type = "write", event = "fetched", effects = ["update:page"])]
async fn fetch(ctx: Context, params: Timeout) -> Result<ActionResult> {
    let seconds = if params.seconds < -0.5 { f64::NAN } else { params.seconds };
    let sent = ctx.http().get(&params.url).timeout(seconds).send().await;
    Ok(ActionResult::done(match sent {
        Ok(answer) => format!("status {}", answer.status().as_u16()),
        Err(error) => format!("{:?}", error.kind()),
    }))
}

#[derive(Deserialize, JsonSchema)]
struct Percent {
    percent: f64,
}

/// Report a percent that may be none.
#[chat_function(action_type = "write", event = "reported", effects = ["update:page"])]
async fn report(ctx: Context, params: Percent) -> Result<ActionResult> {
    let percent = if params.percent < -1000.0 { f64::NAN } else { params.percent };
    ctx.progress(percent, "here").await?;
    Ok(ActionResult::done("reported"))
}

/// How many of four surfaces refuse.
async fn refusals(ctx: &Context) -> usize {
    let refused = [
        ctx.progress(99, "late").await.is_err(),
        ctx.deliver_chat_message("late").await.is_err(),
        ctx.background_task(|_| async { Ok(ActionResult::done("late")) }).await.is_err(),
        ctx.http().get("http://127.0.0.1:9/").send().await.is_err(),
    ];
    refused.into_iter().filter(|refused| *refused).count()
}

/// Keep the context beyond the end of the task.
#[chat_function(action_type = "write", event = "strayed", effects = ["update:page"])]
async fn stray(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let strays = ctx.state::<Arc<AtomicUsize>>()?.clone();
    ctx.background_task(|ctx| async move {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            strays.fetch_add(refusals(&ctx).await, Ordering::SeqCst);
        });
        Ok(ActionResult::done("over"))
    })
    .await?;
    Ok(ActionResult::done("started"))
}

/// Announce from the background while the handler takes its time.
#[chat_function(action_type = "write", event = "announced", effects = ["create:turn"])]
async fn announce(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.deliver_chat_message("announcement").await?;
        Ok(ActionResult::done("outcome"))
    })
    .await?;
    ctx.background_task(|_| async move { Ok(ActionResult::done("quick outcome")) }).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(ActionResult::done("ack"))
}

#[derive(Deserialize, JsonSchema)]
struct Bomb {
    #[serde(deserialize_with = "explode")]
    #[schemars(with = "String")]
    #[allow(dead_code, reason = "it never comes to be")]
    fuse: String,
}

fn explode<'de, D: serde::Deserializer<'de>>(_: D) -> std::result::Result<String, D::Error> {
    panic!("while reading")
}

/// Panic while the parameters are read.
#[chat_function(action_type = "write", event = "exploded", effects = ["update:page"])]
async fn explode_early(_ctx: Context, _params: Bomb) -> Result<ActionResult> {
    Ok(ActionResult::done("unreachable"))
}

/// Panic before the background work's first await.
#[chat_function(action_type = "write", event = "exploded", effects = ["update:page"])]
async fn explode_in_closure(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| {
        assert!(std::hint::black_box(false), "in the closure");
        async { Ok(ActionResult::done("unreachable")) }
    })
    .await?;
    Ok(ActionResult::done("started"))
}

fn code(turn: &Turn) -> String {
    turn.body.result.as_ref().and_then(|result| result.error_code.as_ref()).map(ToString::to_string).unwrap_or_default()
}

async fn outcome(params: serde_json::Value) -> (TaskState, String, u64, String) {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let begun = Instant::now();
    let task_id = anna.start("nap", params).await;
    let task = anna.end_of(task_id).await;
    let outcomes = anna.outcomes(task_id).await;
    assert_eq!(outcomes.len(), 1, "one outcome turn: {outcomes:?}");
    (task.state, code(&outcomes[0]), begun.elapsed().as_secs(), outcomes[0].body.text.clone())
}

#[tokio::test(start_paused = true)]
async fn p12_task_is_stopped_at_180_seconds() {
    let (state, code, seconds, text) = outcome(json!({"seconds": 181, "report_every": 10})).await;
    assert_eq!((state, code.as_str(), seconds), (TaskState::TimedOut, "BACKEND_TIMEOUT", 180), "{text}");
    let (state, ..) = outcome(json!({"seconds": 179})).await;
    assert_eq!(state, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn p12_long_running_task_is_stopped_at_1800_seconds() {
    let (state, code, seconds, text) =
        outcome(json!({"seconds": 2000, "report_every": 100, "long_running": true})).await;
    assert_eq!((state, code.as_str(), seconds), (TaskState::TimedOut, "BACKEND_TIMEOUT", 1800), "{text}");
    let (state, ..) = outcome(json!({"seconds": 1700, "report_every": 100, "long_running": true})).await;
    assert_eq!(state, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn p13_silent_task_is_reclaimed_after_the_liveness_window() {
    let (state, code, seconds, text) = outcome(json!({"seconds": 1000, "long_running": true})).await;
    assert_eq!((state, code.as_str(), seconds), (TaskState::Reclaimed, "TASK_SILENT", 300), "{text}");
    let (state, ..) = outcome(json!({"seconds": 1160, "report_every": 290, "long_running": true})).await;
    assert_eq!(state, TaskState::Succeeded, "a sign of life every 290 s is enough");
}

#[tokio::test(start_paused = true)]
async fn p8_foreground_call_ends_at_its_cap_with_one_reply() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let begun = Instant::now();
    let reply = anna.call("dawdle", json!({})).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 300);
    assert_eq!(code(&reply.turn), "BACKEND_TIMEOUT");
    assert_eq!(anna.turns().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn p11_work_that_ignores_a_cancel_is_dropped_after_the_grace_period() {
    for (report_every, at_least, at_most) in [(0, 10, 10), (1, 0, 1)] {
        let platform = TestPlatform::start().await;
        let anna = platform.user("anna");
        let task_id = anna.start("nap", json!({"seconds": 100, "report_every": report_every})).await;
        let asked = Instant::now();
        anna.access().cancel(task_id).await.unwrap();
        let task = anna.end_of(task_id).await;
        assert_eq!(task.state, TaskState::Cancelled);
        let seconds = asked.elapsed().as_secs();
        assert!((at_least..=at_most).contains(&seconds), "{seconds}");
        assert_eq!(anna.outcomes(task_id).await.len(), 1);
    }
}

#[tokio::test]
async fn p1_timeout_over_the_cap_is_refused_before_any_byte_leaves() {
    let platform = TestPlatform::setup().real_network().start().await;
    let anna = platform.user("anna");
    let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    for seconds in [180.01, 0.0, -0.1, -1.0, 1e300, 1e9] {
        let reply = anna.call("fetch", json!({"seconds": seconds, "url": url})).await.unwrap();
        assert_eq!(reply.turn.body.text, "Refused", "{seconds}");
    }
    let knocked = tokio::time::timeout(Duration::from_millis(50), service.accept()).await;
    assert!(knocked.is_err(), "no connection arrived");
    let answering = tokio::spawn(async move {
        let (mut connection, _) = service.accept().await.unwrap();
        let mut request = [0; 1024];
        tokio::io::AsyncReadExt::read(&mut connection, &mut request).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut connection, b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    });
    let reply = anna.call("fetch", json!({"seconds": MAX_TIMEOUT.as_secs_f64(), "url": url})).await.unwrap();
    assert_eq!(reply.turn.body.text, "status 204", "180 s itself is allowed");
    answering.await.unwrap();
}

#[tokio::test]
async fn percent_outside_0_to_100_is_an_error() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    for percent in [-0.1, 100.1, -5000.0] {
        let reply = anna.call("report", json!({"percent": percent})).await.unwrap();
        assert_eq!(code(&reply.turn), "VALIDATION_TYPE_ERROR", "{percent}");
    }
    for percent in [0.0, 33.3, 100.0] {
        assert!(anna.call("report", json!({"percent": percent})).await.unwrap().result.is_success());
    }
}

#[tokio::test(start_paused = true)]
async fn p9_context_that_outlives_its_task_cannot_write() {
    let refused = Arc::new(AtomicUsize::new(0));
    let platform = TestPlatform::setup().state(refused.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("stray", json!({})).await;
    anna.end_of(task_id).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(refused.load(Ordering::SeqCst), 4, "every surface refuses");
    assert_eq!(anna.turns().await.len(), 3);
    assert_eq!(anna.access().recent_tasks(9).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn user_has_at_most_100_running_tasks() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    for _ in 0..100 {
        anna.start("nap", json!({"seconds": 100})).await;
    }
    let reply = anna.call("nap", json!({"seconds": 1})).await.unwrap();
    assert_eq!(code(&reply.turn), "RATE_LIMITED");
    let ben = platform.user("ben");
    assert!(ben.call("nap", json!({"seconds": 1})).await.unwrap().result.is_success());
}

#[tokio::test(start_paused = true)]
async fn p9_node_without_a_lease_cannot_write_and_another_ends_its_work() {
    let first = TestPlatform::setup().settings(|s| s.node = "a".into()).start().await;
    let anna = first.user("anna");
    let task_id = anna.start("nap", json!({"seconds": 60, "report_every": 1})).await;
    // The same node name joins again, which fences the earlier incarnation.
    let second = TestPlatform::setup().settings(|s| s.node = "a".into()).on_ledger_of(&first).start().await;
    let task = second.user("anna").end_of(task_id).await;
    assert_eq!(task.state, TaskState::Reclaimed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let outcomes = anna.outcomes(task_id).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(code(&outcomes[0]), "INTERRUPTED");
}

#[tokio::test(start_paused = true)]
async fn p7_no_turn_of_a_task_precedes_its_reply() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    anna.call("announce", json!({})).await.unwrap();
    for task in anna.access().recent_tasks(9).await.unwrap() {
        anna.end_of(task.task_id).await;
    }
    let mut texts: Vec<_> = anna.turns().await.into_iter().map(|turn| turn.body.text).collect();
    assert_eq!(texts[..2], ["announce", "ack"], "{texts:?}");
    texts[2..].sort();
    assert_eq!(texts[2..], ["announcement", "outcome", "quick outcome"]);
}

#[tokio::test]
async fn p14_panic_while_parameters_are_read_refuses_the_call() {
    let anna = TestPlatform::start().await.user("anna");
    let refused = anna.call("explode_early", json!({"fuse": "lit"})).await.unwrap_err();
    assert_eq!(refused.code(), &codes::INTERNAL);
    assert!(anna.turns().await.is_empty());
}

#[tokio::test]
async fn p8_panic_in_a_background_closure_is_an_error_turn() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("explode_in_closure", json!({})).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Failed);
    assert_eq!(anna.outcomes(task_id).await.len(), 1);
}

fn held_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn clock_jump_ends_no_work_and_keeps_the_order() {
    let clock = held_clock();
    let platform = TestPlatform::setup().clock(clock.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("nap", json!({"seconds": 100, "report_every": 10})).await;
    for year in ["2126-01-01T00:00:00Z", "1926-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "1971-01-01T00:00:00Z"] {
        clock.set(year.parse().unwrap());
        // Long enough for a renewal of the lease and a recovery pass.
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(anna.access().running_tasks().await.unwrap().len(), 1, "in {year}");
        anna.call("report", json!({"percent": 1.0})).await.unwrap();
    }
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    assert_eq!(anna.outcomes(task_id).await.len(), 1);
    let numbers: Vec<u64> = anna.access().events(0, 500).await.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn p9_clock_jump_over_a_lease_ends_its_work_at_most_once() {
    let clock = held_clock();
    let first = TestPlatform::setup().clock(clock.clone()).settings(|s| s.node = "a".into()).start().await;
    let second = TestPlatform::setup().settings(|s| s.node = "b".into()).on_ledger_of(&first).start().await;
    let anna = first.user("anna");
    for _ in 0..5 {
        let task_id = anna.start("nap", json!({"seconds": 60, "report_every": 1})).await;
        clock.advance(Duration::from_secs(3600));
        let task = second.user("anna").end_of(task_id).await;
        assert!([TaskState::Succeeded, TaskState::Reclaimed].contains(&task.state), "{task:?}");
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(anna.outcomes(task_id).await.len(), 1);
        // The node that lost its lease has joined as a new incarnation.
        for platform in [&first, &second] {
            assert!(platform.user("ben").call("report", json!({"percent": 1.0})).await.unwrap().result.is_success());
        }
    }
}
