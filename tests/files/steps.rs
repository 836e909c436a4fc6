//! Files in steps: stored and deleted with the step, or not at all.

use imperal::context::StepRetry;
use imperal::ledger::TaskState;

use super::*;

/// Those of the cut run are swept, and those of the stored step are not written again.
#[imperal::test]
async fn files_become_visible_with_their_step() {
    let (platform, anna, log) = task(async |ctx, log| {
        let log = &log;
        let file = ctx
            .step("one", async |ctx| {
                let file = ctx.files().put("one", format!("run {}", log.note("one"))).await?;
                assert_eq!(ctx.files().find(file.file_id).await?, Some(file.clone()), "the step sees its own");
                log.note("written");
                if log.count("one") == 1 {
                    // The test kills the process here.
                    std::future::pending::<()>().await;
                }
                Ok(file)
            })
            .await?;
        if log.note("between") == 1 {
            std::future::pending::<()>().await;
        }
        let text = String::from_utf8_lossy(&ctx.files().get(&file).await?).into_owned();
        ctx.step("two", async |ctx| {
            assert!(ctx.files().delete(&file).await?);
            assert!(!ctx.files().delete(&file).await?);
            assert_eq!(ctx.files().find(file.file_id).await?, None);
            ctx.files().put("two", "x").await.map(drop)
        })
        .await?;
        Ok(ActionResult::done(text))
    })
    .await;
    let task_id = start_task(&anna).await;
    imperal_tests::eventually("written", async || (log.count("written") >= 1).then_some(())).await;
    let states = async || anna.access().files(None, None, 10).await.unwrap().files;
    assert_eq!(states().await.iter().map(|file| &*file.state).collect::<Vec<_>>(), ["pending"]);
    platform.crash().await;
    imperal_tests::eventually("between", async || (log.count("between") >= 1).then_some(())).await;
    assert_eq!(states().await.iter().filter(|file| file.state == "stored").count(), 1);
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert!(outcome.text().contains("run 2"), "{}", outcome.text());
    assert_eq!(states().await.iter().filter(|file| file.state == "stored").count(), 1);
    platform.pass(Duration::from_secs(26 * 3600)).await;
    assert_eq!(names(&anna.files().await), ["two"]);
}

#[imperal::test]
async fn failed_step_leaves_no_file() {
    let (_platform, anna, log) = task(async |ctx, log| {
        let log = &log;
        ctx.retrying(StepRetry::backoff(2))
            .step("one", async |ctx| {
                let file = ctx.files().put("one", "x").await?;
                if log.note("run") == 1 {
                    return Err(Error::retryable("AGAIN", "Again."));
                }
                Ok(file)
            })
            .await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((names(&anna.files().await), log.count("run")), (vec!["one"], 2));
}

#[imperal::test]
async fn durable_bodies_read_outside_of_steps_and_write_in_them() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        let file = ctx.step("one", async |ctx| ctx.files().put("one", "x").await).await?;
        let refused = ctx.files().put("two", "x").await.unwrap_err();
        assert_eq!(*refused.code(), codes::STEP_NEEDED);
        let refused = ctx.files().delete(&file).await.unwrap_err();
        assert_eq!(*refused.code(), codes::STEP_NEEDED);
        assert_eq!(names(&ctx.files().list().await?), ["one"]);
        Ok(ActionResult::done("done"))
    })
    .await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(names(&anna.files().await), ["one"]);
}
