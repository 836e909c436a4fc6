//! Caps and slots of durable tasks.

use imperal::ledger::TaskState;

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
    anna.outcome(task_id).await.assert_state(TaskState::TimedOut);
    // 1,800 s are four whole steps of 400 s and a part of the fifth.
    assert_eq!(log.count("after 3"), 1);
    assert_eq!(log.count("after 4"), 0);
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
    assert_eq!([0, 1, 2].map(|n| log.count(&format!("large {n}"))), [1, 1, 1]);
    let ben = platform.user("ben");
    let task_id = start_task(&ben).await;
    ben.outcome(task_id).await.assert_state(TaskState::Failed);
    assert_eq!(log.count("large 1"), 2, "each user has their own limit");
}
