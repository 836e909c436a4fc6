//! The work outside of steps for which a deploy and a park wait, and the order in which an attempt leaves: the platform
//! drops its body first, and then gives the task back.

use futures_util::FutureExt;
use imperal::ledger::{Ledger, MemoryLedger, Owner, StepKind, TaskState};
use imperal::testing::Reply;
use tokio::time::Instant;

use super::*;

const SLOW: &str = "https://slow.example/report";

/// A read needs no step. Cut off, it would be sent again.
#[imperal::test]
async fn a_deploy_waits_for_a_request_outside_of_steps() {
    let reads = body(async |ctx, log| {
        log.note("reads");
        let report = ctx.http().get(SLOW).send().await?;
        Ok(ActionResult::done(report.text()?))
    });
    let (platform, anna, log) = platform(reads).await;
    let requests = platform.http().get(SLOW).reply(Reply::text("All is well.").after(Duration::from_secs(5)));
    let task_id = start_task(&anna).await;
    until(&log, "reads", 1).await;
    let began = Instant::now();
    platform.deploy().await;
    let took = began.elapsed().as_secs();
    assert!((4..7).contains(&took), "{took} s");
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded).assert_says("All is well.");
    assert_eq!((requests.calls(), outcome.task.attempt), (1, 1));
}

#[imperal::test]
async fn a_park_waits_for_a_request_outside_of_steps() {
    let asks = body(async |ctx, log| {
        let reading = async {
            let report = ctx.http().get(SLOW).send().await?;
            log.note("read");
            Ok::<_, Error>(report.text()?.to_owned())
        };
        let (answer, report) = tokio::join!(ctx.ask::<bool>("go", "Go on?").into_future(), reading);
        Ok(ActionResult::done(format!("{} {}", answer?, report?)))
    });
    let (platform, anna, log) = platform(asks).await;
    let requests = platform.http().get(SLOW).reply(Reply::text("well").after(Duration::from_secs(5)));
    let began = Instant::now();
    let task_id = start_task(&anna).await;
    assert_eq!(anna.parked(task_id).await.state, TaskState::Waiting);
    assert_eq!((requests.calls(), log.count("read")), (1, 1), "parked after {:?}", began.elapsed());
    anna.answer(task_id, true).await;
    anna.outcome(task_id).await.assert_says("true well");
}

/// A message waits until its call has the reply. Cut off, the body would run again for nothing.
#[imperal::test]
async fn a_deploy_waits_for_a_message_outside_of_steps() {
    let says = body(async |ctx, log| {
        log.note("says");
        ctx.deliver_chat_message("Half way.").await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, log) = platform(says).await;
    let call = anna.call("start", json!({ "linger": 5 }));
    let deploy = async {
        until(&log, "says", 1).await;
        let began = Instant::now();
        platform.deploy().await;
        began.elapsed().as_secs()
    };
    let (reply, took) = tokio::join!(call, deploy);
    assert!((4..7).contains(&took), "{took} s");
    let task_id = anna.access().tasks_of_call(reply.unwrap().call_id).await.unwrap()[0].task_id;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_state(TaskState::Succeeded);
    assert_eq!((outcome.task.attempt, log.count("says")), (1, 1));
    assert_eq!(anna.texts().await.iter().filter(|text| *text == "Half way.").count(), 1);
    let rows = anna.access().steps(task_id, 0, 10).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.kind).collect::<Vec<_>>(), [StepKind::Message]);
}

/// Looks into the ledger when it is dropped: whether its attempt still has the task.
struct Leaves {
    attempt: u32,
    ledger: Arc<MemoryLedger>,
    log: Log,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        let (ledger, owner) = (&*self.ledger as &dyn Ledger, Owner::new("default", "anna"));
        let tasks = ledger.open_tasks(&owner).now_or_never().unwrap().unwrap();
        let is_held = tasks.iter().any(|task| task.state == TaskState::Running && task.attempt == self.attempt);
        self.log.note(if is_held { "left" } else { "left after the task was given back" });
    }
}

/// How the first attempt leaves.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Park,
    /// A deploy while nothing is in flight.
    Deploy,
    /// A deploy that cuts a step off.
    Grace,
}

/// Another process may take a task as soon as it is given back: a body that the platform dropped later would run at the
/// same time as the next one.
async fn assert_dropped_first(by: By) {
    let ledger = Arc::new(MemoryLedger::default());
    let looks = ledger.clone();
    let holds = body(move |ctx, log| {
        let ledger = looks.clone();
        async move {
            let attempt = log.note("begins");
            let _held = Leaves { attempt, ledger, log: log.clone() };
            let is_first = attempt == 1;
            match by {
                By::Park => {
                    let _: bool = ctx.ask("go", "Go on?").await?;
                }
                By::Deploy if is_first => std::future::pending::<()>().await,
                By::Grace if is_first => {
                    ctx.step("hangs", async |_| std::future::pending::<Result<()>>().await).await?;
                }
                By::Deploy | By::Grace => {}
            }
            Ok(ActionResult::done("done"))
        }
    });
    let (setup, log) = setup(holds);
    let platform = setup.ledger(ledger).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "begins", 1).await;
    if by == By::Park {
        anna.parked(task_id).await;
        anna.answer(task_id, true).await;
    } else {
        platform.deploy().await;
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let (begun, left) = (log.count("begins"), log.count("left"));
    assert_eq!((begun, left, log.count("left after the task was given back")), (2, 2, 0));
}

#[imperal::test]
async fn a_body_is_dropped_before_its_task_is_parked() {
    assert_dropped_first(By::Park).await;
}

#[imperal::test]
async fn a_body_is_dropped_before_its_task_is_handed_over() {
    assert_dropped_first(By::Deploy).await;
}

#[imperal::test]
async fn a_body_that_is_cut_off_is_dropped_before_its_task_is_handed_over() {
    assert_dropped_first(By::Grace).await;
}
