//! Messages and started tasks of a durable body: once, however often the body runs.

use imperal::ledger::TaskState;

use super::*;

#[imperal::test]
async fn a_message_is_said_once_over_all_attempts() {
    let says = body(async |ctx, log| {
        let log = &log;
        ctx.deliver_chat_message("Outside.").await?;
        ctx.deliver_chat_message("Outside.").await?;
        ctx.deliver_chat_message(format!("Attempt {}.", log.note("varying"))).name("varying").await?;
        ctx.step("says", async |ctx| {
            ctx.deliver_chat_message(format!("In the step, {}.", log.note("in step"))).await?;
            if log.note("crash") == 1 {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(says).await;
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let texts = anna.texts().await;
    let count = |text: &str| texts.iter().filter(|turn| *turn == text).count();
    assert_eq!(count("Outside."), 2, "{texts:?}");
    assert_eq!((count("Attempt 1."), count("Attempt 2.")), (1, 0), "{texts:?}");
    assert_eq!((count("In the step, 1."), count("In the step, 2.")), (1, 0), "{texts:?}");
}

#[imperal::test]
async fn a_task_started_in_a_step_is_started_once() {
    let starts = body(async |ctx, log| {
        let log = &log;
        ctx.step("starts", async |ctx| {
            let noted = log.clone();
            ctx.background_task(move |_| async move {
                noted.note("child");
                Ok(ActionResult::done("child"))
            })
            .await?;
            if log.note("crash") == 1 {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(starts).await;
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("child"), 1);
}

#[imperal::test]
async fn a_start_outside_of_steps_needs_a_key() {
    let starts = body(async |ctx, _| {
        let refused = ctx.background_task(|_| async { Ok(ActionResult::done("child")) }).await;
        assert!(refused.unwrap_err().to_string().contains("needs a `.key(..)`"));
        ctx.background_task(|_| async { Ok(ActionResult::done("child")) }).key("child").await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, _) = platform(starts).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(platform.take_warnings().len(), 1);
}

/// The key of a task that has ended is free: a second start under it is a second task, on every attempt.
#[imperal::test]
async fn a_key_can_be_used_again_once_its_task_has_ended() {
    let starts = body(async |ctx, log| {
        for phase in ["first", "second"] {
            let noted = log.clone();
            ctx.background_task(move |_| async move {
                noted.note(phase);
                Ok(ActionResult::done(phase))
            })
            .key("phase")
            .await?;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        if log.note("crash") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(starts).await;
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("first"), log.count("second")), (1, 1));
}

/// The ledger may have the message although its await was dropped: the next delivery must find it.
#[imperal::test(clock = "real")]
async fn a_message_whose_await_is_dropped_is_said_once() {
    let replied = Arc::new(tokio::sync::Notify::new());
    let has_reply = replied.clone();
    let says = body(move |ctx, log| {
        let has_reply = has_reply.clone();
        async move {
            // From the reply of the call on, a delivery is written at once.
            has_reply.notified().await;
            let message = ctx.deliver_chat_message("Half way.").name("half").into_future();
            // The first poll begins to write it.
            tokio::select! {
                biased;
                _ = message => {}
                () = std::future::ready(()) => {}
            }
            ctx.deliver_chat_message("Half way.").name("half").await?;
            log.note("said");
            Ok(ActionResult::done("done"))
        }
    });
    let folder = tempfile::tempdir().unwrap();
    // A ledger in memory writes within the first poll.
    let ledger = imperal::ledger::SqliteLedger::open(folder.path().join("imperal.db")).unwrap();
    let (setup, log) = setup(says);
    let platform = setup.ledger(Arc::new(ledger)).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    replied.notify_one();
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("said"), 1);
    let texts = anna.texts().await;
    assert_eq!(texts.iter().filter(|text| *text == "Half way.").count(), 1, "{texts:?}");
}

#[imperal::test]
async fn two_deliveries_under_one_name_at_once_are_one_message() {
    let says = body(async |ctx, _| {
        let say = || ctx.deliver_chat_message("Once.").name("once").into_future();
        let (one, other) = tokio::join!(say(), say());
        assert_eq!(one?.turn_id, other?.turn_id);
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, _) = platform(says).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(anna.texts().await.iter().filter(|text| *text == "Once.").count(), 1);
}

#[imperal::test]
async fn the_name_of_a_message_has_1_to_512_bytes() {
    let says = body(async |ctx, _| {
        for name in [String::new(), "x".repeat(513)] {
            let refused = ctx.deliver_chat_message("Named.").name(&name).await;
            assert!(refused.unwrap_err().to_string().contains("1 to 512 bytes"));
            let refused: Result<()> =
                ctx.step("says", async |ctx| ctx.deliver_chat_message("Named.").name(&name).await.map(|_| ())).await;
            assert!(refused.unwrap_err().to_string().contains("1 to 512 bytes"));
        }
        ctx.deliver_chat_message("Named.").name("x".repeat(512)).await?;
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, _) = platform(says).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(anna.texts().await.iter().filter(|text| *text == "Named.").count(), 1);
}
