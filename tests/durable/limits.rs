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
