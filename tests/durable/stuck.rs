//! Tasks that a program cannot continue, and tasks that crash their process.

use imperal::ledger::{TaskState, WaitsFor};
use imperal::platform::Settings;

use super::waits::DAY;
use super::*;

/// A value of the old version, read as the new version's type.
fn version<T>(value: impl Fn() -> T + Send + Sync + Clone + 'static) -> Body
where
    T: Serialize + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    body(move |ctx, log| {
        let value = value.clone();
        async move {
            let stored = ctx.step("value", async |_| Ok(value())).await?;
            if log.note("runs") == 1 {
                std::future::pending::<()>().await;
            }
            Ok(ActionResult::done(format!("{stored:?}")))
        }
    })
}

/// The task waits for a program that fits, and that one continues it: nothing is lost in a rolling upgrade.
#[imperal::test]
async fn a_value_of_another_type_makes_the_task_stuck_until_a_fitting_version_comes() {
    let (setup, log) = setup(version(|| "text".to_owned()));
    let old = setup.settings(|s| s.program = "1".to_owned()).start().await;
    let anna = old.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "runs", 1).await;
    old.platform().shutdown(Duration::from_secs(1)).await;

    let next = |node: &str, program: &str, body: Body| {
        let (node, program) = (node.to_owned(), program.to_owned());
        TestPlatform::setup()
            .on_ledger_of(&old)
            .settings(move |s| (s.node, s.program) = (node, program))
            .state(body)
            .state(log.clone())
    };
    let new = next("b", "2", version(|| 7_u32)).start().await;
    let anna = new.user("anna");
    eventually("the task is stuck", async || {
        let state = anna.access().task(task_id).await.unwrap().state;
        (state == TaskState::Stuck).then_some(())
    })
    .await;
    let stuck = anna.access().task(task_id).await.unwrap();
    assert_eq!(stuck.waits_for, Some(WaitsFor::Version));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(log.count("runs"), 1);

    let fits = next("c", "3", version(|| "text".to_owned())).start().await;
    let outcome = fits.user("anna").outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!(outcome.turn.body.text, "\"text\"");
}

/// Makes a task stuck on a platform with these settings. It stays so just before this time is over, and has ended a look
/// of the platform later.
async fn assert_ends_after(time: Duration, change: impl FnOnce(&mut Settings), says: &str) {
    const LOOK: Duration = Duration::from_secs(15 * 60);
    let (setup, log) = setup(version(|| "text".to_owned()));
    let old = setup.settings(|s| "1".clone_into(&mut s.program)).start().await;
    let task_id = start_task(&old.user("anna")).await;
    until(&log, "runs", 1).await;
    old.platform().shutdown(Duration::from_secs(1)).await;
    let new = TestPlatform::setup()
        .on_ledger_of(&old)
        .settings(|s| (s.node, s.program) = ("b".to_owned(), "2".to_owned()))
        .settings(change)
        .state(version(|| 7_u32))
        .state(log.clone());
    let new = new.start().await;
    let anna = new.user("anna");
    let state = async || anna.access().task(task_id).await.unwrap().state;
    eventually("the task is stuck", async || (state().await == TaskState::Stuck).then_some(())).await;
    let began = tokio::time::Instant::now();
    new.pass(time.saturating_sub(LOOK)).await;
    assert_eq!(state().await, TaskState::Stuck);
    let outcome = anna.outcome(task_id).await;
    let took = began.elapsed();
    let least = time.saturating_sub(Duration::from_secs(1));
    assert!((least..time + LOOK).contains(&took), "{took:?}");
    outcome.assert_state(TaskState::Reclaimed).assert_says(says);
    assert_eq!(outcome.task.result.unwrap().error_code.unwrap(), imperal::codes::TASK_STUCK);
    assert_eq!(log.count("runs"), 1);
}

#[imperal::test]
async fn a_task_that_is_stuck_for_a_day_ends() {
    assert_ends_after(DAY, |_| {}, "could continue it for a day.").await;
}

/// `--stuck-for`
#[imperal::test]
async fn the_time_for_which_a_task_is_stuck_is_a_setting() {
    let weekend = |s: &mut Settings| s.stuck_for = 3 * DAY;
    assert_ends_after(3 * DAY, weekend, "could continue it for 3 days.").await;
}

/// Five crashes in a row without progress end the task; the waits between them grow.
#[imperal::test]
async fn a_task_that_crashes_its_process_ends() {
    let poison = body(async |_, log| {
        log.note("runs");
        std::future::pending::<()>().await;
        Ok(ActionResult::done("never"))
    });
    let (platform, anna, log) = platform(poison).await;
    let task_id = start_task(&anna).await;
    let began = tokio::time::Instant::now();
    for crash in 1..=5 {
        until(&log, "runs", crash).await;
        platform.crash().await;
    }
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Reclaimed);
    assert_eq!(outcome.task.result.unwrap().error_code.unwrap(), imperal::codes::TASK_CRASHED);
    assert_eq!(log.count("runs"), 5);
    assert!(began.elapsed() >= Duration::from_secs(10 + 60 + 300 + 300), "it took {:?}", began.elapsed());
}
