//! Which failures of an effect prove that it was not done.

use super::*;

/// Pays, and tries once more if the first charge is known not to be done.
fn pays_with_a_second_try() -> Body {
    body(async |ctx, log| {
        let pay = async || ctx.effect("pay", async |ctx, _| charge(&ctx).await).await;
        let first = match pay().await {
            Ok(receipt) => return Ok(ActionResult::done(format!("paid at once: {receipt:?}"))),
            Err(error) => error,
        };
        log.note("refused");
        pay().await?;
        Ok(ActionResult::done(format!("paid after {}", first.code())))
    })
}

#[imperal::test]
async fn a_refusal_of_the_service_goes_to_the_body() {
    for reply in [Reply::status(422), Reply::status(400), Reply::status(429), Reply::connect_error()] {
        let (platform, anna, log) = platform(pays_with_a_second_try()).await;
        charges(&platform, [reply, receipt(2)]);
        let outcome = anna.run("start", json!({})).await;
        outcome.assert_state(TaskState::Succeeded).assert_says("paid after");
        assert_eq!(log.count("refused"), 1);
        let kinds = [StepKind::Intent, StepKind::NotDone, StepKind::Intent, StepKind::Effect];
        assert_eq!(rows(&anna, outcome.task.task_id).await, kinds);
        let keys = keys(&platform);
        assert_eq!(keys[0], keys[1], "it is the same effect");
        assert_ends_known(&anna, &outcome).await;
    }
}

/// A conflict and a slow answer may be about an earlier send, a failed service may have acted, and so may one whose
/// answer cannot be read.
#[imperal::test]
async fn every_other_failure_is_unknown() {
    let see_other = || Reply::redirect(303, "https://pay.example/gone");
    let replies = [
        Reply::status(409),
        Reply::status(408),
        Reply::status(500),
        Reply::hang(),
        Reply::text("no JSON"),
        see_other(),
    ];
    for reply in replies {
        let (platform, anna, log) = platform(pays_with_a_second_try()).await;
        charges(&platform, [reply]);
        platform.http().get("https://pay.example/gone").reply(Reply::status(404));
        let task_id = start_task(&anna).await;
        let question = anna.question(task_id).await;
        assert!(
            question.text.starts_with("It is not known whether `pay` was done. It ended with:"),
            "{}",
            question.text
        );
        assert_eq!((question.effect(), log.count("refused")), (Some("pay"), 0));
        anna.answer(task_id, EffectAnswer::Done).await;
        let outcome = anna.outcome(task_id).await;
        outcome.assert_says("paid at once: None");
        assert_ends_known(&anna, &outcome).await;
    }
}

/// Charges, and lets the request send itself again.
async fn charge_with_retry(ctx: &Context) -> Result<Receipt> {
    let request = ctx.http().post(CHARGES).json(&7).retry(imperal::context::Retry::default());
    Ok(request.send().await?.error_for_status()?.json()?)
}

/// `.retry(..)` sends again what is proved undone. A service that ignores keys may have acted before its 503.
#[imperal::test]
async fn a_retried_request_is_not_sent_again_after_a_send_that_may_have_acted() {
    let retries = || {
        body(async |ctx, _| match ctx.effect("pay", async |ctx, _| charge_with_retry(&ctx).await).await {
            Ok(_) => Ok(ActionResult::done("paid")),
            Err(error) => Ok(ActionResult::done(format!("not paid: {}", error.code()))),
        })
    };
    let (first, anna, _) = platform(retries()).await;
    charges(&first, [Reply::status(429), Reply::connect_error(), Reply::status(422)]);
    anna.run("start", json!({})).await.assert_says("not paid");
    let (second, anna, _) = platform(retries()).await;
    charges(&second, [Reply::status(429), Reply::status(502), receipt(1)]);
    let task_id = start_task(&anna).await;
    anna.answer(task_id, EffectAnswer::Done).await;
    anna.outcome(task_id).await.assert_says("paid");
    let keys = keys(&second);
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "one request, one key");
}

/// Each send of a safe one counts: a refusal of the second says nothing about the first.
#[imperal::test]
async fn a_retried_request_of_a_safe_effect_is_sent_again() {
    let (platform, anna, _) = platform(body(async |ctx, _| {
        let paid = ctx.effect("pay", async |ctx, _| charge_with_retry(&ctx).await).repeat_safe().await?;
        Ok(ActionResult::done(format!("paid, receipt {}", paid.id)))
    }))
    .await;
    charges(&platform, [Reply::status(503), Reply::status(422), receipt(2)]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_says("paid, receipt 2");
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::Effect]);
}

#[imperal::test]
async fn an_author_can_say_that_it_was_not_done() {
    let declined = body(async |ctx, log| {
        let log = &log;
        let paid: Result<Option<()>> = ctx
            .effect("pay", async |ctx, _| {
                ctx.http().post(CHARGES).send().await?.error_for_status()?;
                log.note("declined");
                Err(Error::user("DECLINED", "The bank declined the card.").not_done())
            })
            .await;
        paid?;
        Ok(ActionResult::done("paid"))
    });
    let (platform, anna, log) = platform(declined).await;
    charges(&platform, [Reply::text("declined")]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_code("DECLINED").assert_says("The bank declined the card.");
    assert_eq!(log.count("declined"), 1);
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::NotDone]);
    assert_ends_known(&anna, &outcome).await;
}

/// Their word is about this run. The run before, under the same intent, may have done it.
#[imperal::test]
async fn the_word_of_an_author_says_nothing_about_an_earlier_run() {
    let declined = body(async |ctx, log| {
        let log = &log;
        let paid: Result<()> = ctx
            .effect("pay", async |ctx, _| {
                log.note("charge");
                ctx.http().post(CHARGES).send().await?.error_for_status()?;
                Err(Error::user("DECLINED", "The bank declined the card.").not_done())
            })
            .repeat_safe()
            .await;
        paid?;
        Ok(ActionResult::done("paid"))
    });
    let (platform, anna, log) = platform(declined).await;
    charges(&platform, [Reply::hang(), Reply::text("declined")]);
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_code("DECLINED");
    assert_eq!(log.count("charge"), 2);
    assert_ends_unknown(&anna, &outcome).await;
}

/// Two requests under one key would be one for the service.
#[imperal::test]
async fn a_second_request_is_refused() {
    let twice = body(async |ctx, _| {
        let paid = ctx.effect("pay", async |ctx, _| {
            ctx.http().get("https://pay.example/prices").send().await?.error_for_status()?;
            charge(&ctx).await?;
            charge(&ctx).await
        });
        let error = paid.repeat_safe().await.unwrap_err();
        Ok(ActionResult::done(error.code().to_string()))
    });
    let (platform, anna, _) = platform(twice).await;
    let charges = platform.http().post(CHARGES).reply(receipt(1));
    platform.http().get("https://pay.example/prices").reply(Reply::text("7"));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_says("EFFECT_TWO_REQUESTS");
    assert_eq!((charges.calls(), keys(&platform).iter().collect::<std::collections::HashSet<_>>().len()), (1, 1));
    assert_ends_unknown(&anna, &outcome).await;
}

/// A request that is refused before it is sent, because of its timeout.
#[imperal::test]
async fn a_request_that_was_never_sent_is_not_done() {
    let refused = body(async |ctx, _| {
        let paid = ctx.effect("pay", async |ctx, _| {
            ctx.http().post(CHARGES).timeout(1000).send().await?;
            Ok(())
        });
        paid.await?;
        Ok(ActionResult::done("paid"))
    });
    let (_platform, anna, _) = platform(refused).await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Failed);
    assert_eq!(rows(&anna, outcome.task.task_id).await, [StepKind::Intent, StepKind::NotDone]);
    assert_ends_known(&anna, &outcome).await;
}
