//! A step that uses the context of the body: the use is refused, or belongs to the step.

use imperal::context::StepRetry;
use imperal::ledger::TaskState;
use imperal::testing::Reply;

use super::*;

#[imperal::test]
async fn a_step_in_a_step_is_refused_at_once() {
    let nested = body(async |ctx, log| {
        let (ctx, log) = (&ctx, &log);
        let refused: Result<()> = ctx
            .step("outer", async |_| {
                log.note("outer");
                ctx.step("inner", async |_| Ok(log.note("inner"))).await.map(|_| ())
            })
            .await;
        let error = refused.unwrap_err();
        assert_eq!(*error.code(), imperal::codes::STEP_IN_STEP);
        assert!(error.to_string().contains("`outer`"), "{error}");
        // A repeated try would be refused too.
        let refused: Result<()> = ctx
            .retrying(StepRetry::backoff(5))
            .step("outer", async |_| {
                log.note("outer");
                ctx.retrying(StepRetry::backoff(5)).step("inner", async |_| Ok(log.note("inner"))).await.map(|_| ())
            })
            .await;
        assert_eq!(*refused.unwrap_err().code(), imperal::codes::STEP_IN_STEP);
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, log) = platform(nested).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("outer"), log.count("inner")), (2, 0));
}

/// Each closure of joined steps is polled on its own: the other step is not in it.
#[imperal::test]
async fn joined_steps_are_not_taken_for_nested_ones() {
    let joined = body(async |ctx, log| {
        let (ctx, log) = (&ctx, &log);
        let nap = async |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        };
        let chain = |name: &'static str| async move {
            for n in 0..3 {
                ctx.step((name, n), nap).await?;
                log.note("step");
            }
            Ok::<_, Error>(())
        };
        let (left, right) = tokio::join!(chain("left"), chain("right"));
        left.and(right)?;
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, log) = platform(joined).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("step"), 6);
}

/// Outside of steps they are known by their text and their key; a step that runs again would repeat them.
#[imperal::test]
async fn a_message_and_a_start_with_the_bodys_context_are_refused_in_a_step() {
    let outer = body(async |ctx, _| {
        let ctx = &ctx;
        let refused: Result<()> =
            ctx.step("says", async |_| ctx.deliver_chat_message("Outer.").await.map(|_| ())).await;
        assert_eq!(*refused.unwrap_err().code(), imperal::codes::STEP_IN_STEP);
        let refused: Result<()> = ctx
            .step("starts", async |_| {
                let task = ctx.background_task(|_| async { Ok(ActionResult::done("child")) }).key("child");
                task.await.map(|_| ())
            })
            .await;
        assert_eq!(*refused.unwrap_err().code(), imperal::codes::STEP_IN_STEP);
        let refused: Result<()> = ctx
            .step("starts", async |_| {
                ctx.durable_task(scripted::with(Job { number: 8 })).key("child").await.map(|_| ())
            })
            .await;
        assert_eq!(*refused.unwrap_err().code(), imperal::codes::STEP_IN_STEP);
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, log) = platform(outer).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert!(!anna.texts().await.iter().any(|text| text == "Outer."));
    assert_eq!(log.count("attempt"), 1);
}

#[imperal::test]
async fn a_request_with_the_bodys_context_has_the_key_of_its_step() {
    let sends = body(async |ctx, log| {
        let (ctx, log) = (&ctx, &log);
        ctx.step("charge", async |own| {
            let http = if log.note("charged") == 1 { ctx.http() } else { own.http() };
            http.post("https://bank.example/charge").body("10").send().await?;
            if log.count("charged") == 1 {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("charged"))
    });
    let (platform, anna, log) = platform(sends).await;
    platform.http().post("https://bank.example/charge").reply(Reply::status(200));
    let task_id = start_task(&anna).await;
    until(&log, "charged", 1).await;
    eventually("a request", async || platform.http().requests().first().map(drop)).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let requests = platform.http().requests();
    let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}
