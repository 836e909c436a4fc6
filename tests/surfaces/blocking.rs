//! Code that blocks its thread.

use std::sync::mpsc;

use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

use crate::{code, platform, run, secs};

#[tokio::test]
async fn blocking_code_reports_progress_and_returns() {
    let (task, turn) = run(|ctx| async move {
        let here = std::thread::current().id();
        let user = ctx.user().id.clone();
        let sum = ctx
            .blocking(move |thread| {
                assert_ne!(std::thread::current().id(), here);
                assert_eq!((thread.user().id.as_str(), thread.task_id().is_some()), (user.as_str(), true));
                thread.progress(70, "Adding up")?;
                let refused = thread.progress(f64::NAN, "Lost").unwrap_err();
                assert_eq!(refused.code(), &codes::VALIDATION_TYPE_ERROR);
                Ok((1..=100).sum::<u32>())
            })
            .await?;
        let failed = ctx.blocking(|_| Err::<(), _>(Error::user("NO_FILE", "There is no file."))).await;
        assert_eq!(failed.unwrap_err().code(), &"NO_FILE");
        Ok(ActionResult::done(sum.to_string()))
    })
    .await;
    assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "5050"));
    assert_eq!((task.percent, task.message.as_deref()), (Some(70.0), Some("Adding up")));
}

#[tokio::test]
async fn blocking_code_works_in_a_handler() {
    let (_platform, anna) = platform(|ctx| async move { ctx.blocking(|_| Ok(ActionResult::done("read"))).await }).await;
    assert_eq!(anna.call("in_handler", json!({})).await.unwrap().turn.body.text, "read");
}

#[tokio::test]
async fn panic_in_blocking_code_is_the_tasks() {
    let (platform, anna) = platform(|ctx| async move { ctx.blocking(|_| panic!("engine failure")).await }).await;
    let task_id = anna.start("in_background", json!({})).await;
    let (task, turn) = crate::ended(&anna, task_id).await;
    assert_eq!((task.state, code(&turn).as_str()), (TaskState::Failed, "INTERNAL"));
    let audit = platform.user("anna").access().audit(0, 9).await.unwrap();
    assert!(audit.iter().any(|row| row.body.outcome == imperal::ledger::AuditOutcome::Critical), "{audit:?}");
}

#[tokio::test]
async fn blocking_code_sees_a_cancel_and_can_clean_up() {
    let (said, hears) = mpsc::channel();
    let (_platform, anna) = platform(move |ctx| {
        let said = said.clone();
        async move {
            let never: Result<()> = ctx
                .blocking(move |thread| {
                    said.send("begun").unwrap();
                    let told = loop {
                        if let Err(told) = thread.check() {
                            break told;
                        }
                        std::thread::yield_now();
                    };
                    said.send("cleaned up").unwrap();
                    Err(told)
                })
                .await;
            never?;
            Ok(ActionResult::done("unreachable"))
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    let hears = tokio::task::spawn_blocking(move || (hears.recv().unwrap(), hears)).await.unwrap().1;
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    assert_eq!(hears.try_recv(), Ok("cleaned up"), "the task ends after the thread has");
}

#[tokio::test]
async fn blocking_code_that_ignores_a_cancel_is_abandoned_after_the_grace_period() {
    let (release, released) = mpsc::channel::<()>();
    let (said, hears) = mpsc::channel();
    let released = std::sync::Mutex::new(Some(released));
    let what = crate::work(move |ctx| {
        let (said, released) = (said.clone(), released.lock().unwrap().take().unwrap());
        async move {
            ctx.blocking(move |thread| {
                released.recv().unwrap();
                said.send((thread.progress(50, "late").is_err(), thread.check().is_err())).unwrap();
                Ok(())
            })
            .await?;
            Ok(ActionResult::done("unreachable"))
        }
    });
    let setup = TestPlatform::setup().state(what);
    let platform = setup.settings(|s| s.cancel_grace = Duration::from_millis(20)).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("in_background", json!({})).await;
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled, "while the thread still runs");
    release.send(()).unwrap();
    let refused = tokio::task::spawn_blocking(move || hears.recv().unwrap()).await.unwrap();
    assert_eq!(refused, (true, true), "its handle refuses from then on");
}

#[tokio::test]
async fn blocking_code_is_silent_unless_it_reports() {
    for (looks, wanted) in [(false, TaskState::Reclaimed), (true, TaskState::Succeeded)] {
        let what = crate::work(move |ctx| async move {
            ctx.blocking(move |thread| {
                let begun = std::time::Instant::now();
                while begun.elapsed() < secs(2) {
                    std::thread::sleep(Duration::from_millis(20));
                    if looks {
                        thread.check()?;
                    }
                }
                Ok(())
            })
            .await?;
            Ok(ActionResult::done("over"))
        });
        let platform = TestPlatform::setup().state(what).settings(|s| s.liveness = secs(1)).start().await;
        let anna = platform.user("anna");
        let task_id = anna.start("in_background", json!({})).await;
        assert_eq!(anna.end_of(task_id).await.state, wanted);
    }
}
