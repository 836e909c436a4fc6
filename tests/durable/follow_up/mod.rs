//! Tasks that go on from ended ones, and tasks that run again: which task starts, how often, and under which keys.
//!
//! What is kept is in [`kept`], what is refused in [`refusals`].

use imperal::ids::RequestKey;
use imperal::ledger::{Follows, Role, Task, TaskState};
use imperal::testing::Reply;

use super::*;

mod kept;
mod refusals;

const CHARGES: &str = "https://pay.example/charges";

/// Two parts, a message, and a charge that fails the first time.
fn charges_last() -> Body {
    body(async |ctx, log| {
        let log = &log;
        for n in 1..=2 {
            ctx.step(("part", n), async |ctx| {
                log.note(&format!("part {n}"));
                ctx.http().post("https://parts.example").json(&n).send().await?;
                Ok(n)
            })
            .await?;
        }
        ctx.deliver_chat_message("Halfway.").await?;
        ctx.step("charge", async |_| {
            if log.note("charge") == 1 {
                return Err(Error::user("CARD_EXPIRED", "The card has expired."));
            }
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("Shipped."))
    })
}

/// A platform with a task whose charge has failed.
async fn failed() -> (TestPlatform, TestUser, Log, Task) {
    let (platform, anna, log) = platform(charges_last()).await;
    platform.http().post("https://parts.example").reply(Reply::status(200));
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_code("CARD_EXPIRED");
    let task = outcome.task.clone();
    (platform, anna, log, task)
}

async fn task(anna: &TestUser, task_id: TaskId) -> Task {
    anna.access().task(task_id).await.unwrap()
}

/// The texts of the turns of a role that begin so.
async fn said(anna: &TestUser, role: Role, begins: &str) -> usize {
    let turns = anna.turns().await;
    turns.iter().filter(|turn| turn.body.role == role && turn.body.text.starts_with(begins)).count()
}

/// The idempotency keys of the parts, in the order in which they were sent.
fn keys(platform: &TestPlatform, url: &str) -> Vec<String> {
    let sent = platform.http().requests().into_iter().filter(|request| request.url().starts_with(url));
    sent.filter_map(|request| request.header("idempotency-key").map(str::to_owned)).collect()
}

#[imperal::test]
async fn a_task_goes_on_behind_its_last_stored_step() {
    let (_platform, anna, log, ended) = failed().await;
    let before = anna.turns().await.len();
    let task_id = anna.continue_task(ended.task_id).await;
    let outcome = anna.outcome(task_id).await;
    outcome.assert_success();
    assert_eq!(log.counts("part", [1, 2]), [1, 1], "they are not done again");
    assert_eq!(log.count("charge"), 2);
    // A call of the user like any other: a request, a reply, the outcome.
    let turns = anna.turns().await.split_off(before);
    let texts: Vec<_> = turns.iter().map(|turn| &*turn.body.text).collect();
    let wanted = [
        "Go on with “The work” from step 3",
        "“The work” goes on from step 3. 2 done steps are kept and not done again.",
        "Shipped.",
    ];
    assert_eq!(texts, wanted, "and the message is not sent again");
    assert_eq!((turns[0].body.role, turns[0].body.follows), (Role::User, Some(ended.task_id)));
    assert_eq!(turns[0].body.call_id, Some(outcome.task.call_id));
    let new = task(&anna, task_id).await;
    assert_eq!(new.follows.map(|follows| (follows.task_id, follows.kept)), Some((ended.task_id, 2)));
    assert_eq!((&new.name, new.long_running), (&ended.name, true));
    assert_eq!(task(&anna, ended.task_id).await.followed_by, Some(task_id));
    let audit = anna.audit().await;
    let row = audit.iter().find(|row| row.body.action == "task.continue").unwrap();
    assert_eq!(row.body.target, Some(ended.task_id.to_string()));
    assert_eq!(row.body.detail, Some(format!("as task {task_id}")));
}

/// Two windows at once, and one that presses again later.
#[imperal::test]
async fn a_task_is_gone_on_from_once() {
    let (_platform, anna, log, ended) = failed().await;
    let access = anna.access();
    let press = || access.continue_task(ended.task_id, None, None);
    let (first, second, third) = tokio::join!(press(), press(), press());
    let first = first.unwrap().task.task_id;
    assert_eq!([second.unwrap().task.task_id, third.unwrap().task.task_id], [first; 2]);
    anna.outcome(first).await.assert_success();
    let again = press().await.unwrap();
    assert_eq!((again.task.task_id, again.task.state, again.repeated), (first, TaskState::Succeeded, true));
    let keyed = access.continue_task(ended.task_id, Some(3), Some(&RequestKey::generate())).await.unwrap();
    assert_eq!((keyed.task.task_id, keyed.repeated), (first, true), "whatever the key");
    assert_eq!(log.count("charge"), 2);
    assert_eq!(said(&anna, Role::User, "Go on with").await, 1, "one call");
    // Another place would be a second task with the same effects.
    let elsewhere = access.continue_task(ended.task_id, Some(1), None).await.unwrap_err();
    assert_eq!(*elsewhere.code(), "NOT_CONTINUABLE");
    assert!(elsewhere.message().contains(&first.to_string()), "{elsewhere}");
}

#[imperal::test]
async fn a_task_goes_on_from_an_earlier_step() {
    let (_platform, anna, log, ended) = failed().await;
    let task_id = anna.continue_from(ended.task_id, 2).await;
    anna.outcome(task_id).await.assert_success();
    assert_eq!(log.counts("part", [1, 2]), [1, 2]);
    assert_eq!(said(&anna, Role::Bot, "Halfway.").await, 2, "the message came after the second part");
    let follows = task(&anna, task_id).await.follows;
    assert_eq!(follows, Some(Follows::going_on(ended.task_id, 1, 1)));
}

/// Services recognise the requests of a task that goes on, and not those of one that runs again.
#[imperal::test]
async fn a_task_that_goes_on_has_the_keys_of_the_ended_one() {
    let (platform, anna, log, ended) = failed().await;
    anna.outcome(anna.continue_from(ended.task_id, 1).await).await.assert_success();
    let task_id = anna.run_again(ended.task_id).await;
    anna.outcome(task_id).await.assert_success();
    assert_eq!(log.counts("part", [1, 2]), [3, 3]);
    let keys = keys(&platform, "https://parts.example");
    assert_eq!(keys.len(), 6);
    assert_eq!(keys[..2], keys[2..4], "it goes on");
    assert!(keys[4..].iter().all(|key| !keys[..4].contains(key)), "it runs again");
    assert_eq!(said(&anna, Role::Bot, "“The work” runs again from the start.").await, 1);
    assert_eq!(task(&anna, task_id).await.follows, Some(Follows::running_again(ended.task_id)));
}

#[imperal::test]
async fn a_task_runs_again_once_for_each_key() {
    let (_platform, anna, _, ended) = failed().await;
    let access = anna.access();
    let (a, b) = (RequestKey::generate(), RequestKey::generate());
    let run = async |key: Option<&RequestKey>| {
        let followed = access.run_again(ended.task_id, key).await.unwrap();
        anna.outcome(followed.task.task_id).await.assert_success();
        (followed.task.task_id, followed.repeated)
    };
    let first = run(None).await;
    assert_eq!(run(None).await, (first.0, true));
    let second = run(Some(&a)).await;
    assert_eq!(run(Some(&a)).await, (second.0, true));
    let third = run(Some(&b)).await;
    assert!(first.0 != second.0 && second.0 != third.0 && first.0 != third.0);
    // A success can run again, and nothing is left to go on with.
    let refused = access.continue_task(first.0, None, None).await.unwrap_err();
    assert_eq!(*refused.code(), "NOT_CONTINUABLE");
    assert!(refused.message().contains("run it again"), "{refused}");
    anna.outcome(anna.run_again(first.0).await).await.assert_success();
}
