//! Waits of a body: sleeps and questions park the task, and whatever ends first wakes it, over crashes and deploys.

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::{QuestionState, TaskState, WaitsFor};
use imperal::platform::{Answered, Settings};
use imperal::prelude::*;
use serde_json::json;

use super::{body, setup};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[imperal::test]
async fn a_sleep_of_days_is_parked_and_runs_the_body_once_more() {
    let (setup, log) = setup(body(async |ctx, log| {
        ctx.step("before", async |_| Ok(log.note("before"))).await?;
        ctx.sleep("three days", 3 * DAY).await?;
        ctx.step("after", async |_| Ok(log.note("after"))).await?;
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let task_id = anna.start("start", json!({})).await;
    let task = anna.parked(task_id).await;
    assert_eq!((task.state, task.waits_for), (TaskState::Waiting, Some(WaitsFor::Time)));
    assert_eq!(task.deadline_at, None, "a waiting task has no deadline");
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    let slept = begun.elapsed();
    assert!((3 * DAY..3 * DAY + seconds(3)).contains(&slept), "{slept:?}");
    assert_eq!((log.count("before"), log.count("after"), log.count("attempt")), (1, 1, 2));
}

/// It is fixed when the sleep is first stored: neither a crash nor another answer of `now` moves it.
#[imperal::test]
async fn the_end_of_a_sleep_stays_over_crashes() {
    let (setup, log) = setup(body(async |ctx, log| {
        ctx.sleep("a day", DAY).await?;
        log.note("woken");
        ctx.sleep(("again", 1), DAY).await?;
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let task_id = anna.start("start", json!({})).await;
    anna.parked(task_id).await;
    tokio::time::sleep(DAY / 2).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let slept = begun.elapsed();
    assert!((2 * DAY..2 * DAY + seconds(20)).contains(&slept), "{slept:?}");
    assert_eq!((log.count("woken"), log.count("attempt")), (2, 3));
}

#[imperal::test]
async fn a_short_sleep_stays_in_the_process() {
    let (setup, log) = setup(body(async |ctx, _| {
        ctx.sleep("short", seconds(59)).await?;
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.settings(|settings| *settings = Settings::default()).start().await;
    let anna = platform.user("anna");
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("attempt"), 1);
}

/// A step that runs during the wait is finished first.
#[imperal::test]
async fn a_task_is_parked_once_nothing_is_in_flight() {
    let (setup, log) = setup(body(async |ctx, log| {
        let slept = async { ctx.sleep("a day", DAY).await };
        let step = ctx.step("step", async |_| {
            tokio::time::sleep(seconds(100)).await;
            Ok(log.note("step"))
        });
        let (slept, step) = tokio::join!(slept, step.into_future());
        slept?;
        step?;
        Ok(ActionResult::done("both"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    anna.parked(task_id).await;
    assert_eq!(log.count("step"), 1, "it is stored before the park");
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("step"), log.count("attempt")), (1, 2));
}

/// The question that loses stays open until the task withdraws it.
#[imperal::test]
async fn the_loser_of_a_select_can_be_withdrawn() {
    let (setup, log) = setup(body(async |ctx, log| {
        let how = tokio::select! {
            biased;
            () = async { drop(ctx.sleep("an hour", seconds(3600)).await) } => "slept",
            answer = ctx.ask::<bool>("sooner", "Go on at once?").into_future() => if answer? { "yes" } else { "no" },
        };
        log.note(how);
        let withdrawn = ctx.withdraw("sooner").await?;
        Ok(ActionResult::done(format!("{how} {withdrawn}")))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let slept = anna.run("start", json!({})).await;
    assert_eq!(slept.turn.body.text, "slept true");
    assert_eq!(anna.questions(slept.task.task_id).await[0].state, QuestionState::Withdrawn);
    let task_id = anna.start("start", json!({})).await;
    anna.answer(task_id, true).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "yes false");
    assert_eq!(log.count("slept"), 1);
}

#[imperal::test]
async fn a_cancel_ends_a_parked_task_at_once() {
    let (setup, log) = setup(body(async |ctx, _| {
        let _: bool = ctx.ask("go", "Go on?").await?;
        Ok(ActionResult::done("went on"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    let question = anna.question(task_id).await;
    anna.parked(task_id).await;
    assert_eq!(anna.cancel(task_id).await.state, TaskState::Cancelled);
    assert_eq!(anna.outcome(task_id).await.task.open_questions, 0);
    assert_eq!(anna.questions(task_id).await[0].state, QuestionState::Withdrawn);
    let late = anna.access().answer(task_id, Some(question.question_id), json!(true)).await;
    assert!(matches!(late, Ok(Answered::Closed(_))), "{late:?}");
    assert_eq!(log.count("attempt"), 1);
}

/// A cancel while the body still runs must not be parked away with it.
#[imperal::test]
async fn a_cancel_is_not_lost_in_a_park() {
    let asking = Arc::new(tokio::sync::Notify::new());
    let told = asking.clone();
    let (setup, _) = setup(body(move |ctx, _| {
        let told = told.clone();
        async move {
            ctx.step("slow", async |_| {
                told.notify_one();
                tokio::time::sleep(seconds(5)).await;
                Ok(())
            })
            .await?;
            ctx.sleep("a year", 365 * DAY).await?;
            Ok(ActionResult::done("slept"))
        }
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    asking.notified().await;
    anna.cancel(task_id).await;
    let begun = tokio::time::Instant::now();
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert!(begun.elapsed() < seconds(60), "{:?}", begun.elapsed());
}

#[imperal::test]
async fn waits_have_limits() {
    let (setup, _) = setup(body(async |ctx, _| {
        let long = ctx.sleep("long", 367 * DAY).await.unwrap_err();
        let empty = ctx.ask::<bool>("empty", " ").await.unwrap_err();
        let never = ctx.ask::<bool>("never", "?").within(Duration::ZERO).await.unwrap_err();
        ctx.step("a", async |_| Ok(())).await?;
        let taken = ctx.sleep("a", DAY).await.unwrap_err();
        let questions = (0..17).map(|n| ctx.ask::<bool>(("q", n), "?").into_future());
        let most = futures_util::future::select_all(questions).await.0.unwrap_err();
        Ok(ActionResult::done([long, empty, never, taken, most].map(|error| error.to_string()).join("\n")))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let text = anna.run("start", json!({})).await.turn.body.text;
    for part in
        ["366 days", "a text of 1 to", "more than nothing", "is the name of a step", "at most 16 open questions"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A step during two questions: each registers while the other waits, which must not wake it.
#[imperal::test]
async fn questions_beside_a_step_leave_the_ledger_alone() {
    let (setup, _) = setup(body(async |ctx, _| {
        let step = ctx.step("slow", async |_| {
            tokio::time::sleep(seconds(100)).await;
            Ok(())
        });
        let (a, b, again, step) = tokio::join!(
            ctx.ask::<u32>("a", "A?").into_future(),
            ctx.ask::<u32>("b", "B?").into_future(),
            ctx.ask::<u32>("a", "A?").into_future(),
            step.into_future()
        );
        step?;
        Ok(ActionResult::done(format!("{}", a? + b? + again?)))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    assert_eq!(anna.parked(task_id).await.open_questions, 2, "nothing kept the step from its end");
    anna.answers("a", 20).answers("b", 2);
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "42");
}

/// A hung step is noticed although a question is looked at every second.
#[imperal::test]
async fn a_question_is_no_sign_of_life() {
    let (setup, _) = setup(body(async |ctx, _| {
        let hung = ctx.step("hung", async |_| std::future::pending::<Result<()>>().await);
        let (answer, hung) = tokio::join!(ctx.ask::<bool>("q", "?").into_future(), hung.into_future());
        hung?;
        Ok(ActionResult::done(format!("{}", answer?)))
    }));
    let platform = setup.start().await;
    let begun = tokio::time::Instant::now();
    platform.user("anna").run("start", json!({})).await.assert_state(TaskState::Reclaimed);
    assert!(begun.elapsed() < seconds(400), "the liveness window is 300 s: {:?}", begun.elapsed());
}

/// Once the short one is over, the long one is parked.
#[imperal::test]
async fn a_long_sleep_beside_a_short_one_is_parked() {
    let (setup, _) = setup(body(async |ctx, _| {
        let (short, long) =
            tokio::join!(ctx.sleep("short", seconds(5)).into_future(), ctx.sleep("long", DAY).into_future());
        short?;
        long?;
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.settings(|settings| *settings = Settings::default()).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    assert_eq!(anna.parked(task_id).await.state, TaskState::Waiting);
    anna.cancel(task_id).await;
}

/// The task waits for a sleep and an answer at once. Either of them may wake it first.
#[imperal::test]
async fn a_deploy_hands_waiting_tasks_over() {
    let (setup, log) = setup(body(async |ctx, _| {
        let (slept, answer) = tokio::join!(
            async { ctx.sleep("an hour", seconds(3600)).await },
            ctx.ask::<u32>("n", "How many?").into_future()
        );
        slept?;
        Ok(ActionResult::done(format!("{}", answer?)))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    anna.answer(task_id, 7).await;
    platform.deploy().await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "7");
    assert!(log.count("attempt") >= 3, "the answer, then the hour");
}

/// So a body that cannot run again from its top fails in its first test.
#[imperal::test]
async fn the_kit_parks_every_sleep() {
    let (setup, log) = setup(body(async |ctx, _| {
        ctx.sleep("short", seconds(5)).await?;
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let outcome = anna.run("start", json!({})).await;
    assert_eq!((outcome.task.attempt, log.count("attempt")), (2, 2));
    let slept = begun.elapsed();
    assert!((seconds(5)..seconds(7)).contains(&slept), "{slept:?}");
}

/// Each attempt computes another time. That of the first stays.
#[imperal::test]
async fn the_time_of_a_sleep_until_stays_over_a_crash() {
    let (begun, start) = (tokio::time::Instant::now(), jiff::Timestamp::now());
    let (setup, log) = setup(body(move |ctx, log| async move {
        let now = start + jiff::SignedDuration::try_from(begun.elapsed()).unwrap();
        ctx.sleep_until("an hour", now + jiff::SignedDuration::from_hours(1)).await?;
        log.note("woken");
        Ok(ActionResult::done("slept"))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    anna.parked(task_id).await;
    platform.pass(seconds(1800)).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let slept = begun.elapsed();
    assert!((seconds(3599)..seconds(3605)).contains(&slept), "{slept:?}");
    assert_eq!((log.count("attempt"), log.count("woken")), (2, 1));
}
