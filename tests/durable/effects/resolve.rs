//! How an unknown effect is resolved: by its user, by a repetition, by a look-up.

use imperal::ledger::{QuestionState, WaitsFor};

use super::*;
use crate::waits::DAY;

async fn asked(replies: impl IntoIterator<Item = Reply>) -> (TestPlatform, TestUser, TaskId) {
    let (platform, anna, _) = platform(pays()).await;
    charges(&platform, replies);
    let task_id = start_task(&anna).await;
    let task = anna.parked(task_id).await;
    assert_eq!((task.state, task.waits_for), (TaskState::Waiting, Some(WaitsFor::Answer)));
    assert_eq!((task.open_questions, task.open_effects), (1, 1));
    (platform, anna, task_id)
}

#[imperal::test]
async fn the_user_says_that_it_was_done() {
    let (platform, anna, task_id) = asked([Reply::hang()]).await;
    let question = anna.question(task_id).await;
    let choices: Vec<_> = question.schema["oneOf"].as_array().unwrap().iter().map(|one| one["title"].clone()).collect();
    assert_eq!(choices, ["It was done", "It was not done", "Stop the task"]);
    platform.crash().await;
    anna.answer(task_id, "done").await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, as you say");
    assert_eq!(keys(&platform).len(), 1);
    assert_ends_known(&anna, &outcome).await;
    let audit = anna.audit().await;
    let answer = audit.iter().find(|row| row.body.action == "task.answer").unwrap();
    assert_eq!(answer.body.detail.as_deref(), Some("whether the effect `pay` was done: done"));
}

#[imperal::test]
async fn the_user_says_that_it_was_not_done() {
    let (platform, anna, task_id) = asked([Reply::hang(), receipt(2)]).await;
    anna.answer(task_id, EffectAnswer::Again).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 2");
    let keys = keys(&platform);
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "the service can still recognise it");
    let kinds = [StepKind::Intent, StepKind::NotDone, StepKind::Intent, StepKind::Effect];
    assert_eq!(rows(&anna, task_id).await, kinds);
    assert_ends_known(&anna, &outcome).await;
}

/// Each intent has a question of its own.
#[imperal::test]
async fn an_effect_that_is_cut_off_again_is_asked_about_again() {
    let (platform, anna, task_id) = asked([Reply::hang(), Reply::hang()]).await;
    let first = anna.answer(task_id, EffectAnswer::Again).await;
    let second = anna.question(task_id).await;
    assert_ne!(first.question_id, second.question_id);
    anna.answer(task_id, EffectAnswer::Done).await;
    anna.outcome(task_id).await.assert_says("paid, as you say");
    assert_eq!(keys(&platform).len(), 2);
}

#[imperal::test]
async fn the_user_stops_the_task() {
    let (platform, anna, task_id) = asked([Reply::hang()]).await;
    anna.answer(task_id, EffectAnswer::Stop).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Failed).assert_code("EFFECT_UNKNOWN");
    let text = format!(
        "Task {task_id} was stopped. You can go on from it: it asks again. It is not known whether `pay` was done."
    );
    assert_eq!(outcome.text(), text);
    assert_eq!(keys(&platform).len(), 1);
    assert_ends_unknown(&anna, &outcome).await;
}

/// A body that goes on after errors cannot go on after this.
#[imperal::test]
async fn no_body_goes_on_after_a_stop() {
    let stubborn = body(async |ctx, log| {
        let paid = ctx.effect("pay", async |ctx, _| charge(&ctx).await).await;
        log.note("went on");
        Ok(ActionResult::done(format!("{paid:?}")))
    });
    let (platform, anna, log) = platform(stubborn).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    anna.answer(task_id, EffectAnswer::Stop).await;
    anna.outcome(task_id).await.assert_code("EFFECT_UNKNOWN");
    assert_eq!(log.count("went on"), 0);
}

#[imperal::test]
async fn nobody_answers_and_the_task_stops() {
    let (platform, anna, task_id) = asked([Reply::hang()]).await;
    platform.pass(29 * DAY).await;
    assert_eq!(anna.parked(task_id).await.open_questions, 1, "a user has 30 days");
    platform.pass(2 * DAY).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_code("EFFECT_UNKNOWN");
    assert_ends_unknown(&anna, &outcome).await;
}

#[imperal::test]
async fn a_cancel_while_the_user_is_asked_says_that_it_is_unknown() {
    let (_platform, anna, task_id) = asked([Reply::hang()]).await;
    anna.cancel(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_ends_unknown(&anna, &outcome).await;
}

fn pays_repeatedly() -> Body {
    body(async |ctx, _| {
        let receipt = ctx.effect("pay", async |ctx, _| charge(&ctx).await).repeat_safe().await?;
        Ok(ActionResult::done(format!("paid, receipt {}", receipt.id)))
    })
}

#[imperal::test]
async fn a_safe_effect_is_repeated_under_its_key() {
    let (platform, anna, _) = platform(pays_repeatedly()).await;
    charges(&platform, [Reply::hang(), Reply::status(503), receipt(3)]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 3");
    let keys = keys(&platform);
    assert_eq!((keys.len(), &keys[0], &keys[0]), (3, &keys[1], &keys[2]));
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::Effect], "one intent");
    assert_ends_known(&anna, &outcome).await;
}

#[imperal::test]
async fn a_safe_effect_is_repeated_after_a_crash() {
    let (platform, anna, _) = platform(pays_repeatedly()).await;
    let charges = platform.http().post(CHARGES).reply(receipt(4));
    let check = async |outcome: &Outcome| {
        assert_ends_known(&anna, outcome).await;
        assert_eq!(anna.questions(outcome.task.task_id).await, []);
    };
    anna.crash_at_each_step("start", async |_| json!({}), check).await;
    // Only the crash between the answer and its row sends it again.
    assert_eq!(charges.calls(), 6);
}

/// The second send is refused, but the first may have been carried out.
#[imperal::test]
async fn a_refusal_of_a_repetition_proves_nothing_about_the_first_send() {
    let (platform, anna, _) = platform(pays_repeatedly()).await;
    let first = [Reply::hang()];
    charges(&platform, first.into_iter().chain((0..4).map(|_| Reply::status(422))));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed);
    assert_eq!(keys(&platform).len(), 5, "five tries");
    assert_ends_unknown(&anna, &outcome).await;
}

/// Pays, and looks an unknown charge up.
fn pays_with_a_look_up() -> Body {
    body(async |ctx, _| {
        let receipt = ctx
            .effect("pay", async |ctx, _| charge(&ctx).await)
            .look_up(async |ctx, key| {
                let found = ctx.http().get(CHARGES).query(&[("key", key.as_str())]).send().await?;
                Ok(found.error_for_status()?.json::<Vec<Receipt>>()?.pop())
            })
            .await?;
        Ok(ActionResult::done(format!("paid, receipt {}", receipt.id)))
    })
}

#[imperal::test]
async fn a_look_up_finds_what_was_done() {
    let (platform, anna, _) = platform(pays_with_a_look_up()).await;
    charges(&platform, [Reply::hang()]);
    let looks = platform.http().get(CHARGES).reply(Reply::json([Receipt { id: 5 }]));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 5");
    assert_eq!(looks.calls(), 1);
    let requests = platform.http().requests();
    assert_eq!(requests[1].query("key").as_deref(), requests[0].header("idempotency-key"));
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::Effect]);
    assert_ends_known(&anna, &outcome).await;
}

#[imperal::test]
async fn an_effect_that_a_look_up_does_not_find_is_done() {
    let (platform, anna, _) = platform(pays_with_a_look_up()).await;
    charges(&platform, [Reply::hang(), receipt(6)]);
    platform.http().get(CHARGES).reply(Reply::json(json!([])));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_says("paid, receipt 6");
    let kinds = [StepKind::Intent, StepKind::NotDone, StepKind::Intent, StepKind::Effect];
    assert_eq!(rows(&anna, outcome.task.task_id).await, kinds);
}

/// A service that fails each time and does nothing.
#[imperal::test]
async fn an_effect_that_fails_each_time_is_given_up() {
    let (platform, anna, _) = platform(pays_with_a_look_up()).await;
    platform.http().post(CHARGES).reply(Reply::status(500));
    platform.http().get(CHARGES).reply(Reply::json(json!([])));
    let began = tokio::time::Instant::now();
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed).assert_code("BACKEND_5XX");
    assert_eq!(keys(&platform).len(), 5, "five tries");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(7), "with waits between them: {took:?}");
    let kinds = [StepKind::Intent, StepKind::NotDone].repeat(5);
    assert_eq!(rows(&anna, outcome.task.task_id).await, kinds);
    assert_ends_known(&anna, &outcome).await;
}

/// An answer that trying again would not change.
#[imperal::test]
async fn a_final_error_of_an_effect_that_was_not_done_goes_to_the_body() {
    let conflicts = body(async |ctx, _| {
        let paid = ctx.effect("pay", async |ctx, _| {
            ctx.http().post(CHARGES).send().await?;
            Err::<Receipt, _>(Error::user("SOLD_OUT", "There are none left."))
        });
        let paid = paid.look_up(async |_, _| Ok(None)).await?;
        Ok(ActionResult::done(format!("{paid:?}")))
    });
    let (platform, anna, _) = platform(conflicts).await;
    platform.http().post(CHARGES).reply(Reply::status(409));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_code("SOLD_OUT");
    assert_eq!(keys(&platform).len(), 1);
    assert_ends_known(&anna, &outcome).await;
}

#[imperal::test]
async fn the_user_is_asked_when_a_look_up_fails() {
    let (platform, anna, _) = platform(pays_with_a_look_up()).await;
    charges(&platform, [Reply::hang()]);
    let down = (0..11).map(|_| Reply::status(503));
    let looks = platform.http().get(CHARGES).replies(down.chain([Reply::json([Receipt { id: 8 }])]));
    let task_id = start_task(&anna).await;
    let first = anna.question(task_id).await;
    let choices: Vec<_> = first.schema["oneOf"].as_array().unwrap().iter().map(|one| one["const"].clone()).collect();
    assert_eq!(choices, ["look", "again", "stop"], "nobody can give a value");
    assert!(first.text.contains("Looking it up failed"), "{}", first.text);
    assert_eq!(looks.calls(), 5);
    anna.answer(task_id, EffectAnswer::Look).await;
    let second = anna.question(task_id).await;
    assert_ne!(first.question_id, second.question_id);
    assert!(looks.calls() >= 10, "it looked again: {}", looks.calls());
    anna.answer(task_id, EffectAnswer::Look).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 8");
    assert_eq!(keys(&platform).len(), 1);
    assert!(anna.questions(task_id).await.iter().all(|question| question.state == QuestionState::Answered));
}

/// A crash wakes the task while the question is open, and the service answers again.
#[imperal::test]
async fn a_question_that_a_look_up_answers_is_taken_back() {
    let beside = body(async |ctx, log| {
        let pay = ctx
            .effect("pay", async |ctx, _| charge(&ctx).await)
            .look_up(async |ctx, _| Ok(Some(ctx.http().get(CHARGES).send().await?.error_for_status()?.json()?)));
        let (paid, slept) =
            tokio::join!(pay.into_future(), ctx.sleep("an hour", Duration::from_secs(3600)).into_future());
        slept?;
        log.note("slept");
        Ok(ActionResult::done(format!("paid, receipt {}", paid?.id)))
    });
    let (platform, anna, _) = platform(beside).await;
    charges(&platform, [Reply::hang()]);
    let down = (0..5).map(|_| Reply::status(503));
    platform.http().get(CHARGES).replies(down.chain([receipt(9)]));
    let task_id = start_task(&anna).await;
    anna.question(task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_says("paid, receipt 9");
    let states: Vec<_> = anna.questions(task_id).await.into_iter().map(|question| question.state).collect();
    assert_eq!(states, [QuestionState::Withdrawn]);
}

/// A version that needs the value waits for one that does not.
#[imperal::test]
async fn a_confirmed_effect_has_no_value_for_a_version_that_needs_one() {
    let changing = body(async |ctx, log| {
        if log.count("changed") == 0 {
            let paid = ctx.effect("pay", async |ctx, _| charge(&ctx).await).await?;
            assert_eq!(paid, None);
            log.note("confirmed");
            std::future::pending::<()>().await;
        }
        ctx.effect("pay", async |ctx, _| charge(&ctx).await).repeat_safe().await?;
        Ok(ActionResult::done("paid"))
    });
    let (platform, anna, log) = platform(changing).await;
    charges(&platform, [Reply::hang()]);
    let task_id = start_task(&anna).await;
    anna.answer(task_id, EffectAnswer::Done).await;
    until(&log, "confirmed", 1).await;
    log.note("changed");
    platform.crash().await;
    while anna.access().task(task_id).await.unwrap().state != TaskState::Stuck {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(keys(&platform).len(), 1);
}
