//! A cancel of a durable task, wherever the task is.

use imperal::ledger::TaskState;

use super::*;

fn waits() -> Body {
    body(async |ctx, log| {
        log.note("runs");
        ctx.cancelled().await;
        Err(Error::cancelled())
    })
}

#[imperal::test]
async fn a_running_task_is_cancelled() {
    let (_platform, anna, log) = platform(waits()).await;
    let task_id = start_task(&anna).await;
    until(&log, "runs", 1).await;
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
}

/// No process runs it, so no work would notice the request: the cancel itself ends it.
#[imperal::test]
async fn a_released_task_ends_at_once() {
    let (setup, log) = setup(waits());
    let first = setup.start().await;
    let anna = first.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "runs", 1).await;
    let second = TestPlatform::setup().on_ledger_of(&first).settings(|s| s.node = "b".to_owned());
    // The first process has stopped, and no other has taken the task.
    let access = first.platform().access(imperal::User::new("anna", "default"));
    first.platform().shutdown(Duration::from_secs(1)).await;
    let queued = access.task(task_id).await.unwrap();
    assert_eq!(queued.state, TaskState::Queued);
    let cancelled = access.cancel(task_id).await.unwrap();
    assert_eq!(cancelled.state, TaskState::Cancelled);
    let second = second.state(waits()).state(log.clone()).start().await;
    let outcome = second.user("anna").outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(log.count("runs"), 1, "a cancelled task does not run again");
}

/// The request is kept over the crash: the next attempt does not run the body.
#[imperal::test]
async fn a_cancel_is_not_lost_in_a_crash() {
    let stubborn = body(async |_, log| {
        log.note("runs");
        std::future::pending::<()>().await;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(stubborn).await;
    let task_id = start_task(&anna).await;
    until(&log, "runs", 1).await;
    anna.cancel(task_id).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!(log.count("runs"), 1);
}

/// A step that is stopped by a cancel leaves its cleanup to the supervisor.
#[imperal::test]
async fn a_cleanup_that_a_step_registered_runs_at_a_cancel() {
    let cleans = body(async |ctx, log| {
        let log = &log;
        ctx.step("ends well", async |ctx| {
            let noted = log.clone();
            let _armed = ctx.on_cancel(move |_| async move {
                noted.note("cleanup of a stored step");
                Ok(())
            });
            Ok(())
        })
        .await?;
        ctx.step("waits", async |ctx| {
            let noted = log.clone();
            let _armed = ctx.on_cancel(move |_| async move {
                noted.note("cleanup");
                Ok(())
            });
            log.note("waits");
            ctx.cancelled().await;
            Err::<(), _>(Error::cancelled())
        })
        .await?;
        Ok(ActionResult::done("never"))
    });
    let (_platform, anna, log) = platform(cleans).await;
    let task_id = start_task(&anna).await;
    until(&log, "waits", 1).await;
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!((log.count("cleanup"), log.count("cleanup of a stored step")), (1, 0));
}

/// Its work is done: what it did must not be forgotten.
#[imperal::test]
async fn a_step_that_ends_after_a_cancel_is_stored() {
    let slow = body(async |ctx, log| {
        let log = &log;
        ctx.step("slow", async |_| {
            log.note("begins");
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(log.note("ends"))
        })
        .await?;
        ctx.step("never", async |_| Ok(log.note("never"))).await?;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(slow).await;
    let task_id = start_task(&anna).await;
    until(&log, "begins", 1).await;
    platform.pass(Duration::from_secs(1)).await;
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    let rows = anna.access().steps(task_id, 0, 10).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| (&*row.name, row.value.as_deref())).collect::<Vec<_>>(), [("slow", Some("1"))]);
    assert_eq!((log.count("ends"), log.count("never")), (1, 0));
}

/// Arms a cleanup outside of steps, sleeps for this long, and waits for a cancel.
fn arms(sleep: Option<Duration>) -> Body {
    body(move |ctx, log| async move {
        let noted = log.clone();
        let _armed = ctx.on_cancel(move |_| async move {
            noted.note("cleanup");
            Ok(())
        });
        if let Some(time) = sleep {
            ctx.sleep("sleep", time).await?;
        }
        log.note("waits");
        ctx.cancelled().await;
        Err(Error::cancelled())
    })
}

#[imperal::test]
async fn a_cleanup_is_armed_again_by_the_attempt_after_a_deploy() {
    let (platform, anna, log) = platform(arms(None)).await;
    let task_id = start_task(&anna).await;
    until(&log, "waits", 1).await;
    platform.deploy().await;
    until(&log, "waits", 2).await;
    assert_eq!(log.count("cleanup"), 0);
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!(log.count("cleanup"), 1, "by the attempt that was cancelled only");
}

/// The remote job goes on while the task sleeps.
#[imperal::test]
async fn no_cleanup_runs_at_a_park() {
    let day = Duration::from_secs(24 * 3600);
    let (platform, anna, log) = platform(arms(Some(day))).await;
    let task_id = start_task(&anna).await;
    anna.parked(task_id).await;
    platform.pass(day / 2).await;
    assert_eq!(log.count("cleanup"), 0);
    platform.pass(day / 2).await;
    until(&log, "waits", 1).await;
    assert_eq!((log.count("attempt"), log.count("cleanup")), (2, 0));
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!(log.count("cleanup"), 1);
}
