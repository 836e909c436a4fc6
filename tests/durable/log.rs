//! The log of a durable task: what its attempts write, and the warning about stored steps of changed code.

use imperal::ledger::TaskState;

use super::captured::Captured;
use super::*;

const UNASKED: &str = "the task ended without asking for steps that were stored";

/// A renamed step is paid for twice. Only the log says so.
#[imperal::test]
async fn steps_that_the_last_attempt_did_not_ask_for_are_warned_about() {
    let renamed = body(async |ctx, log| {
        let name = if log.note("body") == 1 { "picture" } else { "image" };
        ctx.step("brief", async |_| Ok(())).await?;
        ctx.step(name, async |_| Ok(())).await?;
        ctx.deliver_chat_message("It is drawn.").name(name).await?;
        if log.note("after") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(ActionResult::done("done"))
    });
    let (captured, _guard) = Captured::begin();
    let (platform, anna, log) = platform(renamed).await;
    let task_id = start_task(&anna).await;
    until(&log, "after", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(captured.with(UNASKED), [format!("WARN {UNASKED} count=1 names=picture")]);
}

#[imperal::test]
async fn a_task_that_asked_for_all_of_its_steps_is_not_warned_about() {
    let asks_again = body(async |ctx, log| {
        for name in ["brief", "image"] {
            ctx.step(name, async |_| Ok(())).await?;
            if log.note(name) == 1 {
                std::future::pending::<()>().await;
            }
        }
        Ok(ActionResult::done("done"))
    });
    let (captured, _guard) = Captured::begin();
    let (platform, anna, log) = platform(asks_again).await;
    let task_id = start_task(&anna).await;
    until(&log, "brief", 1).await;
    platform.crash().await;
    until(&log, "image", 1).await;
    platform.deploy().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(captured.with(UNASKED), Vec::<String>::new());
    assert_eq!(captured.with("the task goes on").len(), 2, "its log is captured");
}

#[imperal::test]
async fn a_resumed_task_logs_nothing_before_its_first_new_step() {
    let logs = body(async |ctx, log| {
        ctx.log().info("before the stored step");
        ctx.step("stored", async |ctx| {
            ctx.log().info("in the stored step");
            Ok(())
        })
        .await?;
        ctx.log().info("after the stored step");
        if log.note("after") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(ActionResult::done("done"))
    });
    let (captured, _guard) = Captured::begin();
    let (platform, anna, log) = platform(logs).await;
    let task_id = start_task(&anna).await;
    until(&log, "after", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let lines = ["before the", "in the", "after the"].map(|when| captured.with(&format!("{when} stored step")).len());
    assert_eq!(lines, [1, 1, 2], "what is new is logged");
}
