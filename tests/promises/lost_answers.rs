//! A ledger that loses answers or is unavailable: the platform repeats a write until its outcome is known,
//! and the write takes effect once.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imperal::ids::{CallId, DraftId};
use imperal::ledger::contract::{Calls, Chat, Drafts, Leases, Recovery, Tasks};
use imperal::ledger::{DraftPiece, NewCall, NewTask, Owner, PageLimit, Role, StepKind, TaskState, TurnBody, Work};
use imperal::platform::{Answered, Settings};
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

mod ledger;

pub(crate) use ledger::LosesAnswers;

#[derive(Deserialize, JsonSchema)]
struct Say {
    /// In a background task, after a while.
    later: bool,
}

/// Say something into the chat.
#[chat_function(action_type = "write", event = "said", effects = ["create:turn"])]
async fn say(ctx: Context, params: Say) -> Result<ActionResult> {
    if params.later {
        ctx.background_task(|ctx| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ctx.deliver_chat_message("announcement").await?;
            Ok(ActionResult::done("Said."))
        })
        .long_running(true)
        .await?;
    } else {
        ctx.deliver_chat_message("announcement").await?;
    }
    Ok(ActionResult::done("Well."))
}

/// Start work that says when it is done, and take a minute to say so.
#[chat_function(action_type = "write", event = "begun", effects = ["update:work"])]
async fn begin(ctx: Context, params: Begin) -> Result<ActionResult> {
    let done = ctx.state::<Arc<AtomicU32>>()?.clone();
    ctx.background_task(move |ctx| async move {
        let held = (ctx.clone(), done.clone());
        let _ = ctx.on_cancel(move |_| async move {
            drop(held);
            Ok(())
        });
        tokio::time::sleep(Duration::from_secs(params.seconds)).await;
        done.fetch_add(1, Ordering::SeqCst);
        Ok(ActionResult::done("Done."))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(ActionResult::done("Begun."))
}

/// Report twice in the background, and take a minute to say so.
#[chat_function(action_type = "write", event = "reported", effects = ["update:work"])]
async fn report_twice(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.progress(10, "first").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        ctx.progress(90, "last").await?;
        Ok(ActionResult::done("Done."))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(ActionResult::done("Begun."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Begin {
    /// How long the work takes.
    seconds: u64,
}

/// The call, its task and a message each lose one answer. The first try has written the row, the second is
/// refused as already written, and the user sees one of each.
#[tokio::test(start_paused = true)]
async fn call_and_task_with_lost_answers_are_written_once() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    for to_lose in [1, 2] {
        ledger.to_lose.store(to_lose, Ordering::SeqCst);
        let task_id = anna.start("nap", json!({"seconds": 5})).await;
        assert_eq!(ledger.to_lose.load(Ordering::SeqCst), 0, "it was tried again");
        assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
        assert_eq!(anna.outcomes(task_id).await.len(), 1);
        let turns = anna.turns().await;
        let of_call = turns.iter().filter(|turn| turn.body.call_id == turns[turns.len() - 1].body.call_id);
        let asked = of_call.clone().filter(|turn| turn.body.role == Role::User).count();
        assert_eq!((asked, of_call.count()), (1, 3), "asked, acknowledged, ended: {turns:?}");
        let tasks = anna.access().recent_tasks(10).await.unwrap();
        assert_eq!(tasks.len(), usize::try_from(to_lose).unwrap());
    }
}

/// A task's message waits for the ledger and is written once; a handler gets the error at once.
#[tokio::test(start_paused = true)]
async fn message_of_a_task_waits_for_an_unavailable_ledger() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("say", json!({"later": true})).await;
    // For longer than the liveness window, which must not count this wait.
    ledger.to_refuse.store(90, Ordering::SeqCst);
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    assert_eq!(ledger.to_refuse.load(Ordering::SeqCst), 0, "it was tried again");
    let said = anna.turns().await.iter().filter(|turn| turn.body.text == "announcement").count();
    assert_eq!(said, 1);

    // The ledger never returns, and the task's time limit ends the wait.
    let task_id = anna.start("say", json!({"later": true})).await;
    ledger.to_refuse.store(u32::MAX, Ordering::SeqCst);
    assert_eq!(anna.end_of(task_id).await.state, TaskState::TimedOut);

    let answer = anna.call("say", json!({"later": false})).await.unwrap().result;
    assert_eq!(answer.error_code, Some(imperal::codes::UNAVAILABLE), "{answer:?}");
}

/// Pay, and end without waiting for the outcome.
#[durable_task]
async fn pay(ctx: TaskContext, ends: bool) -> Result<ActionResult> {
    let done = AtomicU32::new(0);
    let mut paid = ctx.effect("pay", async |_, _| Ok(done.fetch_add(1, Ordering::SeqCst))).into_future();
    // Polled to the end of the closure, then dropped.
    while done.load(Ordering::SeqCst) == 0 {
        tokio::select! { biased; _ = &mut paid => break, () = tokio::task::yield_now() => {} }
    }
    drop(paid);
    if ends { Ok(ActionResult::done("Paid.")) } else { Err(Error::user("NO", "Failed.")) }
}

/// Start to pay in the background.
#[chat_function(action_type = "write", event = "paid", effects = ["create:payment"])]
async fn start_paying(ctx: Context, params: Pays) -> Result<ActionResult> {
    ctx.durable_task(pay::with(params.ends)).await?;
    Ok(ActionResult::done("Paying."))
}

#[derive(Deserialize, JsonSchema)]
struct Pays {
    /// Whether it succeeds.
    ends: bool,
}

/// The body has ended, and the ledger is unavailable for longer than the work stays registered.
#[tokio::test(start_paused = true)]
async fn what_became_of_an_effect_waits_for_an_unavailable_ledger() {
    for (ends, times) in [(true, 2), (false, 12)] {
        let ledger = Arc::new(LosesAnswers::default());
        let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
        let anna = platform.user("anna");
        ledger.results_to_refuse.store(times, Ordering::SeqCst);
        let task_id = anna.start("start_paying", json!({"ends": ends})).await;
        let task = anna.end_of(task_id).await;
        assert_eq!(ledger.results_to_refuse.load(Ordering::SeqCst), 0, "it was tried again");
        assert_eq!((task.state == TaskState::Succeeded, task.open_effects), (ends, 0));
        let rows = anna.access().steps(task_id, 0, 10).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.kind).collect::<Vec<_>>(), [StepKind::Intent, StepKind::Effect]);
    }
}

/// The ledger takes its time for the first report of a task, and the task ends meanwhile.
#[tokio::test(start_paused = true)]
async fn a_late_report_does_not_replace_the_last_one() {
    let ledger = Arc::new(LosesAnswers::default());
    ledger.late_reports.store(1, Ordering::SeqCst);
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    anna.call("report_twice", json!({})).await.unwrap();
    let [task] = &anna.access().recent_tasks(10).await.unwrap()[..] else { panic!("one task was started") };
    let task = anna.end_of(task.task_id).await;
    assert_eq!(ledger.late_reports.load(Ordering::SeqCst), 0, "a report was late");
    assert_eq!((task.percent, task.message.as_deref()), (Some(90.0), Some("last")));
}

/// There is more orphaned work than a slow ledger accepts at once; the start repeats while it makes progress.
#[tokio::test(start_paused = true)]
async fn start_settles_more_orphans_than_fit_in_one_pass() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let mut left = Vec::new();
    for _ in 0..5 {
        left.push(anna.start("nap", json!({"seconds": 60})).await);
    }
    ledger.to_put_off.store(4, Ordering::SeqCst);
    platform.crash().await;
    assert_eq!(ledger.to_put_off.load(Ordering::SeqCst), 0);
    for task_id in left {
        assert_eq!(anna.end_of(task_id).await.state, TaskState::Reclaimed);
        assert_eq!(anna.outcomes(task_id).await.len(), 1);
    }
}

/// The start continues without that task, and each later recovery pass retries it.
#[tokio::test(start_paused = true)]
async fn unsettleable_task_delays_neither_start_nor_other_tasks() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let stuck = anna.start("nap", json!({"seconds": 60})).await;
    let others = [anna.start("nap", json!({"seconds": 60})).await, anna.start("nap", json!({"seconds": 60})).await];
    ledger.stuck.lock().unwrap().insert(stuck);
    platform.crash().await;
    for task_id in others {
        assert_eq!(anna.end_of(task_id).await.state, TaskState::Reclaimed);
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    let running = ledger.open_tasks(&Owner::new("default", "anna")).await.unwrap();
    assert_eq!(running.iter().map(|task| task.task_id).collect::<Vec<_>>(), [stuck]);

    ledger.stuck.lock().unwrap().clear();
    assert_eq!(anna.end_of(stuck).await.state, TaskState::Reclaimed);
    assert_eq!(anna.outcomes(stuck).await.len(), 1);
}

/// Recovery reads two thousand pieces of work at a time, and the next ones while it settles these.
#[tokio::test(start_paused = true)]
async fn unsettleable_tasks_do_not_hide_later_ones() {
    let ledger = Arc::new(LosesAnswers::default());
    let setup = TestPlatform::setup().settings(|s| (s.tasks_per_user, s.open_tasks_per_user) = (3000, 3000));
    let platform = setup.ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    for _ in 0..2100 {
        let task_id = anna.start("nap", json!({"seconds": 60})).await;
        ledger.stuck.lock().unwrap().insert(task_id);
    }
    let last = anna.start("nap", json!({"seconds": 60})).await;
    platform.crash().await;
    let record = ledger.find_task(last).await.unwrap().unwrap();
    assert_eq!(record.task.state, TaskState::Reclaimed);
}

/// Recovery ends 256 tasks, or replies to 256 calls, in one write, and each keeps up to 64 KiB of its draft.
#[tokio::test(start_paused = true)]
async fn recovery_ends_work_with_long_drafts_in_several_writes() {
    const WORK: usize = 150;
    for tasks in [true, false] {
        let ledger = Arc::new(LosesAnswers::default());
        let dead = ledger.join("dead", Duration::from_secs(15)).await.unwrap();
        let anna = Owner::new("default", "anna");
        let turn = |role| TurnBody::new(role, "nap", "promises");
        let text = "x".repeat(60_000);
        for _ in 0..WORK {
            let call = NewCall::new(CallId::generate(), anna.clone(), turn(Role::User));
            let call_id = call.call_id;
            ledger.accept_call(&dead, call).await.unwrap();
            let work = if tasks {
                let task = ledger.start_task(&dead, NewTask::new(call_id, anna.clone(), "promises", "nap")).await;
                ledger.reply(&dead, call_id, turn(Role::Bot)).await.unwrap();
                Work::Task(task.unwrap().attempt())
            } else {
                Work::Call(call_id)
            };
            let piece = DraftPiece::new(DraftId::generate(), work, 0, &*text);
            ledger.write_drafts(&dead, vec![piece]).await.unwrap();
        }
        ledger.leave(&dead).await.unwrap();
        let _platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
        let largest = ledger.largest_ends.load(Ordering::SeqCst);
        assert!((1 << 20..=4 << 20).contains(&largest), "one write has {largest} bytes of partial texts");
        assert_eq!(ledger.orphans(10).await.unwrap(), []);
        let last = ledger.latest_turns(&anna, None, PageLimit::rows(1)).await.unwrap().rows.remove(0);
        assert_eq!(last.body.partial.as_ref(), Some(&text));
    }
}

/// Calls of these users that a node has left.
async fn leave_calls(ledger: &LosesAnswers, owners: &[Owner], count: usize) -> Vec<(CallId, Owner)> {
    let dead = ledger.join("dead", Duration::from_secs(15)).await.unwrap();
    let mut calls = Vec::new();
    for owner in owners.iter().cycle().take(count) {
        let call_id = CallId::generate();
        let turn = TurnBody::new(Role::User, "nap", "promises").call_id(call_id);
        ledger.accept_call(&dead, NewCall::new(call_id, owner.clone(), turn)).await.unwrap();
        calls.push((call_id, owner.clone()));
    }
    ledger.leave(&dead).await.unwrap();
    calls
}

/// Each call has its reply, and each user as many replies as calls.
async fn assert_replied(ledger: &LosesAnswers, calls: &[(CallId, Owner)]) {
    for (call_id, owner) in calls {
        let reply = ledger.find_call(owner, *call_id).await.unwrap().unwrap().reply.unwrap();
        assert_eq!(reply.body.result.unwrap().error_code.unwrap(), "INTERRUPTED");
        let of_user = calls.iter().filter(|(_, user)| user == owner).count() as u64;
        assert_eq!(ledger.head(owner).await.unwrap(), 2 * of_user);
    }
}

/// A write for each call would keep users waiting for the start.
#[tokio::test(start_paused = true)]
async fn recovery_replies_to_many_calls_in_few_writes() {
    let ledger = Arc::new(LosesAnswers::default());
    let owners: Vec<Owner> = (0..20).map(|n| Owner::new("default", &format!("user-{n}"))).collect();
    let calls = leave_calls(&ledger, &owners, 1000).await;
    let _platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    assert_eq!(ledger.reclaim_writes.load(Ordering::SeqCst), 1);
    assert_replied(&ledger, &calls).await;
}

/// The write of many replies took effect, and recovery cannot know it.
#[tokio::test(start_paused = true)]
async fn recovery_replies_once_when_its_answer_is_lost() {
    let ledger = Arc::new(LosesAnswers::default());
    let owners = [Owner::new("default", "anna"), Owner::new("default", "ben")];
    let calls = leave_calls(&ledger, &owners, 7).await;
    ledger.to_lose.store(1, Ordering::SeqCst);
    let _platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    assert_eq!(ledger.to_lose.load(Ordering::SeqCst), 0);
    assert_replied(&ledger, &calls).await;
}

/// An expiry reads and locks every node's lease, and a grace period counts on one per pass.
#[tokio::test(start_paused = true)]
async fn recovery_expires_leases_once_per_pass() {
    let ledger = Arc::new(LosesAnswers::default());
    let _platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    assert_eq!(ledger.expiries.load(Ordering::SeqCst), 0, "the start expires no lease");
    while ledger.expiries.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let dead = ledger.join("dead", Duration::from_secs(15)).await.unwrap();
    for _ in 0..2100 {
        let asked = TurnBody::new(Role::User, "nap", "promises");
        let call = NewCall::new(CallId::generate(), Owner::new("default", "anna"), asked);
        ledger.accept_call(&dead, call).await.unwrap();
    }
    ledger.leave(&dead).await.unwrap();
    let before = [&ledger.expiries, &ledger.batches].map(|count| count.load(Ordering::SeqCst));
    while !ledger.inner.orphans(1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(ledger.expiries.load(Ordering::SeqCst) - before[0], 1);
    let batches = ledger.batches.load(Ordering::SeqCst) - before[1];
    assert!(batches > 1, "1100 orphans fit into {batches} batches");
}

/// A platform on this ledger with a function's state, and another that replaces it.
async fn lost_in(ledger: Arc<LosesAnswers>, done: &Arc<AtomicU32>, seconds: u64) -> TestPlatform {
    let setup = TestPlatform::setup().settings(renews_often).state(done.clone());
    let first = setup.ledger(ledger).start().await;
    let anna = first.user("anna");
    tokio::spawn(async move { anna.call("begin", json!({"seconds": seconds})).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(TestPlatform::setup().settings(renews_often).on_ledger_of(&first).start().await);
    // Until the first platform has noticed.
    tokio::time::sleep(Duration::from_secs(20)).await;
    first
}

/// The task's row is written, and then its incarnation ends.
#[tokio::test(start_paused = true)]
async fn p9_task_of_an_ended_incarnation_does_not_start() {
    let (ledger, done) = (Arc::new(LosesAnswers::default()), Arc::new(AtomicU32::new(0)));
    ledger.slow_starts.store(true, Ordering::SeqCst);
    let first = lost_in(ledger, &done, 1).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(done.load(Ordering::SeqCst), 0, "work of a life that is over went on");
    let tasks = first.user("anna").access().recent_tasks(10).await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.state).collect::<Vec<_>>(), [TaskState::Reclaimed]);
}

/// A cleanup holds the task's context, which holds the cleanup.
#[tokio::test(start_paused = true)]
async fn work_of_an_ended_incarnation_is_dropped() {
    let (ledger, done) = (Arc::new(LosesAnswers::default()), Arc::new(AtomicU32::new(0)));
    let first = lost_in(ledger, &done, 120).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(done.load(Ordering::SeqCst), 0);
    assert_eq!(Arc::strong_count(&done), 2, "something besides this test and the platform's state holds it");
    drop(first);
}

/// The task has finished and waits for its call's reply, which never comes.
#[tokio::test(start_paused = true)]
async fn task_waiting_for_the_reply_of_a_lost_call_ends_with_it() {
    let (ledger, done) = (Arc::new(LosesAnswers::default()), Arc::new(AtomicU32::new(0)));
    let first = lost_in(ledger, &done, 1).await;
    assert_eq!(done.load(Ordering::SeqCst), 1);
    let begun = tokio::time::Instant::now();
    first.platform().shutdown(Duration::from_secs(10)).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "the platform waited until {:?}", begun.elapsed());
}

/// Ask the user a number.
#[durable_task]
async fn ask_a_number(ctx: TaskContext, _input: ()) -> Result<ActionResult> {
    let number: u32 = ctx.ask("number", "How many?").await?;
    Ok(ActionResult::done(format!("It is {number}.")))
}

/// Start the task that asks.
#[chat_function(action_type = "write", event = "asked", effects = ["update:work"])]
async fn ask(ctx: Context, _params: super::Nothing) -> Result<ActionResult> {
    ctx.durable_task(ask_a_number::with(())).await?;
    Ok(ActionResult::done("Asking."))
}

/// The answers of the ledger to the start, the question, the park and the answer are lost.
#[tokio::test(start_paused = true)]
async fn p19_question_with_lost_answers_is_asked_and_answered_once() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    ledger.to_lose.store(4, Ordering::SeqCst);
    let task_id = anna.start("ask", json!({})).await;
    let question = anna.question(task_id).await;
    assert_eq!(anna.parked(task_id).await.open_questions, 1);
    assert_eq!(ledger.to_lose.swap(1, Ordering::SeqCst), 0, "four answers were lost before");
    let answer = async || anna.access().answer(task_id, Some(question.question_id), json!(7)).await;
    let lost = answer().await.unwrap_err();
    assert_eq!(lost.code().as_str(), "UNAVAILABLE", "the user sends it again");
    assert!(matches!(answer().await, Ok(Answered::Accepted(_))));
    assert_eq!(anna.outcome(task_id).await.turn.body.text, "It is 7.");
    assert_eq!(anna.questions(task_id).await.len(), 1);
    let answers = anna.audit().await.into_iter().filter(|row| row.body.action == "task.answer");
    assert_eq!(answers.count(), 1);
}

/// The settings of a node that notices within seconds that its lease is gone.
fn renews_often(settings: &mut Settings) {
    settings.node = "a".into();
    (settings.lease, settings.renew_every) = (Duration::from_secs(15), Duration::from_secs(5));
}
