//! Types of answers: values that are refused at once, and the error of a body for an answer that it cannot read.

use std::future::IntoFuture;

use futures_util::future::join_all;
use imperal::codes;
use imperal::ledger::{QuestionState, TaskState};

use super::*;

/// Its schema is that of any number: only reading it finds a number that is odd.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
struct Even(u32);

impl TryFrom<u32> for Even {
    type Error = String;

    fn try_from(number: u32) -> std::result::Result<Self, String> {
        if number.is_multiple_of(2) { Ok(Self(number)) } else { Err(format!("{number} is odd")) }
    }
}

impl From<Even> for u32 {
    fn from(even: Even) -> Self {
        even.0
    }
}

/// Asks for an even number until there is one.
fn asks() -> Body {
    body(async |ctx, log| {
        for n in 0.. {
            match ctx.ask::<Even>(("how many", n), "How many?").await {
                Ok(Even(number)) => return Ok(ActionResult::done(format!("{number}"))),
                Err(error) if *error.code() == codes::ANSWER_MISFIT => {
                    log.note(&error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ActionResult::done("never"))
    })
}

#[imperal::test]
async fn answer_that_the_type_does_not_take_is_refused_by_the_process_that_asked() {
    let (_platform, anna, log) = platform(asks()).await;
    let task_id = start_task(&anna).await;
    anna.question(task_id).await;
    let refused = anna.access().answer(task_id, None, json!(3)).await.unwrap_err();
    assert_eq!(refused.code(), &codes::VALIDATION_TYPE_ERROR);
    assert!(refused.message().ends_with(": 3 is odd."), "{refused}");
    anna.answer(task_id, 4).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "4");
    assert_eq!(log.count("attempt"), 2);
}

/// A process that did not ask knows the schema only. The body gets an error and asks again.
#[imperal::test]
async fn answer_that_the_type_does_not_take_is_an_error_for_the_body() {
    let (platform, anna, log) = platform(asks()).await;
    let task_id = start_task(&anna).await;
    anna.question(task_id).await;
    anna.parked(task_id).await;
    platform.crash().await;
    anna.answer(task_id, 3).await;
    let second = anna.question(task_id).await;
    assert_eq!(&*second.name, "how many/1");
    let misfit =
        format!("The answer to the question `how many/0` does not fit `{}`: 3 is odd", std::any::type_name::<Even>());
    assert!(log.0.lock().unwrap().keys().any(|what| what.ends_with(&misfit)), "{:?}", log.0);
    assert!(anna.access().answer(task_id, None, json!(5)).await.is_err(), "this process has asked");
    anna.answer(task_id, 6).await;
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "6");
}

/// The program has changed: a version that takes the answer may come.
#[imperal::test]
async fn answer_of_another_schema_makes_the_task_stuck() {
    let (setup, log) = setup(body(async |ctx, _| {
        let count: u32 = ctx.ask("how many", "How many?").await?;
        Ok(ActionResult::done(format!("{count}")))
    }));
    let old = setup.settings(|s| s.program = "1".to_owned()).start().await;
    let anna = old.user("anna");
    let task_id = start_task(&anna).await;
    anna.question(task_id).await;
    anna.parked(task_id).await;
    old.platform().shutdown(Duration::from_secs(1)).await;
    let new = TestPlatform::setup()
        .on_ledger_of(&old)
        .settings(|s| (s.node, s.program) = ("b".to_owned(), "2".to_owned()))
        .state(asks_for_a_name())
        .state(log.clone());
    let new = new.start().await;
    let anna = new.user("anna");
    anna.answer(task_id, 7).await;
    eventually("the task is stuck", async || {
        let state = anna.access().task(task_id).await.unwrap().state;
        (state == TaskState::Stuck).then_some(())
    })
    .await;
}

fn asks_for_a_name() -> Body {
    body(async |ctx, _| {
        let name: String = ctx.ask("how many", "What name?").await?;
        Ok(ActionResult::done(name))
    })
}

#[imperal::test]
async fn option_and_unit_are_no_answers() {
    let (_platform, anna, _) = platform(body(async |ctx, _| {
        let option = ctx.ask::<Option<Even>>("a", "How many?").await.unwrap_err();
        let list = ctx.ask::<Option<Vec<String>>>("b", "Which?").within(Duration::from_secs(60)).await.unwrap_err();
        let unit = ctx.ask::<()>("c", "Done?").await.unwrap_err();
        for error in [option, list, unit] {
            assert_eq!(error.code(), &codes::INTERNAL);
            let text = error.to_string();
            assert!(text.contains("ask for the type without `Option`") && text.contains("one variant"), "{text}");
        }
        Ok(ActionResult::done("refused"))
    }))
    .await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
}

/// However many others the task has asked since: the lists of questions have the latest 256 only.
#[imperal::test]
async fn schema_of_a_question_long_ago_is_still_known() {
    const OTHERS: u32 = 15 * 18;
    let (platform, anna, _) = platform(body(async |ctx, _| {
        let others = async {
            for first in (0..OTHERS).step_by(15) {
                let batch = (first..first + 15).map(|n| ctx.ask::<bool>(("other", n), "Go on?").into_future());
                for answer in join_all(batch).await {
                    answer?;
                }
            }
            Ok::<(), Error>(())
        };
        let (first, others) = tokio::join!(ctx.ask::<Even>("how many", "How many?"), others);
        others?;
        let Err(error) = first else { return Ok(ActionResult::done("an answer")) };
        Ok(ActionResult::done(error.code().to_string()))
    }))
    .await;
    let task_id = start_task(&anna).await;
    anna.question(task_id).await;
    let first = anna.questions(task_id).await.remove(0).question_id;
    let mut answered = 0;
    while answered < OTHERS {
        anna.parked(task_id).await;
        let open = anna.questions(task_id).await.into_iter().filter(|question| question.state == QuestionState::Open);
        for question in open.filter(|question| question.question_id != first) {
            anna.access().answer(task_id, Some(question.question_id), json!(true)).await.unwrap();
            answered += 1;
        }
    }
    eventually("only the first question is open", async || {
        (anna.parked(task_id).await.open_questions == 1).then_some(())
    })
    .await;
    assert!(anna.questions(task_id).await.iter().all(|question| question.question_id != first));
    let timeline = serde_json::to_value(anna.access().timeline(task_id, 0, 500).await.unwrap()).unwrap();
    let kinds = timeline["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "question").count();
    assert_eq!(kinds, 1 + OTHERS as usize, "no question is drawn as a step");
    platform.crash().await;
    anna.access().answer(task_id, Some(first), json!(3)).await.unwrap();
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "ANSWER_MISFIT");
}

#[imperal::test]
async fn fallback_is_no_larger_than_an_answer() {
    let (_platform, anna, _) = platform(body(async |ctx, _| {
        let long = "x".repeat(65 << 10);
        let error = ctx.ask::<String>("a", "What?").or(long).await.unwrap_err();
        Ok(ActionResult::done(error.to_string()))
    }))
    .await;
    let task_id = start_task(&anna).await;
    let text = anna.outcome(task_id).await.turn.body.text;
    assert!(text.contains("the fallback of the question `a` has 66562 bytes, more than 65536"), "{text}");
    assert_eq!(anna.questions(task_id).await, []);
}

/// Asks beside a step of 100 s.
fn asks_beside_a_step() -> Body {
    body(async |ctx, log| {
        let asking = async {
            let answer: u32 = ctx.ask("n", "How many?").await?;
            log.note("answered");
            Ok::<_, Error>(answer)
        };
        let step = ctx.step("slow", async |_| {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(())
        });
        let (answer, step) = tokio::join!(asking, step.into_future());
        step?;
        Ok(ActionResult::done(format!("{}", answer?)))
    })
}

/// After 10.3 s, between two looks of the attempt, an answer comes through this user. Returns how long it took the body,
/// which still runs, to have it.
async fn answer_while_it_runs(anna: &TestUser, task_id: TaskId, log: &Log, through: &TestUser) -> Duration {
    anna.question(task_id).await;
    tokio::time::sleep(Duration::from_millis(10_300)).await;
    let answered = tokio::time::Instant::now();
    through.answer(task_id, 7).await;
    until(log, "answered", 1).await;
    let took = answered.elapsed();
    let outcome = anna.outcome(task_id).await;
    outcome.assert_says("7");
    assert_eq!((outcome.task.attempt, log.count("attempt")), (1, 1));
    took
}

#[imperal::test]
async fn answer_reaches_a_body_that_still_runs_at_once() {
    let (_platform, anna, log) = platform(asks_beside_a_step()).await;
    let task_id = start_task(&anna).await;
    let took = answer_while_it_runs(&anna, task_id, &log, &anna).await;
    assert!(took < Duration::from_millis(200), "{took:?}");
}

/// The other process cannot tell it: the attempt looks every second.
#[imperal::test]
async fn answer_through_another_process_reaches_a_body_that_still_runs() {
    let (platform, anna, log) = platform(asks_beside_a_step()).await;
    let task_id = start_task(&anna).await;
    let other = TestPlatform::setup().on_ledger_of(&platform).settings(|s| s.node = "b".to_owned());
    let other = other.state(asks_beside_a_step()).state(log.clone()).start().await;
    let took = answer_while_it_runs(&anna, task_id, &log, &other.user("anna")).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}
