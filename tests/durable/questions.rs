//! Questions: answered once, over crashes, by a form or by name, or by nobody in their time.

use imperal::ledger::{QuestionState, TaskState, WaitsFor};
use imperal::platform::Answered;
use imperal::prelude::*;
use serde_json::json;

use super::waits::{DAY, seconds};
use super::{body, setup};

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
    let begun = tokio::time::Instant::now();
    let task_id = anna.start("start", json!({})).await;
    anna.question(task_id).await;
    platform.pass(29 * DAY).await;
    assert_eq!(anna.parked(task_id).await.open_questions, 1);
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Failed);
    assert!(outcome.turn.body.text.contains("Nobody answered"), "{}", outcome.turn.body.text);
    let asked = begun.elapsed();
    assert!((30 * DAY..30 * DAY + seconds(10)).contains(&asked), "{asked:?}");
}

/// The time runs from when it was first asked.
#[imperal::test]
async fn the_end_of_a_question_stays_over_crashes() {
    let (setup, log) = setup(body(async |ctx, _| {
        let answer: Option<u32> = ctx.ask("n", "How many?").within(DAY).await?;
        Ok(ActionResult::done(format!("{answer:?}")))
    }));
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let begun = tokio::time::Instant::now();
    let task_id = anna.start("start", json!({})).await;
    anna.parked(task_id).await;
    platform.pass(DAY / 2).await;
    platform.crash().await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "None");
    let asked = begun.elapsed();
    assert!((DAY..DAY + seconds(10)).contains(&asked), "{asked:?}");
    assert_eq!(log.count("attempt"), 2);
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
