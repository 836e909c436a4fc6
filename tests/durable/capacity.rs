//! How much a user, a task and a node may have: open tasks, steps, resumed tasks.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use imperal::ledger::TaskState;

use super::waits::DAY;
use super::*;

/// Running and waiting ones together.
#[imperal::test]
async fn a_user_has_a_limit_of_open_tasks() {
    let sleeps = body(async |ctx, log| {
        if log.note("begins") == 1 {
            ctx.sleep("a day", DAY).await?;
        } else {
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, _) = setup(sleeps);
    let platform = setup.settings(|s| s.open_tasks_per_user = 2).start().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let waiting = start_task(&anna).await;
    anna.parked(waiting).await;
    let running = start_task(&anna).await;
    let refused = anna.call("start", json!({})).await.unwrap();
    let result = refused.turn.body.result.unwrap();
    assert_eq!(result.error_code.unwrap(), imperal::codes::RATE_LIMITED);
    assert_eq!(anna.access().tasks_of_call(refused.call_id).await.unwrap(), []);
    start_task(&ben).await;
    anna.outcome(running).await.assert_state(TaskState::Succeeded);
    start_task(&anna).await;
}

#[imperal::test]
async fn a_task_has_10_000_steps_at_most() {
    let many = body(async |ctx, log| {
        let log = &log;
        for n in 0..10_000 {
            ctx.step(n.to_string(), async |_| Ok(())).await?;
        }
        log.note("all");
        let refused = ctx.step("one more", async |_| Ok(log.note("one more"))).await.unwrap_err();
        ctx.step("0", async |_| Ok(())).await?;
        Ok(ActionResult::done(refused.code().to_string()))
    });
    let (_platform, anna, log) = platform(many).await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("STEPS_EXCEEDED");
    assert_eq!((log.count("all"), log.count("one more")), (1, 0));
}

/// After a deploy of a large node its tasks do not all begin at once.
#[imperal::test]
async fn a_node_resumes_256_tasks_at_once() {
    const TASKS: u32 = 300;
    let (now, most, second) =
        (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (seen, again) = (most.clone(), second.clone());
    let naps = body(move |_, log| {
        let (now, most, second) = (now.clone(), seen.clone(), again.clone());
        async move {
            if !second.load(Ordering::SeqCst) {
                log.note("begins");
                std::future::pending::<()>().await;
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(60)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(ActionResult::done("done"))
        }
    });
    let (setup, log) = setup(naps);
    let platform = setup.settings(|s| s.tasks_per_user = 1000).start().await;
    let anna = platform.user("anna");
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(start_task(&anna).await);
    }
    until(&log, "begins", TASKS).await;
    second.store(true, Ordering::SeqCst);
    platform.deploy().await;
    for task_id in tasks {
        assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    }
    assert_eq!((most.load(Ordering::SeqCst), log.count("attempt")), (256, 2 * TASKS));
}
