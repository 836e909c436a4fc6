//! Caps and slots of durable tasks.

use imperal::ledger::TaskState;
use imperal::platform::Settings;

use super::*;

/// Time between attempts and time of a step that a crash cut off do not count.
#[imperal::test]
async fn the_cap_counts_running_time_only() {
    let slow = body(async |ctx, log| {
        let log = &log;
        for n in 0..4 {
            ctx.step(("long", n), async |_| {
                tokio::time::sleep(Duration::from_secs(400)).await;
                Ok(())
            })
            .await?;
            if log.note(&format!("after {n}")) == 1 {
                std::future::pending::<()>().await;
            }
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(slow);
    let platform = setup.settings(|s| s.liveness = Duration::from_secs(1000)).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    for n in 0..4 {
        until(&log, &format!("after {n}"), 1).await;
        // 150 s that no step covers: they are not charged, since the crash cuts them off.
        platform.pass(Duration::from_secs(150)).await;
        platform.crash().await;
    }
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
}

#[imperal::test]
async fn the_cap_holds_over_attempts() {
    let slow = body(async |ctx, log| {
        let log = &log;
        for n in 0..10 {
            ctx.step(("long", n), async |_| {
                tokio::time::sleep(Duration::from_secs(400)).await;
                Ok(())
            })
            .await?;
            if log.note(&format!("after {n}")) == 1 && n < 2 {
                std::future::pending::<()>().await;
            }
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(slow);
    let platform = setup.settings(|s| s.liveness = Duration::from_secs(1000)).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    for n in 0..2 {
        until(&log, &format!("after {n}"), 1).await;
        platform.crash().await;
    }
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::TimedOut).assert_says("did not finish within 1800 s");
    // 1,800 s are four whole steps of 400 s and a part of the fifth.
    assert_eq!(log.count("after 3"), 1);
    assert_eq!(log.count("after 4"), 0);
}

/// A short sleep stays in the process. The cap waits for it, also over crashes and deploys.
#[imperal::test]
async fn short_sleeps_are_no_running_time() {
    let polls = body(async |ctx, log| {
        let log = &log;
        for n in 0..60 {
            ctx.sleep(("nap", n), Duration::from_secs(59)).await?;
            ctx.step(("look", n), async |ctx| {
                tokio::time::sleep(Duration::from_secs(5)).await;
                log.note("look");
                assert!(ctx.time_left() > Duration::from_secs(1800 - 60 * 6), "{:?}", ctx.time_left());
                Ok(())
            })
            .await?;
            if n % 20 == 10 && log.note(&format!("after {n}")) == 1 {
                std::future::pending::<()>().await;
            }
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(polls);
    let platform = setup.settings(|s| *s = Settings::default()).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    for n in [10, 30, 50] {
        until(&log, &format!("after {n}"), 1).await;
        if n == 30 { platform.deploy().await } else { platform.crash().await }
    }
    // An hour of sleeps, with a cap of half an hour.
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("look"), log.count("attempt")), (60, 4));
}

/// As after a crash: else a few deploys would end a task with a long step.
#[imperal::test]
async fn time_of_a_step_that_a_deploy_cut_off_is_not_charged() {
    let slow = body(async |ctx, log| {
        let log = &log;
        ctx.step("long", async |_| {
            let seconds = if log.note("long") < 3 { 3600 } else { 1500 };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(slow);
    let platform = setup.settings(|s| s.liveness = Duration::from_secs(10_000)).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    for deploy in 1..=2 {
        until(&log, "long", deploy).await;
        // Together more than the cap of 1,800 s.
        platform.pass(Duration::from_secs(1200)).await;
        platform.deploy().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("long"), 3);
}

/// Up to the last row of the attempt that was cut off, time counts as ever: steps do, and naps do not.
#[imperal::test]
async fn time_before_a_step_that_a_deploy_cut_off_is_charged() {
    let slow = body(async |ctx, log| {
        let log = &log;
        for n in 0..10 {
            ctx.sleep(("nap", n), Duration::from_secs(59)).await?;
            ctx.step(("short", n), async |_| {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(())
            })
            .await?;
        }
        ctx.deliver_chat_message("The long part begins.").await?;
        ctx.step("long", async |ctx| {
            if log.note("long") == 1 {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            let (left, wanted) = (ctx.time_left(), Duration::from_secs(1200));
            assert!(left <= wanted && left + Duration::from_secs(10) > wanted, "{left:?}");
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(slow);
    let calm = |s: &mut Settings| {
        *s = Settings::default();
        s.liveness = Duration::from_secs(10_000);
    };
    let platform = setup.settings(calm).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "long", 1).await;
    platform.pass(Duration::from_secs(1000)).await;
    platform.deploy().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
}

/// Only the process knows how long a task waited, so it says so when it gives the task back: neither a wait that was
/// parked nor a deploy in the middle of a sleep changes what is left.
#[imperal::test]
async fn waits_of_earlier_attempts_give_no_time_and_take_none() {
    let waits = body(async |ctx, log| {
        let left = async |at: &str, wanted: u64| {
            let left = ctx.time_left();
            let wanted = Duration::from_secs(wanted);
            assert!(left <= wanted && left + Duration::from_secs(10) > wanted, "{at}: {left:?}");
            log.note(at);
        };
        ctx.step("early", async |_| {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok(())
        })
        .await?;
        let (reminded, answer) = tokio::join!(
            ctx.sleep("remind", Duration::from_secs(24 * 3600)).into_future(),
            ctx.ask::<u32>("ok", "Go on?").into_future()
        );
        reminded?;
        answer?;
        left("waited", 1200).await;
        for n in 0..20 {
            ctx.sleep(("nap", n), Duration::from_secs(59)).await?;
        }
        left("slept", 1200).await;
        ctx.step("late", async |_| {
            tokio::time::sleep(Duration::from_secs(1100)).await;
            Ok(())
        })
        .await?;
        left("late", 100).await;
        ctx.step("too late", async |_| {
            tokio::time::sleep(Duration::from_secs(200)).await;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(waits);
    let calm = |s: &mut Settings| {
        *s = Settings::default();
        s.liveness = Duration::from_secs(10_000);
    };
    let platform = setup.settings(calm).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    anna.parked(task_id).await;
    platform.pass(Duration::from_secs(3 * 3600)).await;
    anna.answer(task_id, 1).await;
    platform.pass(Duration::from_secs(21 * 3600)).await;
    until(&log, "waited", 1).await;
    for _ in 0..5 {
        // In the middle of a nap.
        platform.pass(Duration::from_secs(89)).await;
        platform.deploy().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::TimedOut);
    assert!(log.count("attempt") >= 7, "{}", log.count("attempt"));
    assert_eq!(log.count("late"), 1);
}

/// The end by the cap is put off by the sleeps, and comes then.
#[imperal::test]
async fn the_cap_holds_beside_short_sleeps() {
    let slow = body(async |ctx, log| {
        for n in 0..40 {
            ctx.sleep(("nap", n), Duration::from_secs(59)).await?;
        }
        // Another future that waits does not make a step of it a wait.
        let nap = async { ctx.sleep("beside", Duration::from_secs(50)).await };
        let step = ctx.step("long", async |_| {
            tokio::time::sleep(Duration::from_secs(1750)).await;
            Ok(log.note("long"))
        });
        let (nap, step) = tokio::join!(nap, step.into_future());
        nap?;
        step?;
        // Nothing of the attempt is in flight, and nothing that the platform knows is waited for.
        tokio::time::sleep(Duration::from_secs(100)).await;
        log.note("end");
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(slow);
    let calm = |s: &mut Settings| {
        *s = Settings::default();
        s.liveness = Duration::from_secs(10_000);
    };
    let platform = setup.settings(calm).start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::TimedOut);
    let ran = begun.elapsed();
    let wanted = Duration::from_secs(40 * 59 + 1800);
    assert!((wanted..wanted + Duration::from_secs(5)).contains(&ran), "{ran:?}");
    assert_eq!((log.count("long"), log.count("end")), (1, 0));
}

/// A durable task over the limit of running ones waits for a slot instead of being refused.
#[imperal::test]
async fn a_task_over_the_limit_of_running_ones_waits_for_a_slot() {
    let naps = body(async |_, log| {
        log.note("runs");
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(naps);
    let platform = setup.settings(|s| s.tasks_per_user = 2).start().await;
    let anna = platform.user("anna");
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(start_task(&anna).await);
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(log.count("runs"), 2);
    assert_eq!(anna.access().task(tasks[2]).await.unwrap().state, TaskState::Queued);
    for task_id in tasks {
        anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    }
    assert_eq!(log.count("runs"), 3);
}

/// The refusal is an answer: the work is not repeated for it, and other tasks of the day are refused too.
#[imperal::test]
async fn steps_count_towards_the_bytes_of_a_user_and_day() {
    let large = body(async |ctx, log| {
        let log = &log;
        for n in 0..3 {
            ctx.retrying(imperal::context::StepRetry::backoff(5))
                .step(("large", n), async |_| {
                    log.note(&format!("large {n}"));
                    Ok("x".repeat(40_000))
                })
                .await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(large);
    let platform = setup.settings(|s| s.stored_per_user_and_day = 100_000).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Failed);
    let result = outcome.task.result.unwrap();
    assert_eq!(result.error_code.unwrap(), imperal::codes::QUOTA_EXCEEDED);
    assert!(outcome.turn.body.text.contains("--stored-per-user-and-day"), "{}", outcome.turn.body.text);
    assert_eq!(log.counts("large", [0, 1, 2]), [1, 1, 1]);
    let ben = platform.user("ben");
    let task_id = start_task(&ben).await;
    ben.outcome(task_id).await.assert_state(TaskState::Failed);
    assert_eq!(log.count("large 1"), 2, "each user has their own limit");
}
