//! What a task that goes on keeps of the ended one: steps, messages, answers and effects.

use imperal::context::EffectAnswer;
use imperal::platform::TimelineEntry;

use super::*;

/// A message in a step that runs again is said again: the new task has not said it.
#[imperal::test]
async fn messages_are_kept_with_their_steps() {
    let tells = body(async |ctx, log| {
        let log = &log;
        for n in 1..=2 {
            ctx.step(("part", n), async |ctx| {
                ctx.deliver_chat_message(format!("Part {n} begins.")).await?;
                ctx.deliver_chat_message(format!("Part {n} is named.")).name("named").await?;
                if log.note(&format!("part {n}")) == 1 && n == 2 {
                    return Err(Error::user("FAILED", "The first time."));
                }
                Ok(())
            })
            .await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, _) = platform(tells).await;
    let ended = anna.run("start", json!({})).await;
    ended.assert_code("FAILED");
    anna.outcome(anna.continue_task(ended.task.task_id).await).await.assert_success();
    for (n, times) in [(1, 1), (2, 2)] {
        assert_eq!(said(&anna, Role::Bot, &format!("Part {n} begins.")).await, times);
        assert_eq!(said(&anna, Role::Bot, &format!("Part {n} is named.")).await, times);
    }
}

/// After a crash the new task has the steps that it inherited and those that it has done.
#[imperal::test]
async fn a_task_that_goes_on_survives_a_crash() {
    let holds = body(async |ctx, log| {
        let log = &log;
        for n in 1..=3 {
            ctx.step(("part", n), async |_| {
                let count = log.note(&format!("part {n}"));
                match (n, count) {
                    (2, 1) => Err(Error::user("FAILED", "The first time.")),
                    (3, 1) => std::future::pending().await,
                    _ => Ok(n),
                }
            })
            .await?;
        }
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(holds).await;
    let ended = anna.run("start", json!({})).await;
    ended.assert_code("FAILED");
    let task_id = anna.continue_task(ended.task.task_id).await;
    until(&log, "part 3", 1).await;
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_success();
    assert_eq!(log.counts("part", [1, 2, 3]), [1, 2, 2]);
    // And a task that fails again is gone on from in its turn.
    assert_eq!(outcome.task.attempt, 2);
    let entries = anna.access().timeline(task_id, 0, 100).await.unwrap().entries;
    let kept = |entry: &TimelineEntry| match entry {
        TimelineEntry::Follows { task_id, kept, .. } => {
            Some(format!("follows {} {kept}", *task_id == ended.task.task_id))
        }
        TimelineEntry::Step(step) => Some(format!("{} of attempt {}", step.name, step.attempt)),
        _ => None,
    };
    let shown: Vec<_> = entries.iter().filter_map(kept).collect();
    assert_eq!(
        shown,
        ["follows true 1", "part/1 of attempt 0", "part/2 of attempt 1", "part/3 of attempt 2"],
        "{entries:?}"
    );
}

#[imperal::test]
async fn answers_are_kept_and_open_questions_are_asked_again() {
    let asks = body(async |ctx, log| {
        let name: String = ctx.ask("name", "Whose?").await?;
        let sure: bool = ctx.ask("sure", "Sure?").within(Duration::from_secs(3600)).await?.unwrap_or_default();
        if !sure {
            return Err(Error::user("NOT_SURE", "Nobody was sure."));
        }
        log.note("done");
        Ok(ActionResult::done(format!("For {name}.")))
    });
    let (platform, anna, _) = platform(asks).await;
    let first = start_task(&anna).await;
    anna.answer(first, "Anna").await;
    anna.question(first).await;
    platform.pass(Duration::from_secs(2 * 3600)).await;
    anna.outcome(first).await.assert_code("NOT_SURE");
    let second = anna.continue_task(first).await;
    let question = anna.question(second).await;
    assert_eq!(question.name, "sure", "the answered one is not asked again");
    anna.answer(second, true).await;
    anna.outcome(second).await.assert_success().assert_says("For Anna.");
}

/// Pays, and fails until the test says that it is mended.
fn pays_first() -> Body {
    body(async |ctx, log| {
        let paid = ctx.effect("pay", async |ctx, _| {
            ctx.http().post(CHARGES).json(&7).send().await?.error_for_status()?;
            Ok(1)
        });
        let paid = paid.await?;
        ctx.step("ship", async |_| Ok(())).await?;
        if log.count("mended") == 0 {
            return Err(Error::user("NO_STOCK", "There is none left."));
        }
        Ok(ActionResult::done(format!("paid {paid:?}")))
    })
}

/// Whatever step it goes on from.
#[imperal::test]
async fn a_done_effect_is_not_done_again() {
    let (platform, anna, log) = platform(pays_first()).await;
    platform.http().post(CHARGES).reply(Reply::status(200));
    let ended = anna.run("start", json!({})).await;
    ended.assert_code("NO_STOCK");
    log.note("mended");
    let task_id = anna.continue_from(ended.task.task_id, 1).await;
    anna.outcome(task_id).await.assert_success().assert_says("paid Some(1)");
    assert_eq!(keys(&platform, CHARGES).len(), 1);
    // To run again is to pay again, under another key.
    let again = anna.run_again(ended.task.task_id).await;
    anna.outcome(again).await.assert_success();
    let keys = keys(&platform, CHARGES);
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

/// The user stops the task because they do not know. The end names the task, and one that goes on from it asks again.
#[imperal::test]
async fn an_unknown_effect_is_asked_about_again() {
    let (platform, anna, log) = platform(pays_first()).await;
    log.note("mended");
    platform.http().post(CHARGES).replies([Reply::hang(), Reply::status(200)]);
    let first = start_task(&anna).await;
    anna.answer(first, EffectAnswer::Stop).await;
    let outcome = anna.outcome(first).await;
    outcome.assert_code("EFFECT_UNKNOWN").assert_says(&first.to_string()).assert_says("You can go on from it");
    let second = anna.continue_task(first).await;
    let asked = anna.question(second).await;
    assert_eq!((asked.task_id, asked.effect()), (second, Some("pay")));
    assert_eq!(task(&anna, second).await.open_effects, 1);
    assert_eq!(keys(&platform, CHARGES).len(), 1, "it is not done meanwhile");
    // A cancel says what is not known, here too.
    anna.cancel(second).await;
    anna.outcome(second).await.assert_says("It is not known whether `pay` was done.");
    let third = anna.continue_task(second).await;
    anna.answer(third, EffectAnswer::Again).await;
    anna.outcome(third).await.assert_success();
    let keys = keys(&platform, CHARGES);
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "the service can still recognise it");
}
