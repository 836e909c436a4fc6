//! Queues: limits on the tasks that run at once, turns of users, and slots that nothing keeps.

use std::sync::atomic::{AtomicU32, Ordering};

use imperal::Queue;
use imperal::ledger::{TaskState, WaitsFor};
use tokio::time::Instant;

use super::*;

/// A body that runs for a minute, and how many of them ran at once at most.
fn minute() -> (Body, Arc<AtomicU32>) {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let seen = most.clone();
    let body = body(move |_, log| {
        let (now, most) = (now.clone(), most.clone());
        async move {
            log.note("runs");
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(60)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(ActionResult::done("done"))
        }
    });
    (body, seen)
}

async fn queued(user: &TestUser) -> TaskId {
    start_with(user, json!({ "queue": "render" })).await
}

async fn state_of(user: &TestUser, task_id: TaskId) -> TaskState {
    user.access().task(task_id).await.unwrap().state
}

#[imperal::test]
async fn a_queue_runs_its_limit_at_once_and_a_user_their_share() {
    let (body, most) = minute();
    let (setup, log) = setup(body);
    let platform = setup.queue(Queue::new("render").at_most(2).per_user(1)).start().await;
    let [anna, ben] = ["anna", "ben"].map(|id| platform.user(id));
    let mut tasks = Vec::new();
    for user in [&anna, &anna, &anna, &ben, &ben] {
        tasks.push((user, queued(user).await));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut running = Vec::new();
    for (user, task_id) in &tasks {
        running.extend((state_of(user, *task_id).await == TaskState::Running).then_some(*task_id));
    }
    assert_eq!(running, [tasks[0].1, tasks[3].1]);
    for (user, task_id) in &tasks {
        user.outcome(*task_id).await.assert_state(TaskState::Succeeded);
    }
    assert_eq!((log.count("runs"), most.load(Ordering::SeqCst)), (5, 2));
}

/// As a hint: the next look of the loop would be an hour later.
#[imperal::test]
async fn a_free_slot_is_taken_at_once() {
    let (body, _) = minute();
    let (setup, log) = setup(body);
    let platform = setup.queue(Queue::new("render")).start().await;
    let anna = platform.user("anna");
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(queued(&anna).await);
    }
    for task_id in tasks {
        anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    }
    assert_eq!(log.count("runs"), 4);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(241), "{took:?} for 4 minutes of work");
}

#[imperal::test]
async fn a_parked_task_holds_no_slot() {
    let naps = body(async |ctx, log| {
        let number = ctx.step("number", async |_| Ok(log.note("begins"))).await?;
        if number == 1 {
            ctx.sleep("nap", Duration::from_secs(3600)).await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (setup, log) = setup(naps);
    let platform = setup.queue(Queue::new("render")).start().await;
    let anna = platform.user("anna");
    let began = Instant::now();
    let first = queued(&anna).await;
    until(&log, "begins", 1).await;
    let second = queued(&anna).await;
    anna.outcome(second).await.assert_state(TaskState::Succeeded);
    assert!(began.elapsed() < Duration::from_secs(60), "it waited for the one that sleeps");
    let sleeping = anna.access().task(first).await.unwrap();
    assert_eq!((sleeping.state, sleeping.before), (TaskState::Waiting, None));
    anna.outcome(first).await.assert_state(TaskState::Succeeded);
}

#[imperal::test]
async fn a_crash_and_a_deploy_free_the_slots() {
    let (body, most) = minute();
    let (setup, log) = setup(body);
    let platform = setup.queue(Queue::new("render").at_most(2)).start().await;
    let anna = platform.user("anna");
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(queued(&anna).await);
    }
    until(&log, "runs", 2).await;
    platform.crash().await;
    until(&log, "runs", 4).await;
    platform.deploy().await;
    for task_id in tasks {
        anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    }
    // Those that were cut off counted themselves and never left.
    assert!(most.load(Ordering::SeqCst) <= 6, "{most:?}");
}

#[imperal::test]
async fn a_task_shows_how_many_are_before_it() {
    let (body, _) = minute();
    let (setup, _log) = setup(body);
    let platform = setup.queue(Queue::new("render")).start().await;
    let [anna, ben] = ["anna", "ben"].map(|id| platform.user(id));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(queued(&anna).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let bens = queued(&ben).await;
    let before = async |user: &TestUser, task_id| user.access().task(task_id).await.unwrap().before;
    assert_eq!(before(&anna, tasks[0]).await, None, "it runs");
    assert_eq!(before(&ben, bens).await, Some(0), "anna was served already");
    assert_eq!((before(&anna, tasks[1]).await, before(&anna, tasks[2]).await), (Some(1), Some(2)));
    let listed = anna.access().running_tasks().await.unwrap();
    assert_eq!(listed.iter().map(|task| task.before).collect::<Vec<_>>(), [None, Some(1), Some(2)]);
    let waiting = &listed[1];
    assert_eq!((waiting.waits_for, waiting.queue.as_deref()), (Some(WaitsFor::Slot), Some("render")));
    let recent = anna.access().recent_tasks(10).await.unwrap();
    assert_eq!(recent[0].before, Some(2));
}

/// The author mistyped it, or forgot it in `main`.
#[imperal::test]
async fn an_undeclared_queue_is_refused_with_the_declared_ones() {
    let (body, _) = minute();
    let (setup, _log) = setup(body);
    let platform = setup.queue(Queue::new("render")).queue(Queue::new("mail")).start().await;
    let anna = platform.user("anna");
    let reply = anna.call("start", json!({ "queue": "rendr" })).await.unwrap();
    let error = format!("{:?}", reply.turn.body.result);
    assert!(error.contains("INTERNAL"), "{error}");
    assert_eq!(anna.access().tasks_of_call(reply.call_id).await.unwrap(), []);
}

/// A queued task needs no hint of a process to be cancelled.
#[imperal::test]
async fn a_cancel_ends_a_task_that_waits_in_a_queue_at_once() {
    let (body, _) = minute();
    let (setup, log) = setup(body);
    let platform = setup.queue(Queue::new("render")).start().await;
    let anna = platform.user("anna");
    let first = queued(&anna).await;
    until(&log, "runs", 1).await;
    let second = queued(&anna).await;
    assert_eq!(anna.access().cancel(second).await.unwrap().state, TaskState::Cancelled);
    anna.outcome(first).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("runs"), 1);
}

/// Its call had no reply yet, so the cancel could not end it. It does not wait for the slot, which another task holds
/// for a minute.
#[imperal::test]
async fn a_cancel_before_the_reply_ends_the_task_after_it() {
    let (body, _) = minute();
    let (setup, log) = setup(body);
    let platform = setup
        .queue(Queue::new("render"))
        .settings(|settings| (settings.lease, settings.renew_every) = (Duration::from_secs(15), Duration::from_secs(5)))
        .start()
        .await;
    let [anna, ben] = ["anna", "ben"].map(|id| platform.user(id));
    let first = queued(&ben).await;
    until(&log, "runs", 1).await;
    let call = anna.call("start", json!({ "queue": "render", "linger": 3 }));
    let cancel = async {
        let task_id = eventually("the task", async || {
            anna.access().running_tasks().await.unwrap().first().map(|task| task.task_id)
        });
        let task_id = task_id.await;
        assert_eq!(anna.access().cancel(task_id).await.unwrap().state, TaskState::Queued, "its call goes on");
        task_id
    };
    let (_, task_id) = tokio::join!(call, cancel);
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!((state_of(&ben, first).await, log.count("runs")), (TaskState::Running, 1));
}
