//! Steps: run until stored, then never again (P16), and continued by another process (P17).

use imperal::context::StepRetry;
use imperal::ledger::TaskState;
use imperal::testing::Reply;

use super::*;

/// Three paragraphs, one step each; the second hangs in the first attempt.
fn three_steps() -> Body {
    body(async |ctx, log| {
        let mut sum = 0;
        for n in 1..=3 {
            let log = &log;
            sum += ctx
                .step(("paragraph", n), async |ctx| {
                    ctx.progress(n * 30, "Refining").await?;
                    if log.note(&format!("paragraph {n}")) == 1 && n == 2 {
                        std::future::pending::<()>().await;
                    }
                    Ok(n)
                })
                .await?;
        }
        Ok(ActionResult::done(format!("{sum} paragraphs")))
    })
}

#[imperal::test]
async fn a_stored_step_does_not_run_again_after_a_crash() {
    let (platform, anna, log) = platform(three_steps()).await;
    let task_id = start_task(&anna).await;
    until(&log, "paragraph 2", 1).await;
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!(outcome.turn.body.text, "6 paragraphs");
    assert_eq!(log.counts("paragraph", [1, 2, 3]), [1, 2, 1]);
    assert_eq!((log.count("attempt"), outcome.task.attempt), (2, 2));
}

#[imperal::test]
async fn a_task_survives_crash_after_crash_while_it_makes_progress() {
    let many = body(async |ctx, log| {
        for n in 0..12 {
            let log = &log;
            ctx.step(("step", n), async |_| {
                log.note(&format!("step {n}"));
                Ok(n)
            })
            .await?;
            if log.note(&format!("after {n}")) == 1 {
                // The test kills the process here.
                std::future::pending::<()>().await;
            }
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(many).await;
    let task_id = start_task(&anna).await;
    for n in 0..12 {
        until(&log, &format!("after {n}"), 1).await;
        platform.crash().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert!((0..12).all(|n| log.count(&format!("step {n}")) == 1), "a stored step ran twice");
}

/// Only the work between the end of a step and its commit is repeated, and the service sees the same key.
#[imperal::test]
async fn a_request_has_the_same_key_on_every_attempt() {
    let charge = body(async |ctx, log| {
        let log = &log;
        ctx.step("charge", async |ctx| {
            for _ in 0..2 {
                ctx.http().post("https://bank.example/charge").body("10").send().await?;
            }
            if log.note("charged") == 1 {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("charged"))
    });
    let (platform, anna, log) = platform(charge).await;
    platform.http().post("https://bank.example/charge").reply(Reply::status(200));
    let task_id = start_task(&anna).await;
    until(&log, "charged", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let keys: Vec<_> =
        platform.http().requests().iter().map(|request| request.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0].is_some() && keys[0] != keys[1], "two equal requests of one step are two requests");
    assert_eq!(keys[..2], keys[2..], "the second attempt repeats the requests of the first");
}

#[imperal::test]
async fn a_failed_step_stores_nothing_and_can_be_tried_again() {
    let flaky = body(async |ctx, log| {
        let log = &log;
        let first =
            ctx.step("flaky", async |_| if log.note("try") == 1 { Err(Error::internal("no")) } else { Ok(1) }).await;
        assert!(first.is_err());
        let second: u32 = ctx.step("flaky", async |_| Ok(log.note("try"))).await?;
        let third: u32 = ctx.step("flaky", async |_| Ok(99)).await?;
        Ok(ActionResult::done(format!("{second} {third}")))
    });
    let (_platform, anna, _) = platform(flaky).await;
    let task_id = start_task(&anna).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "2 2");
}

#[imperal::test]
async fn a_retried_step_is_tried_until_it_succeeds() {
    let flaky = body(async |ctx, log| {
        let log = &log;
        let tries = ctx
            .retrying(StepRetry::backoff(5))
            .step("flaky", async |_| match log.note("try") {
                count if count < 4 => Err(Error::internal("not yet")),
                count => Ok(count),
            })
            .await?;
        let refused: Result<u32> = ctx
            .retrying(StepRetry::backoff(5))
            .step("final", async |_| {
                log.note("final");
                Err(Error::user("NO_SUCH_CARD", "There is no such card."))
            })
            .await;
        Ok(ActionResult::done(format!("{tries} tries, {}", refused.unwrap_err().code())))
    });
    let (_platform, anna, log) = platform(flaky).await;
    let task_id = start_task(&anna).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "4 tries, NO_SUCH_CARD");
    assert_eq!(log.count("final"), 1, "an answer for the user is final");
}

/// A value over the limit is not stored, and the work is not repeated for it.
#[imperal::test]
async fn a_value_that_cannot_be_stored_ends_the_task_without_a_second_run() {
    let large = body(async |ctx, log| {
        let log = &log;
        ctx.retrying(StepRetry::backoff(5))
            .step("large", async |_| {
                log.note("large");
                Ok("x".repeat(1 << 20))
            })
            .await?;
        Ok(ActionResult::done("stored"))
    });
    let (_platform, anna, log) = platform(large).await;
    let task_id = start_task(&anna).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Failed);
    assert!(outcome.turn.body.text.contains("`large`"), "{}", outcome.turn.body.text);
    assert_eq!(log.count("large"), 1);
}

#[imperal::test]
async fn two_steps_of_one_name_at_once_are_refused_and_two_names_run_together() {
    let both = body(async |ctx, _| {
        let nap = async |_| {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(1)
        };
        let (one, other) = tokio::join!(ctx.step("same", nap).into_future(), ctx.step("same", nap).into_future());
        assert!(one.is_ok() && other.is_err());
        let began = tokio::time::Instant::now();
        let (left, right) = tokio::join!(ctx.step("left", nap).into_future(), ctx.step("right", nap).into_future());
        assert!(left.is_ok() && right.is_ok() && began.elapsed() < Duration::from_secs(6));
        Ok(ActionResult::done("both"))
    });
    let (_platform, anna, _) = platform(both).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
}

/// The result of a closure that has ended is stored although the caller stopped waiting.
#[imperal::test]
async fn a_step_is_stored_although_its_await_is_dropped_after_its_work() {
    let dropped = body(async |ctx, log| {
        let log = &log;
        let step = ctx.step("once", async |_| Ok(log.note("once"))).into_future();
        // The first poll runs the closure and begins to store its value.
        tokio::select! {
            biased;
            _ = step => {}
            () = std::future::ready(()) => {}
        }
        let again = ctx.step("once", async |_| Ok(log.note("once"))).await?;
        Ok(ActionResult::done(format!("{again}")))
    });
    let (_platform, anna, log) = platform(dropped).await;
    let task_id = start_task(&anna).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "1");
    assert_eq!(log.count("once"), 1);
}

/// A clone of a step's context in a stray task can do nothing once the step has ended.
#[imperal::test]
async fn a_steps_context_ends_with_the_step() {
    let stray = body(async |ctx, _| {
        let escaped = ctx
            .step("first", async |ctx| {
                Ok(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    ctx.deliver_chat_message("too late").await.is_err()
                }))
                .map(|_| ())
            })
            .await;
        escaped?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, _) = platform(stray).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert!(!anna.texts().await.iter().any(|text| text == "too late"));
}

/// Reports of stored steps would show 80, 0, 80 to the user.
#[imperal::test]
async fn a_resumed_task_reports_nothing_before_its_first_new_step() {
    let reports = body(async |ctx, log| {
        for n in 1..=3 {
            ctx.progress(n * 30, "Refining").await?;
            let log = &log;
            ctx.step(("paragraph", n), async |_| {
                if log.note(&format!("paragraph {n}")) == 1 && n == 2 {
                    std::future::pending::<()>().await;
                }
                Ok(())
            })
            .await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(reports).await;
    let task_id = start_task(&anna).await;
    until(&log, "paragraph 2", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let percents: Vec<_> = anna.progress_of(task_id).iter().map(|report| report.percent).collect();
    assert_eq!(percents, [30.0, 60.0, 60.0, 90.0]);
}

/// A wait after the last stored step is no repetition: its reports are news.
#[imperal::test]
async fn a_resumed_task_reports_after_its_last_stored_step() {
    let waits = body(async |ctx, log| {
        ctx.progress(10, "Ordering").await?;
        ctx.step("order", async |_| Ok(())).await?;
        ctx.progress(50, "Waiting").await?;
        if log.note("wait") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(waits).await;
    let task_id = start_task(&anna).await;
    until(&log, "wait", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let percents: Vec<_> = anna.progress_of(task_id).iter().map(|report| report.percent).collect();
    assert_eq!(percents, [10.0, 50.0, 50.0]);
}

/// Killed at every moment at which a step may be lost or repeated, the task ends with the same result, and no
/// stored step ran again.
#[imperal::test]
async fn a_crash_at_each_step_changes_nothing() {
    let three = body(async |ctx, log| {
        let mut sum = 0;
        for n in 1..=3 {
            let log = &log;
            sum += ctx.step(("part", n), async |_| Ok(log.note(&format!("part {n}")).min(1) * n)).await?;
        }
        Ok(ActionResult::done(format!("{sum}")))
    });
    let (_platform, anna, log) = platform(three).await;
    let mut crashes = 0;
    anna.crash_at_each_step(
        "start",
        async |_| json!({}),
        async |outcome| {
            assert_eq!(outcome.turn.body.text, "6");
            crashes += 1;
        },
    )
    .await;
    assert_eq!(crashes, 6);
    // Seven runs; each step is repeated in the one run whose crash came before it was stored.
    assert_eq!(log.counts("part", [1, 2, 3]), [8, 8, 8]);
}

/// A map has another order in each process. Its request is the same.
#[imperal::test]
async fn the_order_of_a_map_does_not_change_the_key_of_a_request() {
    let sends = body(async |ctx, log| {
        let log = &log;
        ctx.step("send", async |ctx| {
            let first = log.note("sent") == 1;
            let fields = if first { [("a", 1), ("b", 2)] } else { [("b", 2), ("a", 1)] };
            let body: serde_json::Map<_, _> = fields.iter().map(|(key, n)| ((*key).to_owned(), json!(n))).collect();
            ctx.http().post("https://bank.example/charge").query(&fields).json(&body).send().await?;
            if first {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("sent"))
    });
    let (platform, anna, log) = platform(sends).await;
    platform.http().post("https://bank.example/charge*").reply(Reply::status(200));
    let task_id = start_task(&anna).await;
    eventually("a request", async || platform.http().requests().first().map(drop)).await;
    until(&log, "sent", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let requests = platform.http().requests();
    let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key").unwrap()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
}

/// More values than an attempt keeps in memory: the others are read when the body asks for them.
#[imperal::test]
async fn every_value_of_a_large_task_is_there_after_a_crash() {
    let large = body(async |ctx, log| {
        let log = &log;
        let mut bytes = 0;
        for n in 0..400_usize {
            let value = ctx
                .step(("part", n), async |_| {
                    log.note("part");
                    Ok(format!("{n:04}").repeat(1000))
                })
                .await?;
            assert!(value.starts_with(&format!("{n:04}")), "the value of another step");
            bytes += value.len();
        }
        if log.note("wait") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(ActionResult::done(format!("{bytes}")))
    });
    let (platform, anna, log) = platform(large).await;
    let task_id = start_task(&anna).await;
    until(&log, "wait", 1).await;
    platform.crash().await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "1600000");
    assert_eq!(log.count("part"), 400);
}
