//! Effects (P18): none is done twice, none is dropped, an unknown one is resolved or asked about, and no end is silent
//! about one.

mod cut_off;
mod proof;
mod resolve;

use imperal::context::EffectAnswer;
use imperal::ledger::{StepKind, TaskState};
use imperal::testing::{Outcome, Reply, RuleLog};

use super::*;

const CHARGES: &str = "https://pay.example/charges";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    id: u32,
}

/// Sends the charge that the effect's key belongs to.
async fn charge(ctx: &Context) -> Result<Receipt> {
    Ok(ctx.http().post(CHARGES).json(&7).send().await?.error_for_status()?.json()?)
}

/// Pays once by a plain effect, and says what it knows of it.
fn pays() -> Body {
    body(async |ctx, log| {
        let log = &log;
        let receipt = ctx
            .effect("pay", async |ctx, _| {
                log.note("charge");
                charge(&ctx).await
            })
            .await?;
        Ok(ActionResult::done(match receipt {
            Some(receipt) => format!("paid, receipt {}", receipt.id),
            None => "paid, as you say".to_owned(),
        }))
    })
}

fn receipt(id: u32) -> Reply {
    Reply::json(Receipt { id })
}

fn charges(platform: &TestPlatform, replies: impl IntoIterator<Item = Reply>) -> RuleLog {
    platform.http().post(CHARGES).replies(replies)
}

/// The keys of the charges that were sent, in order.
fn keys(platform: &TestPlatform) -> Vec<String> {
    let sent = platform.http().requests().into_iter().filter(|request| request.url() == CHARGES);
    sent.filter(|request| request.method == "POST")
        .map(|request| request.header("idempotency-key").unwrap().to_owned())
        .collect()
}

/// The kinds of the rows of the effect `pay`.
async fn rows(anna: &TestUser, task_id: TaskId) -> Vec<StepKind> {
    let steps = anna.access().steps(task_id, 0, 500).await.unwrap().rows;
    steps.into_iter().filter(|step| step.name == "pay").map(|step| step.kind).collect()
}

async fn detail_of_end(anna: &TestUser, task_id: TaskId) -> String {
    let rows = anna.audit().await;
    let mut details = rows.iter().filter_map(|row| row.body.detail.clone());
    details.rfind(|detail| detail.starts_with(&format!("outcome of task {task_id}"))).unwrap()
}

/// The end says, in the chat and in the audit trail, that it is not known whether `pay` was done.
async fn assert_ends_unknown(anna: &TestUser, outcome: &Outcome) {
    let text = "It is not known whether `pay` was done.";
    outcome.assert_says(text);
    let result = outcome.turn.body.result.as_ref().unwrap();
    assert!(result.text().contains(text), "{result:?}");
    let detail = detail_of_end(anna, outcome.task.task_id).await;
    assert!(detail.contains(text), "{detail}");
    assert_eq!(outcome.task.open_effects, 1);
}

async fn assert_ends_known(anna: &TestUser, outcome: &Outcome) {
    assert!(!outcome.text().contains("not known"), "{}", outcome.text());
    assert!(!detail_of_end(anna, outcome.task.task_id).await.contains("not known"));
    assert_eq!(outcome.task.open_effects, 0);
}

#[imperal::test]
async fn an_effect_sends_its_key_and_stores_two_rows() {
    let (platform, anna, log) = platform(pays()).await;
    let charges = charges(&platform, [receipt(1)]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("paid, receipt 1");
    assert_eq!((charges.calls(), log.count("charge"), keys(&platform)[0].len()), (1, 1, 32));
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::Effect]);
    assert_ends_known(&anna, &outcome).await;
}

/// Before and after the intent, and before and after the result is stored. The person looks at the service before
/// they answer.
#[imperal::test]
async fn a_crash_at_each_moment_ends_in_one_charge() {
    let (platform, anna, _) = platform(pays()).await;
    let charges = platform.http().post(CHARGES).reply(receipt(1));
    let mut asked = Vec::new();
    anna.crash_at_each_step(
        "start",
        async |run| {
            // The third run crashes when the service has answered and the receipt is not stored.
            anna.answers("pay", if run == 3 { EffectAnswer::Done } else { EffectAnswer::Again });
            json!({})
        },
        async |outcome: &Outcome| {
            asked.push(anna.questions(outcome.task.task_id).await.len());
            assert_ends_known(&anna, outcome).await;
            let told = if asked.len() == 3 { "paid, as you say" } else { "paid, receipt 1" };
            outcome.assert_says(told);
        },
    )
    .await;
    assert_eq!(asked, [0, 1, 1, 0], "asked when it was unknown, and only then");
    assert_eq!(charges.calls(), 5, "one charge for each of the five runs");
}

#[imperal::test]
async fn an_effect_is_refused_in_a_step_and_in_an_effect() {
    let nested = body(async |ctx, log| {
        let (outer, log) = (&ctx, &log);
        let in_step: Result<Option<u32>> =
            ctx.step("step", async |_| outer.effect("in a step", async |_, _| Ok(log.note("effect"))).await).await;
        let in_effect = ctx
            .effect("outer", async |_, _| outer.effect("inner", async |_, _| Ok(log.note("effect"))).await)
            .repeat_safe()
            .await;
        let step_in_effect = ctx
            .effect("other", async |_, _| outer.step("in", async |_| Ok(log.note("step"))).await)
            .repeat_safe()
            .await;
        let codes = [in_step.unwrap_err(), in_effect.unwrap_err(), step_in_effect.unwrap_err()];
        Ok(ActionResult::done(codes.map(|error| error.code().to_string()).join(", ")))
    });
    let (_platform, anna, log) = platform(nested).await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_says("STEP_IN_STEP, STEP_IN_STEP, STEP_IN_STEP");
    // Both outer effects had begun, and nothing proves that they did nothing.
    outcome.assert_says("It is not known whether these were done: `outer`, `other`.");
    assert_eq!((log.count("effect"), log.count("step")), (0, 0));
}

#[imperal::test]
async fn names_of_the_platform_are_no_names_of_authors() {
    let reserved = body(async |ctx, _| {
        let step = ctx.step("imperal:effect/1/0/x/pay", async |_| Ok(())).await.unwrap_err();
        let effect = ctx.effect("imperal:x", async |_, _| Ok(())).await.unwrap_err();
        let asked = ctx.ask::<bool>("imperal:y", "?").await.unwrap_err();
        assert!([step, effect, asked].iter().all(|error| error.to_string().contains("is not an author's")));
        Ok(ActionResult::done("refused"))
    });
    let (_platform, anna, _) = platform(reserved).await;
    anna.run("start", json!({})).await.assert_says("refused");
}

/// The effect is done, so it is not repeated, on no attempt.
#[imperal::test]
async fn an_effect_whose_value_cannot_be_stored_is_done() {
    let large = body(async |ctx, log| {
        let log = &log;
        let paid = ctx
            .effect("pay", async |_, _| {
                log.note("charge");
                Ok("x".repeat(2 << 20))
            })
            .await;
        let error = paid.unwrap_err();
        if log.note("body") == 1 {
            assert_eq!(error.code(), "STEP_TOO_LARGE");
            ctx.step("wait", async |_| {
                log.note("crash");
                std::future::pending::<Result<()>>().await
            })
            .await?;
        }
        Err(error)
    });
    let (platform, anna, log) = platform(large).await;
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Failed);
    assert_eq!((log.count("charge"), log.count("body")), (1, 2));
    assert_ends_known(&anna, &outcome).await;
}

/// The name of an effect is taken, and the kind belongs to it.
#[imperal::test]
async fn effects_and_steps_share_their_names() {
    let (_platform, anna, _) = platform(body(async |ctx, _| {
        ctx.effect("pay", async |_, _| Ok(1)).await?;
        let error = ctx.step("pay", async |_| Ok(1)).await.unwrap_err();
        assert!(error.to_string().contains("`pay` is the name of an effect, not of a step"), "{error}");
        assert_eq!(ctx.effect("pay", async |_, _| Ok(2)).await?, Some(1), "it is done");
        Ok(ActionResult::done("done"))
    }))
    .await;
    anna.run("start", json!({})).await.assert_says("done");
}
