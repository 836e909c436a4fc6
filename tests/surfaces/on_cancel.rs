//! Cleanup when work is stopped from outside.

use std::sync::{Arc, Mutex};

use imperal::context::StopReason;
use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::server::{Answer, Server};
use crate::{platform, run, secs};

type Said = Arc<Mutex<Vec<String>>>;

#[expect(clippy::unnecessary_wraps, reason = "the shape that a cleanup has")]
fn say(said: &Said, text: &str) -> Result<()> {
    said.lock().unwrap().push(text.to_owned());
    Ok(())
}

/// Registers three cleanups, disarms the second, and then runs the work.
async fn with_cleanups<Fut>(said: &Said, then: fn(Context) -> Fut) -> TestPlatform
where
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let said = said.clone();
    let (platform, _) = platform(move |ctx| {
        let said = said.clone();
        let clean = |text: &'static str| {
            let said = said.clone();
            ctx.on_cancel(move |ctx| async move {
                // Every surface works in a cleanup, although the work's own context refuses.
                ctx.progress(99, "Cleaning up").await?;
                say(&said, text)
            })
        };
        let (_first, second, _third) = (clean("first"), clean("second"), clean("third"));
        second.disarm();
        async move { then(ctx).await }
    })
    .await;
    platform
}

#[tokio::test(start_paused = true)]
async fn cancel_runs_cleanups_latest_first_before_the_outcome() {
    let said = Said::default();
    let platform = with_cleanups(&said, |ctx| async move {
        ctx.cancelled().await;
        Ok(ActionResult::done("swallowed"))
    })
    .await;
    let anna = platform.user("anna");
    let task_id = anna.start("in_background", json!({})).await;
    anna.cancel(task_id).await;
    let task = anna.end_of(task_id).await;
    assert_eq!((task.state, task.message.as_deref()), (TaskState::Cancelled, Some("Cleaning up")));
    assert_eq!(*said.lock().unwrap(), ["third", "first"]);
}

/// Another node may continue the work: a cleanup that runs is dropped, and no other begins.
#[tokio::test(start_paused = true)]
async fn lost_lease_stops_cleanups() {
    for crash_after in [5, 30] {
        let said = Said::default();
        let (platform, _) = platform({
            let said = said.clone();
            move |ctx| {
                let clean = |text: &'static str| {
                    let said = said.clone();
                    ctx.on_cancel(move |_| async move {
                        say(&said, "begun")?;
                        sleep(secs(8)).await;
                        say(&said, text)
                    })
                };
                let (_first, _second) = (clean("first"), clean("second"));
                async move {
                    ctx.cancelled().await;
                    Ok(ActionResult::done("swallowed"))
                }
            }
        })
        .await;
        let anna = platform.user("anna");
        let task_id = anna.start("in_background", json!({})).await;
        anna.cancel(task_id).await;
        sleep(secs(crash_after)).await;
        platform.crash().await;
        sleep(secs(60)).await;
        let said = said.lock().unwrap();
        if crash_after == 5 {
            assert_eq!(*said, ["begun"]);
        } else {
            assert!(said.contains(&"second".to_owned()), "{said:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cleanup_runs_at_a_time_limit_and_silence_but_not_at_a_normal_end() {
    for (then, state, cleaned) in [
        (hang as fn(Context) -> _, TaskState::Reclaimed, true),
        (hang_aloud, TaskState::TimedOut, true),
        (succeed, TaskState::Succeeded, false),
        (fail, TaskState::Failed, false),
        (explode, TaskState::Failed, false),
    ] {
        let said = Said::default();
        let platform = with_cleanups(&said, then).await;
        let anna = platform.user("anna");
        let task_id = anna.start("in_background", json!({})).await;
        assert_eq!(anna.end_of(task_id).await.state, state);
        assert_eq!(said.lock().unwrap().len(), if cleaned { 2 } else { 0 }, "{state:?}");
    }
}

type Ended = std::pin::Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>>;

fn hang(_: Context) -> Ended {
    Box::pin(std::future::pending())
}

fn hang_aloud(ctx: Context) -> Ended {
    Box::pin(async move {
        loop {
            ctx.progress(1, "Still here").await?;
            sleep(secs(60)).await;
        }
    })
}

fn succeed(_: Context) -> Ended {
    Box::pin(async { Ok(ActionResult::done("done")) })
}

fn fail(_: Context) -> Ended {
    Box::pin(async { Err(Error::user("NO", "No.")) })
}

fn explode(_: Context) -> Ended {
    Box::pin(async { panic!("exploded") })
}

#[tokio::test(start_paused = true)]
async fn slow_cleanup_is_dropped_and_a_panic_in_it_changes_nothing() {
    let said = Said::default();
    let hears = said.clone();
    let (_platform, anna) = platform(move |ctx| {
        let said = said.clone();
        async move {
            let _never = ctx.on_cancel(|_| async { say(&Said::default(), "out of time") });
            let _slow = ctx.on_cancel(|_| std::future::pending());
            let _faulty = ctx.on_cancel(|_| async { Err(Error::user("NO", "No.")) });
            let _wild = ctx.on_cancel(|_| -> std::future::Ready<Result<()>> { panic!("in the closure") });
            let _good = ctx.on_cancel(move |_| async move { say(&said, "good") });
            ctx.cancelled().await;
            Err(Error::cancelled())
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    let asked = Instant::now();
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    assert_eq!(asked.elapsed().as_secs(), 10);
    assert_eq!(*hears.lock().unwrap(), ["good"]);
}

#[tokio::test]
async fn request_of_a_cleanup_is_sent_while_the_works_is_aborted() {
    let server = Server::start(|asked| if asked == 0 { Answer::Hang } else { Answer::Head("204 No Content") }).await;
    let url = server.url.clone();
    let (_platform, anna) = platform(move |ctx| {
        let url = url.clone();
        async move {
            let job = format!("{url}/jobs/7");
            let _armed = ctx.on_cancel(move |ctx| async move {
                ctx.http().delete(job).timeout(5).send().await?.error_for_status()?;
                ctx.deliver_chat_message("The job at the service was cancelled too.").await?;
                Ok(())
            });
            ctx.http().post(format!("{url}/jobs")).send().await?;
            Ok(ActionResult::done("unreachable"))
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    let asked: Vec<_> = server.asked().iter().map(|asked| asked.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["POST /jobs HTTP/1.1", "DELETE /jobs/7 HTTP/1.1"]);
    let texts: Vec<_> = anna.turns().await.into_iter().map(|turn| turn.body.text).collect();
    assert!(texts.contains(&"The job at the service was cancelled too.".to_owned()), "{texts:?}");
}

#[tokio::test(start_paused = true)]
async fn stopping_process_runs_cleanups_with_a_short_limit() {
    let said = Said::default();
    let platform = with_cleanups(&said, hang).await;
    let anna = platform.user("anna");
    let task_id = anna.start("in_background", json!({})).await;
    let asked = Instant::now();
    platform.platform().shutdown(secs(10)).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Reclaimed);
    assert_eq!((said.lock().unwrap().len(), asked.elapsed().as_secs()), (2, 10));
}

/// Registers a cleanup that says why the work was stopped, and then runs the work.
async fn with_reasons<Fut>(said: &Said, then: fn(Context) -> Fut) -> TestPlatform
where
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let said = said.clone();
    let (platform, _) = platform(move |ctx| {
        let said = said.clone();
        let _armed = ctx.on_cancel(move |ctx| async move { say(&said, &format!("{:?}", ctx.stop_reason())) });
        async move { then(ctx).await }
    })
    .await;
    platform
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_can_tell_a_cancel_from_a_limit_and_from_a_process_that_stops() {
    for (then, reason) in [(hang as fn(Context) -> _, "Some(Silent)"), (hang_aloud, "Some(TimedOut)")] {
        let said = Said::default();
        let platform = with_reasons(&said, then).await;
        let anna = platform.user("anna");
        let task_id = anna.start("in_background", json!({})).await;
        anna.end_of(task_id).await;
        assert_eq!(*said.lock().unwrap(), [reason]);
    }
    let said = Said::default();
    let platform = with_reasons(&said, hang).await;
    let anna = platform.user("anna");
    let task_id = anna.start("in_background", json!({})).await;
    anna.cancel(task_id).await;
    anna.end_of(task_id).await;
    anna.start("in_background", json!({})).await;
    platform.platform().shutdown(secs(10)).await;
    assert_eq!(*said.lock().unwrap(), ["Some(Cancelled)", "Some(Interrupted)"]);
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_work_has_a_stop_reason() {
    let kept = Arc::new(Mutex::new(None));
    let keeps = kept.clone();
    let (_, _) = run(move |ctx| {
        assert_eq!(ctx.stop_reason(), None);
        *keeps.lock().unwrap() = Some(ctx);
        async { Ok(ActionResult::done("done")) }
    })
    .await;
    let ctx = kept.lock().unwrap().take().unwrap();
    assert_eq!((ctx.stop_reason(), ctx.is_cancelled()), (Some(StopReason::Ended), true));
}

#[tokio::test(start_paused = true)]
async fn dropped_handle_stays_armed() {
    let said = Said::default();
    let hears = said.clone();
    let (task, _) = run(move |ctx| {
        let said = said.clone();
        async move {
            drop(ctx.on_cancel(move |_| async move { say(&said, "cleaned") }));
            std::future::pending().await
        }
    })
    .await;
    assert_eq!((task.state, hears.lock().unwrap().len()), (TaskState::Reclaimed, 1));
}

/// Otherwise a closure that holds the work's own context would leak both.
#[tokio::test(start_paused = true)]
async fn cleanup_is_dropped_when_the_work_ends_normally() {
    let held = Arc::new(());
    let (_platform, anna) = platform({
        let held = held.clone();
        move |ctx| {
            let (its_own, held) = (ctx.clone(), held.clone());
            let _armed = ctx.on_cancel(move |_| async move {
                let _ = (its_own, held);
                Ok(())
            });
            async move { Ok(ActionResult::done("Done.")) }
        }
    })
    .await;
    let before = Arc::strong_count(&held);
    let task_id = anna.start("in_background", json!({})).await;
    anna.end_of(task_id).await;
    assert_eq!(Arc::strong_count(&held), before);
}

/// A cleanup registered after the end of the work, or by another cleanup, would never run.
#[tokio::test(start_paused = true)]
async fn cleanup_registered_too_late_is_dropped_at_once() {
    fn arm(ctx: &Context, held: &Arc<()>) {
        let all = (ctx.clone(), held.clone());
        let _ = ctx.on_cancel(move |_| async move {
            drop(all);
            Ok(())
        });
    }
    let held = Arc::new(());
    let (_platform, anna) = platform({
        let held = held.clone();
        move |ctx| {
            let (stray, held) = (ctx.clone(), held.clone());
            async move {
                let in_cleanup = held.clone();
                let _armed = ctx.on_cancel(move |its_own| async move {
                    arm(&its_own, &in_cleanup);
                    Ok(())
                });
                tokio::spawn(async move {
                    sleep(secs(3600)).await;
                    arm(&stray, &held);
                });
                ctx.cancelled().await;
                Ok(ActionResult::done("swallowed"))
            }
        }
    })
    .await;
    let before = Arc::strong_count(&held);
    let task_id = anna.start("in_background", json!({})).await;
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    sleep(secs(7200)).await;
    assert_eq!(Arc::strong_count(&held), before);
}
