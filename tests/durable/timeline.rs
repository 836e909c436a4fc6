//! The timeline of a task: what happened to it, in order.

use std::future::IntoFuture;

use imperal::context::StepRetry;
use imperal::ledger::{AttemptEnding, TaskState};
use imperal::platform::{Idle, TimelineEntry};
use imperal::prelude::*;
use imperal::testing::{Reply, TestUser};

use super::{body, platform, start_task, until};

/// Each entry in a word or two.
fn word(entry: &TimelineEntry) -> String {
    match entry {
        TimelineEntry::Started { .. } => "started".to_owned(),
        TimelineEntry::AttemptBegan { attempt, .. } => format!("began {attempt}"),
        TimelineEntry::Step(step) => format!("{} in {}, {} lines", step.name, step.attempt, step.log.len()),
        TimelineEntry::Question(question) => format!("asked {}, {:?}", question.name, question.answer),
        TimelineEntry::AttemptEnded { attempt, by, .. } => format!("{by} {attempt}"),
        TimelineEntry::Unattended { why, to, .. } => format!("{why:?}, over: {}", to.is_some()),
        TimelineEntry::Ended { state, .. } => format!("ended {state}"),
        TimelineEntry::Unfinished(step) => {
            format!(
                "{:?} {}, step {}, {} tries, {} lines{}",
                step.how,
                step.name,
                step.number,
                step.tries,
                step.log.len(),
                if step.went_on { ", went on" } else { "" }
            )
        }
        TimelineEntry::Unasked { names, more, .. } => format!("unasked {}, {more} more", names.join(", ")),
        other => format!("{other:?}"),
    }
}

async fn words(anna: &TestUser, task_id: imperal::ids::TaskId) -> Vec<String> {
    let timeline = anna.access().timeline(task_id, 0, 500).await.unwrap();
    assert_eq!(timeline.next, None);
    // Between a crash and the next start no time passes here.
    let worth = |entry: &&TimelineEntry| !matches!(entry, TimelineEntry::Unattended { why: Idle::Process, .. });
    timeline.entries.iter().filter(worth).map(word).collect()
}

#[imperal::test]
async fn a_task_that_was_killed_retried_answered_and_handed_over_tells_so() {
    let (platform, anna, log) = platform(body(async |ctx, log| {
        ctx.step("reserve", async |_| Ok(log.note("reserve"))).await?;
        let charge = ctx.retrying(StepRetry::backoff(3)).step("charge", async |_| {
            if log.note("charge") < 3 { Err(Error::retryable("BANK_DOWN", "The bank is down.")) } else { Ok(()) }
        });
        charge.await?;
        let ship: String = ctx.ask("approve", "Ship it?").await?;
        ctx.step("ship", async |_| {
            if log.note("ship") == 1 {
                tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
            }
            Ok(ship.clone())
        })
        .await?;
        Ok(ActionResult::done("shipped"))
    }))
    .await;
    let task_id = start_task(&anna).await;
    until(&log, "charge", 1).await;
    platform.crash().await;
    anna.parked(task_id).await;
    assert_eq!(
        words(&anna, task_id).await,
        [
            "started",
            "began 1",
            "reserve in 1, 0 lines",
            "crashed 1",
            "began 2",
            "charge in 2, 1 lines",
            "asked approve, None",
            "parked 2",
            "Wait, over: false",
        ]
    );
    platform.pass(std::time::Duration::from_secs(120)).await;
    anna.answer(task_id, "yes").await;
    until(&log, "ship", 1).await;
    platform.deploy().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    let told = words(&anna, task_id).await;
    assert_eq!(
        told[6..],
        [
            "asked approve, Some(String(\"yes\"))",
            "parked 2",
            "Wait, over: true",
            "began 3",
            "CutOff ship, step 3, 1 tries, 0 lines",
            "handed_over 3",
            "began 4",
            "ship in 4, 0 lines",
            "ended succeeded",
        ]
    );
    let attempts = anna.access().timeline(task_id, 0, 500).await.unwrap().entries;
    let ends =
        attempts.iter().filter(|entry| matches!(entry, TimelineEntry::AttemptEnded { by: AttemptEnding::Parked, .. }));
    assert_eq!(ends.count(), 1);
    // The same in pages of one row.
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let page = anna.access().timeline(task_id, after, 1).await.unwrap();
        entries.extend(page.entries);
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(entries, attempts);
    let ben = platform.user("ben");
    assert_eq!(*ben.access().timeline(task_id, 0, 500).await.unwrap_err().code(), imperal::codes::PERMISSION_DENIED);
}

/// With its tries and its requests, without their queries and bodies; the task names it too.
#[imperal::test]
async fn a_failed_task_tells_at_which_step_it_failed() {
    const CHARGE: &str = "https://bank.example/charge";
    let (platform, anna, _log) = platform(body(async |ctx, _| {
        ctx.step("reserve", async |_| Ok(())).await?;
        let charge = ctx.retrying(StepRetry::backoff(3)).step("charge", async |ctx| {
            ctx.http().post(CHARGE).query(&[("card", "4111")]).body("secret").send().await?.error_for_status()?;
            Ok(())
        });
        charge.await?;
        Ok(ActionResult::done("charged"))
    }))
    .await;
    platform.http().post(CHARGE).replies([504, 504, 503].map(Reply::status));
    let outcome = anna.outcome(start_task(&anna).await).await;
    outcome.assert_state(TaskState::Failed);
    let told = words(&anna, outcome.task.task_id).await;
    assert_eq!(told[3..], ["Failed charge, step 2, 3 tries, 5 lines", "ended failed"]);
    let failed = outcome.task.steps.unwrap().failed.unwrap();
    assert_eq!((failed.number, failed.name.as_str(), failed.tries), (2, "charge", 3));
    let timeline = anna.access().timeline(outcome.task.task_id, 0, 500).await.unwrap();
    let json = serde_json::to_value(&timeline.entries).unwrap();
    let step = json.as_array().unwrap().iter().find(|entry| entry["kind"] == "unfinished").unwrap();
    let statuses: Vec<_> = step["log"].as_array().unwrap().iter().filter_map(|line| line["status"].as_u64()).collect();
    assert_eq!(statuses, [504, 504, 503]);
    assert!(step["error"].as_str().is_some_and(|error| !error.is_empty()), "{step}");
    assert!(!json.to_string().contains("4111") && !json.to_string().contains("secret"), "{json}");
}

/// A step that was renamed after it was stored is done twice, which its user should know.
#[imperal::test]
async fn a_stored_step_that_was_never_asked_for_is_told_of_once_the_task_has_ended() {
    let (platform, anna, log) = platform(body(async |ctx, log| {
        if log.note("attempt of the body") == 1 {
            ctx.step("image", async |_| Ok(())).await?;
            log.note("stored");
            std::future::pending::<()>().await;
        }
        ctx.step("picture", async |_| Ok(())).await?;
        Ok(ActionResult::done("drawn"))
    }))
    .await;
    let task_id = start_task(&anna).await;
    until(&log, "stored", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let told = words(&anna, task_id).await;
    assert_eq!(told[told.len() - 3..], ["picture in 2, 0 lines", "unasked image, 0 more", "ended succeeded"]);
}

/// A body that goes on with the first of two steps drops the other one, and one that handles a failure has not failed.
#[imperal::test]
async fn a_task_that_succeeded_names_no_step_at_which_it_failed() {
    let (_platform, anna, _log) = platform(body(async |ctx, _| {
        let failed = ctx.step("fails", async |_| Err::<(), _>(Error::user("NO", "No."))).await;
        assert!(failed.is_err());
        tokio::select! {
            biased;
            slow = ctx.step("slow", async |_| { std::future::pending::<()>().await; Ok(()) }).into_future() => slow?,
            fast = ctx.step("fast", async |_| Ok(())).into_future() => fast?,
        }
        Ok(ActionResult::done("done"))
    }))
    .await;
    let outcome = anna.outcome(start_task(&anna).await).await;
    outcome.assert_state(TaskState::Succeeded);
    let told = words(&anna, outcome.task.task_id).await;
    let failed = "Failed fails, step 1, 1 tries, 0 lines, went on";
    assert_eq!(told[2..], ["fast in 1, 0 lines", failed, "ended succeeded"]);
    assert_eq!(outcome.task.steps.unwrap().failed, None);
}

/// Also if it is the last one: then no other step shows that the body went on.
#[imperal::test]
async fn a_task_that_succeeded_after_its_last_step_failed_has_not_failed() {
    let (_platform, anna, _log) = platform(body(async |ctx, _| {
        ctx.step("work", async |_| Ok(())).await?;
        let told = ctx.step("tell", async |_| Err::<(), _>(Error::user("NO", "Nobody listens."))).await;
        assert!(told.is_err());
        Ok(ActionResult::done("done"))
    }))
    .await;
    let outcome = anna.outcome(start_task(&anna).await).await;
    outcome.assert_state(TaskState::Succeeded);
    let steps = anna.access().task(outcome.task.task_id).await.unwrap().steps.unwrap();
    assert_eq!((steps.done, steps.failed), (1, None));
    let told = words(&anna, outcome.task.task_id).await;
    assert_eq!(told[3..], ["Failed tell, step 2, 1 tries, 0 lines, went on", "ended succeeded"]);
}
