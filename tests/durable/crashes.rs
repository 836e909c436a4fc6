//! Crashes and deploys in a row: which ends of a process count as a crash, and how tasks that do not get on are ended.

use futures_util::poll;
use imperal::ledger::TaskState;
use tokio::time::Instant;

use super::*;

/// Hangs in a step, until its run of this number.
fn hangs_until(last: u32) -> Body {
    body(move |ctx, log| async move {
        let run = log.note("runs");
        ctx.step("hangs", async |_| {
            if run < last {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    })
}

/// As a supervisor does that has no patience after SIGTERM: the tasks of such a process are no suspects.
#[imperal::test]
async fn a_process_that_is_killed_while_it_stops_has_not_crashed() {
    let (platform, anna, log) = platform(hangs_until(7)).await;
    let task_id = start_task(&anna).await;
    let began = Instant::now();
    for run in 1..=6 {
        until(&log, "runs", run).await;
        let running = platform.platform();
        let mut stop = std::pin::pin!(running.shutdown(Duration::from_secs(10)));
        for _ in 0..10 {
            assert!(poll!(&mut stop).is_pending(), "a step is in flight");
            tokio::task::yield_now().await;
        }
        platform.crash().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("runs"), 7);
    assert!(began.elapsed() < Duration::from_secs(10), "a second crash waits: {:?}", began.elapsed());
}

/// So the next crash names the task that causes it.
#[imperal::test]
async fn a_node_runs_one_suspect_at_a_time() {
    let (platform, anna, log) = platform(hangs_until(u32::MAX)).await;
    for _ in 0..2 {
        start_task(&anna).await;
    }
    for runs in [2, 4] {
        until(&log, "runs", runs).await;
        platform.crash().await;
    }
    until(&log, "runs", 5).await;
    platform.pass(Duration::from_secs(60)).await;
    assert_eq!(log.count("runs"), 5, "the second suspect waits for the first");
}

/// A step of a minute that every deploy cuts off. From this run on, a short step comes before it.
fn never_done(short_from: u32) -> Body {
    body(move |ctx, log| async move {
        if log.note("runs") >= short_from {
            ctx.step("short", async |_| Ok(())).await?;
        }
        ctx.step("long", async |_| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    })
}

/// Deploys the program in each run until the task has ended; how many runs there were.
async fn runs_until_the_end(body: Body, most: u32) -> u32 {
    let (platform, anna, log) = platform(body).await;
    let task_id = start_task(&anna).await;
    for run in 1..=most {
        until(&log, "runs", run).await;
        assert!(anna.access().task(task_id).await.unwrap().state.is_open(), "after {run} runs");
        platform.deploy().await;
    }
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Reclaimed).assert_says("was stopped: many attempts made no progress.");
    assert_eq!(outcome.task.result.unwrap().error_code.unwrap(), imperal::codes::TASK_CRASHED);
    log.count("runs")
}

#[imperal::test]
async fn twenty_attempts_without_progress_end_a_task() {
    assert_eq!(runs_until_the_end(never_done(u32::MAX), 20).await, 20);
}

#[imperal::test]
async fn a_stored_step_puts_the_end_for_want_of_progress_off() {
    assert_eq!(runs_until_the_end(never_done(10), 30).await, 30, "twenty more after the tenth");
}
