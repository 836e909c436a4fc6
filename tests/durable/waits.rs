//! Sleeps and questions: parked, woken, answered once, over crashes and deploys.

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::{QuestionState, TaskState, WaitsFor};
use imperal::platform::{Answered, Settings};
use imperal::prelude::*;
use serde_json::json;

use super::{body, setup};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Publish,
    Later,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Form {
    title: String,
    #[schemars(range(min = 1))]
    copies: u32,
}

fn seconds(n: u64) -> Duration {
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

/// A step that runs beside the wait is finished first.
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

#[imperal::test]
async fn an_answer_wakes_the_task_and_stays_over_crashes() {
    let (setup, log) = setup(body(async |ctx, log| {
        let choice: Choice = ctx.ask("publish", "Publish these?").await?;
        ctx.step("later", async |_| Ok(log.note("step"))).await?;
        ctx.sleep("a while", DAY).await?;
        Ok(ActionResult::done(format!("{choice:?}")))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    let task = anna.parked(task_id).await;
    assert_eq!((task.waits_for, task.open_questions), (Some(WaitsFor::Answer), 1));
    let question = anna.question(task_id).await;
    assert_eq!((&*question.name, &*question.text), ("publish", "Publish these?"));
    assert_eq!(question.schema["enum"], json!(["publish", "later"]));
    platform.crash().await;
    tokio::time::sleep(3 * DAY).await;
    anna.answer(task_id, "publish").await;
    while log.count("step") == 0 {
        tokio::time::sleep(seconds(1)).await;
    }
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    assert_eq!(outcome.turn.body.text, "Publish");
    assert_eq!(log.count("step"), 1);
    let audit = anna.audit().await;
    let answers: Vec<_> = audit.iter().filter(|row| row.body.action == "task.answer").collect();
    assert_eq!(answers.len(), 1);
    assert_eq!((&*answers[0].body.actor, answers[0].body.detail.as_deref()), ("user:anna", Some("publish")));
}

#[imperal::test]
async fn the_first_answer_counts_and_an_equal_one_is_accepted() {
    let (setup, _) = setup(body(async |ctx, _| {
        let choice: Choice = ctx.ask("publish", "Publish these?").await?;
        Ok(ActionResult::done(format!("{choice:?}")))
    }));
    let platform = setup.start().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let task_id = anna.start("start", json!({})).await;
    let question = anna.question(task_id).await;
    let access = anna.access();
    let refused = access.answer(task_id, None, json!("maybe")).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "VALIDATION_TYPE_ERROR");
    let refused = ben.access().answer(task_id, None, json!("publish")).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "PERMISSION_DENIED");
    assert!(matches!(access.answer(task_id, None, json!("later")).await, Ok(Answered::Accepted(_))));
    let id = Some(question.question_id);
    let again = access.answer(task_id, id, json!("later")).await;
    assert!(matches!(again, Ok(Answered::Accepted(_))), "a repeated request: {again:?}");
    let other = access.answer(task_id, id, json!("publish")).await;
    assert!(matches!(&other, Ok(Answered::Closed(q)) if q.answer == Some(json!("later"))), "{other:?}");
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "Later");
}

#[imperal::test]
async fn a_question_goes_on_with_its_fallback_if_nobody_answers() {
    let (setup, _) = setup(body(async |ctx, _| {
        let first = ctx.ask::<Choice>("first", "Publish?").within(DAY).or(Choice::Later).await?;
        let second: Option<u32> = ctx.ask("second", "How many?").within(DAY).await?;
        Ok(ActionResult::done(format!("{first:?} {second:?}")))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let task_id = anna.start("start", json!({})).await;
    assert_eq!(anna.question(task_id).await.fallback, Some(json!("later")));
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "Later None");
    assert!((2 * DAY..2 * DAY + seconds(10)).contains(&begun.elapsed()));
    let states: Vec<_> = anna.questions(task_id).await.iter().map(|question| question.state).collect();
    assert_eq!(states, [QuestionState::Expired, QuestionState::Expired]);
    let late = anna.access().answer(task_id, Some(anna.questions(task_id).await[0].question_id), json!("later")).await;
    assert!(matches!(late, Ok(Answered::Closed(_))), "{late:?}");
}

#[imperal::test]
async fn a_question_without_a_limit_fails_after_thirty_days() {
    let (setup, _) = setup(body(async |ctx, _| {
        let answer: String = ctx.ask("name", "What name?").await?;
        Ok(ActionResult::done(answer))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed);
    assert!(outcome.turn.body.text.contains("Nobody answered"), "{}", outcome.turn.body.text);
}

/// A form is checked field by field, against the schema that it had when it was asked.
#[imperal::test]
async fn a_form_is_answered_field_by_field() {
    let (setup, _) = setup(body(async |ctx, _| {
        let form: Form = ctx.ask("form", "What and how many?").await?;
        Ok(ActionResult::done(format!("{} x {}", form.copies, form.title)))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start", json!({})).await;
    anna.question(task_id).await;
    for (answer, field) in [
        (json!({ "title": "A" }), "copies"),
        (json!({ "title": "A", "copies": 0 }), "copies"),
        (json!({ "title": 3, "copies": 1 }), "title"),
    ] {
        let refused = anna.access().answer(task_id, None, answer).await.unwrap_err();
        assert_eq!(refused.field(), Some(field));
    }
    anna.answer(task_id, json!({ "title": "A", "copies": 2 })).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "2 x A");
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
async fn prepared_answers_are_given_by_name() {
    let (setup, _) = setup(body(async |ctx, _| {
        let (a, b) = tokio::join!(ctx.ask::<u32>("a", "A?").into_future(), ctx.ask::<u32>("b", "B?").into_future());
        Ok(ActionResult::done(format!("{}", a? + b?)))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    anna.answers("a", 40).answers("b", 2);
    assert_eq!(anna.run("start", json!({})).await.turn.body.text, "42");
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

/// A step beside two questions: each registers while the other waits, which must not wake it.
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

#[imperal::test]
async fn a_question_for_a_secret_is_refused() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Login {
        #[schemars(extend("writeOnly" = true))]
        password: String,
    }
    let (setup, _) = setup(body(async |ctx, _| {
        let login: Login = ctx.ask("login", "Your password?").await?;
        Ok(ActionResult::done(login.password))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed);
    assert!(anna.questions(outcome.task.task_id).await.is_empty());
}

/// Two of one type and a wait beside it: which of them wakes the task does not matter.
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
