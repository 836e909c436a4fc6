//! Ways on from a task that are refused: nothing is written, and the error says what to do.

use super::*;

#[imperal::test]
async fn a_task_that_cannot_go_on_is_refused_and_nothing_is_written() {
    let (platform, anna, _, ended) = failed().await;
    let ben = platform.user("ben");
    let before = anna.turns().await;
    for step in [0, 4, u32::MAX] {
        let refused = anna.access().continue_task(ended.task_id, Some(step), None).await.unwrap_err();
        assert_eq!((refused.code().as_str(), refused.field()), ("VALIDATION_TYPE_ERROR", Some("from_step")));
        assert!(refused.message().contains("from 1 to 3"), "{refused}");
    }
    let of_ben = [
        ben.access().continue_task(ended.task_id, None, None).await,
        ben.access().run_again(ended.task_id, None).await,
    ];
    for refused in of_ben {
        assert_eq!(*refused.unwrap_err().code(), "PERMISSION_DENIED");
    }
    assert_eq!(ben.audit().await.len(), 2, "the tries are audited");
    let unknown = anna.access().continue_task(TaskId::generate(), None, None).await.unwrap_err();
    assert_eq!(*unknown.code(), "NOT_FOUND");
    assert_eq!(anna.turns().await, before);
    assert_eq!(task(&anna, ended.task_id).await.followed_by, None);
}

#[imperal::test]
async fn an_open_task_is_refused_until_it_has_ended() {
    let waits = body(async |ctx, _| {
        ctx.step("one", async |_| Ok(())).await?;
        ctx.sleep("long", Duration::from_secs(3600)).await?;
        Ok(ActionResult::done("awake"))
    });
    let (platform, anna, _) = platform(waits).await;
    let task_id = start_task(&anna).await;
    anna.parked(task_id).await;
    for refused in
        [anna.access().continue_task(task_id, None, None).await, anna.access().run_again(task_id, None).await]
    {
        let refused = refused.unwrap_err();
        assert_eq!(*refused.code(), "NOT_CONTINUABLE");
        assert!(refused.message().contains("wait for its end, or cancel it"), "{refused}");
    }
    anna.cancel(task_id).await;
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    // The sleep goes on too: until the same time.
    platform.pass(Duration::from_secs(1800)).await;
    let began = tokio::time::Instant::now();
    let next = anna.continue_task(task_id).await;
    anna.outcome(next).await.assert_success();
    let slept = began.elapsed();
    assert!(slept < Duration::from_secs(1900), "{slept:?}");
}

/// A start that is refused by a limit leaves no task, and the next press tries again.
#[imperal::test]
async fn a_refused_start_can_be_tried_again() {
    let waits_second = body(async |ctx, log| match log.count("attempt") {
        1 => Err(Error::user("FAILED", "The first time.")),
        2 => {
            ctx.sleep("long", Duration::from_secs(3600)).await?;
            Ok(ActionResult::done("awake"))
        }
        _ => Ok(ActionResult::done("done")),
    });
    let (setup, _) = setup(waits_second);
    let platform = setup.settings(|settings| settings.open_tasks_per_user = 1).start().await;
    let anna = platform.user("anna");
    let ended = anna.run("start", json!({"key": "order 7"})).await;
    ended.assert_code("FAILED");
    let other = start_task(&anna).await;
    anna.parked(other).await;
    let press = async || anna.access().continue_task(ended.task.task_id, None, None).await;
    for _ in 0..2 {
        assert_eq!(*press().await.unwrap_err().code(), "RATE_LIMITED");
    }
    anna.cancel(other).await;
    anna.outcome(other).await;
    let task_id = press().await.unwrap().task.task_id;
    anna.outcome(task_id).await.assert_success();
    assert_eq!(task(&anna, task_id).await.key.as_deref(), Some("order 7"));
    assert_eq!(said(&anna, Role::User, "Go on with").await, 3, "each is a call");
}

#[imperal::test]
async fn a_key_that_is_taken_holds_up_the_new_task() {
    let slow = body(async |ctx, log| {
        if log.count("attempt") == 1 {
            return Err(Error::user("FAILED", "The first time."));
        }
        ctx.sleep("long", Duration::from_secs(3600)).await?;
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, _) = platform(slow).await;
    let ended = anna.run("start", json!({"key": "k"})).await;
    let other = start_with(&anna, json!({"key": "k"})).await;
    anna.parked(other).await;
    let refused = anna.access().continue_task(ended.task.task_id, None, None).await.unwrap_err();
    assert_eq!(*refused.code(), "ALREADY_RUNNING");
    anna.outcome(other).await.assert_success();
    let next = anna.continue_task(ended.task.task_id).await;
    anna.outcome(next).await.assert_success();
}

/// Its closure died with its process.
#[imperal::test]
async fn a_background_task_cannot_go_on() {
    let (_platform, anna, _) = platform(body(async |ctx, _| {
        ctx.step("start", async |ctx| {
            ctx.background_task(async |_| Ok(ActionResult::done("closure"))).await?;
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    }))
    .await;
    let durable = start_task(&anna).await;
    let durable = anna.outcome(durable).await.task;
    let tasks = anna.access().tasks_of_call(durable.call_id).await.unwrap();
    let closure = tasks.iter().find(|task| !task.durable).unwrap().task_id;
    anna.outcome(closure).await;
    let refused = anna.access().run_again(closure, None).await.unwrap_err();
    assert_eq!(*refused.code(), "NOT_CONTINUABLE");
    assert!(refused.message().contains("run its function again"), "{refused}");
}

#[imperal::test]
async fn a_key_of_one_way_on_is_refused_for_the_other() {
    let (_platform, anna, _log, ended) = failed().await;
    let key: RequestKey = "the-same".parse().unwrap();
    let access = anna.access();
    access.run_again(ended.task_id, Some(&key)).await.unwrap();
    let refused = access.continue_task(ended.task_id, None, Some(&key)).await.unwrap_err();
    assert_eq!(*refused.code(), codes::KEY_REUSED, "{refused}");
}

/// Before its rows are read: else a user could have any number of them read at once.
#[imperal::test]
async fn requests_to_go_on_count_among_the_calls_of_the_user() {
    let (setup, log) = setup(charges_last());
    let platform = setup.settings(|settings| settings.calls_per_user = 1).start().await;
    platform.http().post("https://parts.example").reply(Reply::status(200));
    let anna = platform.user("anna");
    let ended = anna.run("start", json!({})).await.task.task_id;
    let access = anna.access();
    let while_a_call_runs = async {
        until(&log, "attempt", 2).await;
        access.continue_task(ended, Some(99), None).await
    };
    let (called, refused) = tokio::join!(anna.call("start", json!({"linger": 5})), while_a_call_runs);
    called.unwrap();
    assert_eq!(*refused.unwrap_err().code(), "RATE_LIMITED");
    let refused = access.continue_task(ended, Some(99), None).await.unwrap_err();
    assert_eq!(*refused.code(), "VALIDATION_TYPE_ERROR");
}
