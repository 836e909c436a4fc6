//! Effects that are cut off: dropped, cancelled, handed over, timed out, by a panic.

use imperal::context::JobStatus;

use super::*;

/// A dropped await leaves the effect unknown; the next use of its name resolves it, in the same attempt.
#[imperal::test]
async fn an_effect_that_loses_a_select_is_unknown() {
    let loses = body(async |ctx, log| {
        let pay = ctx.effect("pay", async |ctx, _| charge(&ctx).await).into_future();
        tokio::select! {
            // The next attempt has the answer.
            _ = pay => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        log.note("lost");
        let paid = ctx.effect("pay", async |ctx, _| charge(&ctx).await).await?;
        Ok(ActionResult::done(format!("{paid:?}")))
    });
    let (platform, anna, _) = platform(loses).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    let question = anna.question(task_id).await;
    assert_eq!(question.text, "It is not known whether `pay` was done. It was cut off before its result was known.");
    anna.answer(task_id, EffectAnswer::Done).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_says("None");
    assert_eq!(keys(&platform).len(), 1);
}

/// A success says it too.
#[imperal::test]
async fn an_end_without_a_second_look_says_that_it_is_unknown() {
    let loses = body(async |ctx, _| {
        let pay = ctx.effect("pay", async |ctx, _| charge(&ctx).await).into_future();
        tokio::select! {
            _ = pay => panic!("the service hangs"),
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        Ok(ActionResult::done("Gave up."))
    });
    let (platform, anna, _) = platform(loses).await;
    charges(&platform, [Reply::hang()]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!(outcome.text(), "Gave up. It is not known whether `pay` was done.");
    assert_ends_unknown(&anna, &outcome).await;
}

#[imperal::test]
async fn a_panic_in_an_effect_says_that_it_is_unknown() {
    let panics = body(async |ctx, _| {
        ctx.effect("pay", async |_, _| -> Result<()> { panic!("in the middle of a charge") }).await?;
        Ok(ActionResult::done("never"))
    });
    let (_platform, anna, _) = platform(panics).await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed);
    assert_ends_unknown(&anna, &outcome).await;
}

#[imperal::test]
async fn an_effect_in_flight_at_the_cap_is_unknown() {
    let slow = body(async |ctx, _| {
        ctx.effect("pay", async |_, _| {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("never"))
    });
    let (setup, _) = setup(slow);
    let platform = setup.settings(|settings| settings.liveness = Duration::from_secs(7200)).start().await;
    let anna = platform.user("anna");
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::TimedOut);
    assert_ends_unknown(&anna, &outcome).await;
}

/// The request goes on, and what came of it is stored: the end knows.
#[imperal::test]
async fn a_cancel_does_not_abort_an_effect() {
    let (platform, anna, log) = platform(pays()).await;
    charges(&platform, [receipt(1).after(Duration::from_secs(20))]);
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    assert_eq!(rows(&anna, task_id).await, [StepKind::Intent, StepKind::Effect]);
    assert_ends_known(&anna, &outcome).await;
}

/// Nor one in a check of a poll.
#[imperal::test]
async fn a_cancel_does_not_abort_an_effect_in_a_poll() {
    let pays = body(async |ctx, log| {
        let (ctx, log) = (&ctx, &log);
        ctx.poll(async || {
            log.note("check");
            ctx.effect("pay", async |ctx, _| charge(&ctx).await).await?;
            Ok(JobStatus::<()>::Pending)
        })
        .await?;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(pays).await;
    charges(&platform, [receipt(1).after(Duration::from_secs(20))]);
    let task_id = start_task(&anna).await;
    until(&log, "check", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_eq!(rows(&anna, task_id).await, [StepKind::Intent, StepKind::Effect]);
    assert_ends_known(&anna, &outcome).await;
    assert_eq!(log.count("check"), 1);
}

/// Nor one in a part of a fan-out. No further part starts.
#[imperal::test]
async fn a_cancel_does_not_abort_an_effect_in_a_fan_out() {
    let pays = body(async |ctx, log| {
        let (ctx, log) = (&ctx, &log);
        let parts = ctx
            .fan_out(["pay", "mail", "never"], async |name| {
                log.note(name);
                if name == "mail" {
                    return ctx.sleep("mail", Duration::from_secs(5)).await;
                }
                ctx.effect(name, async |ctx, _| charge(&ctx).await).await.map(drop)
            })
            .at_most(2)
            .progress(0..=90)
            .await?;
        Ok(ActionResult::done(format!("{}", parts.len())))
    });
    let (platform, anna, log) = platform(pays).await;
    charges(&platform, [receipt(1).after(Duration::from_secs(20))]);
    let task_id = start_task(&anna).await;
    until(&log, "pay", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_eq!(rows(&anna, task_id).await, [StepKind::Intent, StepKind::Effect]);
    assert_ends_known(&anna, &outcome).await;
    assert_eq!(log.count("never"), 0);
}

/// Waits longer for its charge than an effect may go on after a cancel or in a deploy.
fn pays_for_minutes() -> Body {
    body(async |ctx, log| {
        let log = &log;
        let paid = ctx
            .effect("pay", async |ctx, _| {
                log.note("charge");
                ctx.http().post(CHARGES).timeout(120).send().await?;
                Ok(())
            })
            .await?;
        Ok(ActionResult::done(format!("{paid:?}")))
    })
}

/// After 30 s it is dropped.
#[imperal::test]
async fn a_cancel_cuts_an_effect_off_after_half_a_minute() {
    let (platform, anna, log) = platform(pays_for_minutes()).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    let began = tokio::time::Instant::now();
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    let took = began.elapsed().as_secs();
    assert!((30..33).contains(&took), "{took} s");
    assert_ends_unknown(&anna, &outcome).await;
}

/// No effect begins after a cancel, and one that had its intent only is known not to have begun.
#[imperal::test]
async fn no_effect_begins_after_a_cancel() {
    let waits = body(async |ctx, log| {
        log.note("waits");
        while !ctx.is_cancelled() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        ctx.effect("pay", async |ctx, _| charge(&ctx).await).await?;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(waits).await;
    let task_id = start_task(&anna).await;
    until(&log, "waits", 1).await;
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_ends_known(&anna, &outcome).await;
    assert_eq!(keys(&platform).len(), 0);
}

/// The grace period of 10 s is stretched for it.
#[imperal::test]
async fn a_deploy_waits_for_an_effect() {
    let (platform, anna, log) = platform(pays()).await;
    charges(&platform, [receipt(1).after(Duration::from_secs(25))]);
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    platform.deploy().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 1");
    assert_eq!((keys(&platform).len(), anna.questions(task_id).await.len()), (1, 0));
}

#[imperal::test]
async fn a_deploy_cuts_an_effect_off_after_half_a_minute() {
    let (platform, anna, log) = platform(pays_for_minutes()).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    let began = tokio::time::Instant::now();
    platform.deploy().await;
    let took = began.elapsed().as_secs();
    assert!((30..33).contains(&took), "{took} s");
    anna.answer(task_id, EffectAnswer::Done).await;
    anna.outcome(task_id).await.assert_says("None");
    assert_eq!(log.count("charge"), 1);
}

/// A start in an effect cannot wait for the next attempt, which does not repeat it.
#[imperal::test]
async fn a_start_in_an_effect_of_a_process_that_stops_is_an_error() {
    let starts = body(async |ctx, log| {
        let log = &log;
        let started = ctx
            .effect("pay", async |ctx, _| {
                log.note("charge");
                tokio::time::sleep(Duration::from_secs(5)).await;
                ctx.background_task(async |_| Ok(ActionResult::done("never"))).await
            })
            .await?;
        Ok(ActionResult::done(format!("{}", started.is_none())))
    });
    let (platform, anna, log) = platform(starts).await;
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    let began = tokio::time::Instant::now();
    platform.deploy().await;
    let took = began.elapsed().as_secs();
    assert!(took < 10, "{took} s");
    anna.answer(task_id, EffectAnswer::Done).await;
    anna.outcome(task_id).await.assert_says("true");
}

/// An effect whose closure has ended is stored although its await is dropped.
#[imperal::test]
async fn a_result_is_stored_although_nobody_waits_for_it() {
    let (platform, anna, _) = platform(body(async |ctx, log| {
        let log = &log;
        let mut pay = ctx.effect("pay", async |_, _| Ok(log.note("charge"))).into_future();
        // Polled to the end of the closure, then dropped.
        while log.count("charge") == 0 {
            tokio::select! { biased; _ = &mut pay => break, () = tokio::task::yield_now() => {} }
        }
        drop(pay);
        assert_eq!(ctx.effect("pay", async |_, _| Ok(log.note("charge"))).await?, Some(1));
        Ok(ActionResult::done("done"))
    }))
    .await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_says("done");
    assert_ends_known(&anna, &outcome).await;
    drop(platform);
}

/// Loses an effect in its first attempt, and asks for it in no other.
async fn loses_an_effect(ctx: &TaskContext, log: &Log) {
    if log.note("effect") == 1 {
        let pay = ctx.effect("pay", async |ctx, _| charge(&ctx).await).into_future();
        tokio::select! {
            _ = pay => panic!("the service hangs"),
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
    }
}

#[imperal::test]
async fn a_task_that_crashes_its_process_says_that_an_effect_is_unknown() {
    let poison = body(async |ctx, log| {
        loses_an_effect(&ctx, &log).await;
        log.note("hangs");
        std::future::pending::<()>().await;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(poison).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    for crash in 1..=5 {
        until(&log, "hangs", crash).await;
        platform.crash().await;
    }
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Reclaimed).assert_code("TASK_CRASHED");
    assert_ends_unknown(&anna, &outcome).await;
}

/// No process runs it when it ends.
#[imperal::test]
async fn a_task_that_stays_stuck_says_that_an_effect_is_unknown() {
    let changing = body(async |ctx, log| {
        loses_an_effect(&ctx, &log).await;
        if log.note("version") == 1 {
            ctx.step("value", async |_| Ok("text".to_owned())).await?;
            log.note("stored");
            std::future::pending::<()>().await;
        }
        let value: u32 = ctx.step("value", async |_| Ok(7)).await?;
        Ok(ActionResult::done(format!("{value}")))
    });
    let (platform, anna, log) = platform(changing).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    until(&log, "stored", 1).await;
    platform.deploy().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Reclaimed).assert_code("TASK_STUCK");
    assert_ends_unknown(&anna, &outcome).await;
}
