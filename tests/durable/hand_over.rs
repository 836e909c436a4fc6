//! Hand-over (P20): a deploy interrupts no durable task, and loses no work that is in flight.

use imperal::ledger::TaskState;

use super::*;

/// A body that waits outside of steps leaves at once; a step in flight is waited for.
#[imperal::test]
async fn a_deploy_waits_for_the_step_in_flight_and_continues_after_it() {
    let slow = body(async |ctx, log| {
        let log = &log;
        for n in 1..=3 {
            ctx.step(("slow", n), async |_| {
                log.note(&format!("begin {n}"));
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(log.note(&format!("end {n}")))
            })
            .await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(slow).await;
    let task_id = start_task(&anna).await;
    until(&log, "begin 2", 1).await;
    platform.deploy().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!([1, 2, 3].map(|n| (log.count(&format!("begin {n}")), log.count(&format!("end {n}")))), [(1, 1); 3]);
    assert_eq!(outcome.task.attempt, 2);
}

#[imperal::test]
async fn a_wait_outside_of_steps_holds_up_no_deploy() {
    let waits = body(async |ctx, log| {
        let log = &log;
        ctx.step("first", async |_| Ok(log.note("first"))).await?;
        if log.note("wait") == 1 {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(waits).await;
    let task_id = start_task(&anna).await;
    until(&log, "wait", 1).await;
    let began = tokio::time::Instant::now();
    platform.deploy().await;
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("first"), 1);
}

/// A step longer than the grace period is cut and runs again. No attempt counts as a crash.
#[imperal::test]
async fn a_step_longer_than_the_grace_period_runs_again() {
    let slow = body(async |ctx, log| {
        let log = &log;
        ctx.step("long", async |_| {
            let seconds = if log.note("long") < 8 { 60 } else { 1 };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(slow).await;
    let task_id = start_task(&anna).await;
    for deploy in 1..8 {
        until(&log, "long", deploy).await;
        platform.deploy().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
}

/// The cleanup belongs to the remote job, which goes on.
#[imperal::test]
async fn cleanups_do_not_run_at_a_hand_over() {
    let cleans = body(async |ctx, log| {
        let noted = log.clone();
        let armed = ctx.on_cancel(move |_| async move {
            noted.note("cleanup");
            Ok(())
        });
        if log.note("wait") == 1 {
            std::future::pending::<()>().await;
        }
        armed.disarm();
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(cleans).await;
    let task_id = start_task(&anna).await;
    until(&log, "wait", 1).await;
    platform.deploy().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("cleanup"), 0);
}

/// A thread cannot be dropped, so it holds up the hand-over also outside of steps: two attempts never overlap.
#[imperal::test]
async fn a_thread_in_flight_is_waited_for() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let wait = Arc::new(Mutex::new(wait));
    let blocks = body(move |ctx, log| {
        let (wait, begun) = (wait.clone(), begun.clone());
        async move {
            let noted = log.clone();
            ctx.blocking(move |_| {
                if noted.note("thread") > noted.count("ended") + 1 {
                    noted.note("overlap");
                }
                begun.send(()).unwrap();
                // Until the test drops the sender.
                wait.lock().unwrap().recv().unwrap_err();
                Ok(noted.note("ended"))
            })
            .await?;
            ctx.step("after", async |_| Ok(())).await?;
            Ok(ActionResult::done("done"))
        }
    });
    let (platform, anna, log) = platform(blocks).await;
    let task_id = start_task(&anna).await;
    // The clock stands still while the thread runs.
    has_begun.recv().await.unwrap();
    let mut deploy = std::pin::pin!(platform.deploy());
    for _ in 0..1_000 {
        assert!(futures_util::poll!(&mut deploy).is_pending(), "the thread still runs");
        tokio::task::yield_now().await;
    }
    drop(go);
    deploy.await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("thread"), log.count("ended"), log.count("overlap")), (2, 2, 0));
}

/// The process accepts no more tasks, but that must not fail the task that starts one: the next process does it.
#[imperal::test]
async fn a_start_during_a_deploy_is_done_by_the_next_process() {
    let starts = body(async |ctx, log| {
        let log = &log;
        ctx.step("starts", async |ctx| {
            if log.note("begin") == 1 {
                // The deploy begins meanwhile.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            let noted = log.clone();
            ctx.background_task(move |_| async move {
                noted.note("child");
                Ok(ActionResult::done("child"))
            })
            .await?;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(starts).await;
    let task_id = start_task(&anna).await;
    until(&log, "begin", 1).await;
    let began = tokio::time::Instant::now();
    platform.deploy().await;
    assert!(began.elapsed() < Duration::from_secs(5), "the deploy waited {:?}", began.elapsed());
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("begin"), log.count("child")), (2, 1));
}
