//! `ctx.fan_out_steps`: each item is a step of its own.

use imperal::context::StepRetry;
use imperal::ledger::TaskState;

use super::*;

/// Items that were stored do not run again, wherever the others were.
#[imperal::test]
async fn after_a_crash_only_the_missing_items_run() {
    let six = body(async |ctx, log| {
        let log = &log;
        let results = ctx
            .fan_out_steps("item", 0..6_u32, async |_, n| {
                let runs = log.note(&format!("item {n}"));
                // The first attempt never ends its third item.
                if runs == 1 && n == 2 {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_secs(u64::from(6 - n))).await;
                Ok(n * 10)
            })
            .at_most(2)
            .progress(0..=100)
            .await?;
        log.note("all");
        let numbers: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        Ok(ActionResult::done(format!("{numbers:?}")))
    });
    let (platform, anna, log) = platform(six).await;
    let task_id = start_task(&anna).await;
    until(&log, "item 5", 1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!(outcome.turn.body.text, "[0, 10, 20, 30, 40, 50]", "in the order of the items");
    assert_eq!(log.counts("item", [0, 1, 2, 3, 4, 5]), [1, 1, 2, 1, 1, 1]);
    let steps = anna.access().steps(task_id, 0, 10).await.unwrap();
    let mut names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["item/0", "item/1", "item/2", "item/3", "item/4", "item/5"]);
}

#[imperal::test]
async fn at_most_the_given_number_runs_at_once() {
    let many = body(async |ctx, log| {
        let (log, running) = (&log, &std::sync::atomic::AtomicU32::new(0));
        let results = ctx.fan_out_steps(("part", 7), 0..20, async |_, n| {
            let now = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            log.note(&format!("{now} at once"));
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            Ok(n)
        });
        let results = results.at_most(3).await?;
        assert_eq!(results.len(), 20);
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, log) = platform(many).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert!(log.count("3 at once") > 0 && log.count("4 at once") == 0);
}

/// The second attempt has the items in another order, and one less.
#[imperal::test]
async fn keyed_items_keep_their_values_in_another_order() {
    let keyed = body(async |ctx, log| {
        let log = &log;
        let items = if log.note("order") == 1 { vec!["a", "b/c", "d"] } else { vec!["d", "a"] };
        let results = ctx
            .fan_out_steps("item", items, async |_, item| {
                log.note(item);
                Ok(format!("{item}!"))
            })
            .keyed(|item| (*item).to_owned())
            .await?;
        if log.note("after") == 1 {
            std::future::pending::<()>().await;
        }
        let values: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        Ok(ActionResult::done(values.join(" ")))
    });
    let (platform, anna, log) = platform(keyed).await;
    let task_id = start_task(&anna).await;
    until(&log, "after", 1).await;
    platform.crash().await;
    let outcome = anna.outcome(task_id).await;
    assert_eq!(outcome.turn.body.text, "d! a!");
    assert_eq!(["a", "b/c", "d"].map(|item| log.count(item)), [1; 3]);
    let steps = anna.access().steps(task_id, 0, 10).await.unwrap();
    assert!(steps.iter().any(|step| step.name == "item/b\\/c"), "{steps:?}");
}

#[imperal::test]
async fn two_items_of_one_key_are_refused() {
    let twice = body(async |ctx, log| {
        let log = &log;
        ctx.fan_out_steps("item", ["a", "b", "a"], async |_, item| Ok(log.note(item)))
            .keyed(|item| (*item).to_owned())
            .await?;
        Ok(ActionResult::done("done"))
    });
    let (_platform, anna, log) = platform(twice).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Failed);
    assert_eq!(log.count("a"), 0, "nothing began");
}

/// One failure, and one panic, are the results of their items.
#[imperal::test]
async fn a_failed_item_stops_no_other_and_retries_by_itself() {
    let some = body(async |ctx, log| {
        let log = &log;
        let results = ctx
            .fan_out_steps("item", 0..4_u32, async |_, n| {
                let runs = log.note(&format!("item {n}"));
                assert!(n != 3, "the code of this item panics");
                match (n, runs) {
                    (1, ..3) => Err(Error::retryable(codes::UNAVAILABLE, "Not yet.")),
                    (2, _) => Err(Error::user(codes::INTERNAL, "Never.")),
                    _ => Ok(n),
                }
            })
            .retrying(StepRetry::backoff(3))
            .await?;
        Ok(ActionResult::done(format!("{:?}", results.iter().map(Result::is_ok).collect::<Vec<_>>())))
    });
    let (_platform, anna, log) = platform(some).await;
    let task_id = start_task(&anna).await;
    let outcome = anna.outcome(task_id).await;
    assert_eq!(outcome.turn.body.text, "[true, true, false, false]");
    assert_eq!(log.counts("item", [0, 1, 2, 3]), [1, 3, 1, 1]);
}

/// A deploy waits for the items in flight, and no further one begins.
#[imperal::test]
async fn a_deploy_cuts_no_item_off() {
    let slow = body(async |ctx, log| {
        let log = &log;
        let results = ctx.fan_out_steps("item", 0..6, async |_, n| {
            log.note("begun");
            tokio::time::sleep(Duration::from_secs(5)).await;
            log.note("ended");
            Ok(n)
        });
        assert_eq!(results.at_most(2).await?.len(), 6);
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(slow).await;
    let task_id = start_task(&anna).await;
    until(&log, "begun", 4).await;
    platform.deploy().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("begun"), log.count("ended")), (6, 6));
}

/// Later items could not be stored either, so they do not start. The item that runs at the same time finishes.
#[imperal::test]
async fn a_value_over_the_limit_ends_the_whole() {
    let large = body(async |ctx, log| {
        let log = &log;
        let results = ctx
            .fan_out_steps("item", 0..6_u32, async |_, n| {
                log.note("begun");
                tokio::time::sleep(Duration::from_secs(if n == 0 { 5 } else { 1 })).await;
                log.note("ended");
                Ok(if n == 1 { "x".repeat(2 << 20) } else { String::new() })
            })
            .at_most(2)
            .await;
        log.note(&results.as_ref().err().map(|error| error.code().to_string()).unwrap_or_default());
        Ok(ActionResult::done(format!("{} items", results?.len())))
    });
    let (_platform, anna, log) = platform(large).await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Failed);
    assert_eq!((log.count("begun"), log.count("ended"), log.count("STEP_TOO_LARGE")), (2, 2, 1));
}
