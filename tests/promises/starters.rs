//! A call of a function that is marked `starter` is written with the start of its task: one transaction, and all that
//! P6, P7 and P8 promise.

mod refused;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imperal::codes;
use imperal::ids::{CallId, RequestKey};
use imperal::ledger::{Role, TaskState};
use imperal::platform::CallReply;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup, TestUser};
use serde_json::{Value, json};

use super::lost_answers::LosesAnswers;

/// How often handlers and bodies began.
#[derive(Default)]
struct Begun {
    handlers: AtomicUsize,
    bodies: AtomicUsize,
    /// The call of the latest handler.
    call: Mutex<Option<CallId>>,
}

#[derive(Deserialize, JsonSchema)]
struct Send {
    /// Milliseconds before it starts its tasks.
    #[serde(default)]
    after: u64,
    /// How many tasks it starts at once.
    #[serde(default = "one")]
    tasks: usize,
    /// The key of its tasks.
    key: Option<String>,
    /// How long the tasks take.
    #[serde(default)]
    minutes: u64,
    /// Milliseconds after the starts.
    #[serde(default)]
    linger: u64,
    #[serde(default)]
    then: Then,
}

/// The rest of the handler, after its starts began.
#[derive(Deserialize, JsonSchema, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Then {
    /// It waits for them.
    #[default]
    Wait,
    /// It gives them up at once, and answers.
    GiveUp,
    /// It answers with an error after them.
    Fail,
    /// It looks for the running task under the key after them.
    Look,
    /// It says so in the chat after them.
    Say,
    /// Its task writes, and starts another one.
    Enclose,
    /// It leaves something behind that says so in the chat after a second.
    Haunt,
}

fn one() -> usize {
    1
}

/// Send letters in the background.
#[chat_function(action_type = "write", event = "letters_sent", effects = ["create:letter"], starter)]
async fn send_letters(ctx: Context, params: Send) -> Result<ActionResult> {
    let begun = ctx.state::<Arc<Begun>>()?.clone();
    *begun.call.lock().unwrap() = Some(ctx.call_id());
    begun.handlers.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(params.after)).await;
    let starts = (0..params.tasks).map(|_| {
        let begun = begun.clone();
        let with_envelope = params.then == Then::Enclose;
        let start = ctx.background_task(move |ctx| async move {
            begun.bodies.fetch_add(1, Ordering::SeqCst);
            if with_envelope {
                ctx.deliver_chat_message("In an envelope.").await?;
                ctx.background_task(|_| async { Ok(ActionResult::done("With a stamp.")) }).await?;
            }
            tokio::time::sleep(Duration::from_secs(60 * params.minutes)).await;
            Ok(ActionResult::done("Sent."))
        });
        match &params.key {
            Some(key) => start.key(key.clone()),
            None => start,
        }
        .into_future()
    });
    let mut starting = std::pin::pin!(futures_util::future::join_all(starts));
    if params.then == Then::GiveUp {
        assert!(futures_util::poll!(&mut starting).is_pending());
        return Ok(ActionResult::done("Rather not."));
    }
    let refused = starting.await.into_iter().filter_map(Result::err).map(|error| error.code().to_string());
    let refused: Vec<_> = refused.collect();
    if params.then == Then::Haunt {
        let ctx = ctx.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ctx.deliver_chat_message("A ghost.").await
        });
    }
    if params.then == Then::Look {
        let running = ctx.running_task(params.key.as_deref().unwrap_or_default()).await?;
        return Ok(ActionResult::done(format!("Running: {}.", running.is_some())));
    }
    if params.then == Then::Say {
        ctx.deliver_chat_message("On its way.").await?;
    }
    tokio::time::sleep(Duration::from_millis(params.linger)).await;
    if params.then == Then::Fail {
        return Err(Error::user("NO_PAPER", "There is no paper."));
    }
    Ok(ActionResult::done(format!("Refused: {refused:?}.")))
}

struct Scene {
    ledger: Arc<LosesAnswers>,
    begun: Arc<Begun>,
    platform: TestPlatform,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with(|setup| setup).await
    }

    async fn start_with(change: impl FnOnce(TestSetup) -> TestSetup) -> Self {
        let (ledger, begun) = (Arc::new(LosesAnswers::default()), Arc::new(Begun::default()));
        let setup = change(TestPlatform::setup().ledger(ledger.clone())).state(begun.clone());
        Self { ledger, begun, platform: setup.start().await }
    }

    /// Numbers of calls that were written before their reply, of those that were written with it, and of starts that
    /// were written alone.
    fn written(&self) -> (u32, u32, u32) {
        let of = |count: &std::sync::atomic::AtomicU32| count.load(Ordering::SeqCst);
        (of(&self.ledger.accepted), of(&self.ledger.answered), of(&self.ledger.started))
    }

    fn begun(&self) -> (usize, usize) {
        (self.begun.handlers.load(Ordering::SeqCst), self.begun.bodies.load(Ordering::SeqCst))
    }
}

async fn send_under(user: &TestUser, key: &str, params: Value) -> Result<CallReply> {
    let key: RequestKey = key.parse().unwrap();
    user.access().call_once(&key, "promises", "send_letters", params).await
}

/// The user's turns, once nothing runs any more.
async fn settled(user: &TestUser) -> Vec<(Role, String)> {
    tokio::time::sleep(Duration::from_secs(10)).await;
    user.turns().await.into_iter().map(|turn| (turn.body.role, turn.body.text)).collect()
}

fn sent() -> Vec<(Role, String)> {
    let said = |role, text: &str| (role, text.to_owned());
    vec![said(Role::User, "send_letters"), said(Role::Bot, "Refused: []."), said(Role::Bot, "Sent.")]
}

#[tokio::test(start_paused = true)]
async fn call_is_written_with_its_task() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({})).await.unwrap();
    assert_eq!(scene.written(), (0, 1, 0));
    assert_eq!(settled(&anna).await, sent());
    assert_eq!(scene.begun(), (1, 1));
}

/// An error of the handler does not take its task back.
#[tokio::test(start_paused = true)]
async fn failed_starter_is_written_with_its_task() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let reply = anna.call("send_letters", json!({"then": "fail"})).await.unwrap();
    assert_eq!(reply.result.error_code.map(|code| code.to_string()).as_deref(), Some("NO_PAPER"));
    assert_eq!(scene.written(), (0, 1, 0));
    assert_eq!((settled(&anna).await.len(), scene.begun()), (3, (1, 1)));
}

/// A surface that the handler uses after a start finds the task in the ledger.
#[tokio::test(start_paused = true)]
async fn surfaces_after_a_start_wait_for_it() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let look = json!({"key": "letters", "minutes": 1, "then": "look"});
    assert_eq!(anna.call("send_letters", look).await.unwrap().result.summary, "Running: true.");
    assert_eq!(scene.written(), (1, 0, 0));
    let said = anna.call("send_letters", json!({"then": "say"})).await.unwrap();
    assert_eq!((said.result.summary.as_str(), scene.written()), ("Refused: [].", (2, 0, 0)));
}

/// The task runs when its caller has the reply: a cancel reaches it.
#[tokio::test(start_paused = true)]
async fn task_can_be_cancelled_from_its_reply_on() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    for _ in 0..20 {
        anna.call("send_letters", json!({"minutes": 5})).await.unwrap();
        let task = anna.access().recent_tasks(1).await.unwrap().remove(0);
        anna.access().cancel(task.task_id).await.unwrap();
        // Without the cancel's grace period it would end at the next renewal of the lease, at the earliest.
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert_eq!(anna.access().recent_tasks(1).await.unwrap()[0].state, TaskState::Cancelled);
    }
}

/// A task that has ended before the reply ends with it.
#[tokio::test(start_paused = true)]
async fn reply_is_written_with_the_end_of_a_task() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    for (tasks, to_lose) in [(1, 0), (1, 2), (3, 0)] {
        scene.ledger.replied_with_end.store(0, Ordering::SeqCst);
        let before = anna.turns().await.len();
        let call = tokio::spawn({
            let anna = anna.clone();
            async move { anna.call("send_letters", json!({"tasks": tasks, "linger": 1_000})).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(anna.turns().await.len(), before + 1, "an outcome came before the reply");
        scene.ledger.to_lose.store(to_lose, Ordering::SeqCst);
        let reply = call.await.unwrap();
        // Its answer is lost: the caller gets an error, and the chat has the reply.
        assert_eq!(reply.is_err(), to_lose > 0);
        let turns = settled(&anna).await;
        assert_eq!(turns.len(), before + 2 + tasks);
        assert_eq!(turns[before..before + 3], sent());
        assert_eq!(scene.ledger.replied_with_end.load(Ordering::SeqCst), 1);
        let states: Vec<_> = anna.access().recent_tasks(9).await.unwrap().into_iter().map(|task| task.state).collect();
        assert!(states.iter().all(|state| *state == TaskState::Succeeded), "{states:?}");
    }
}

/// Only the first start of several is written with the call.
#[tokio::test(start_paused = true)]
async fn later_tasks_are_written_alone() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"tasks": 3})).await.unwrap();
    assert_eq!(scene.written(), (1, 0, 2));
    assert_eq!(settled(&anna).await.len(), 5);
    assert_eq!(scene.begun(), (1, 3));
}

/// A crash while it waits cannot lose it.
#[tokio::test(start_paused = true)]
async fn slow_starter_is_written_while_it_runs() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let call = tokio::spawn({
        let anna = anna.clone();
        async move { anna.call("send_letters", json!({"after": 5_000})).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(anna.turns().await.len(), 1);
    call.await.unwrap().unwrap();
    assert_eq!(scene.written(), (1, 0, 1));
    assert_eq!(settled(&anna).await, sent());
}

#[tokio::test(start_paused = true)]
async fn starter_without_a_task_is_one_transaction() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"tasks": 0})).await.unwrap();
    assert_eq!(scene.written(), (0, 1, 0));
    assert_eq!(settled(&anna).await[..], sent()[..2]);
}

/// The write's answer is lost, before or after it was written: one call, one task, one outcome.
#[tokio::test(start_paused = true)]
async fn starter_with_lost_answers_starts_once() {
    for (to_lose, to_forget) in [(1, 0), (0, 1), (1, 1)] {
        let scene = Scene::start().await;
        let anna = scene.platform.user("anna");
        scene.ledger.to_lose.store(to_lose, Ordering::SeqCst);
        scene.ledger.to_forget.store(to_forget, Ordering::SeqCst);
        let reply = send_under(&anna, "k", json!({})).await.unwrap();
        assert!(!reply.repeated);
        let lost = (scene.ledger.to_lose.load(Ordering::SeqCst), scene.ledger.to_forget.load(Ordering::SeqCst));
        assert_eq!(lost, (0, 0), "no answer was lost");
        assert_eq!(settled(&anna).await, sent());
        assert_eq!((scene.begun(), scene.written().2), ((1, 1), 0));
        let tasks = anna.access().recent_tasks(9).await.unwrap();
        assert_eq!(tasks.iter().map(|task| task.state).collect::<Vec<_>>(), [TaskState::Succeeded]);
    }
}

/// It leaves nothing: no call, and no task that runs.
#[tokio::test(start_paused = true)]
async fn refused_starter_leaves_nothing() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    for after in [0, 60_000] {
        scene.ledger.calls_to_refuse.store(1, Ordering::SeqCst);
        let refused = send_under(&anna, "k", json!({"after": after})).await.unwrap_err();
        assert_eq!(*refused.code(), codes::UNAVAILABLE);
        assert_eq!(settled(&anna).await, []);
    }
    assert_eq!(scene.begun(), (2, 0));
    assert!(!send_under(&anna, "k", json!({})).await.unwrap().repeated);
    assert_eq!(settled(&anna).await, sent());
}

/// A start that its handler no longer waits for goes on, as it does for every other call.
#[tokio::test(start_paused = true)]
async fn start_that_is_given_up_goes_on() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let reply = anna.call("send_letters", json!({"then": "give_up"})).await.unwrap();
    assert_eq!(reply.result.summary, "Rather not.");
    assert_eq!((settled(&anna).await.len(), scene.begun()), (3, (1, 1)));
    assert_eq!(anna.access().recent_tasks(9).await.unwrap()[0].state, TaskState::Succeeded);
    assert_eq!(anna.call("send_letters", json!({})).await.unwrap().result.summary, "Refused: [].");
}

/// Requests under one key on two nodes, quick and slow: one call, one task, and each request gets the reply.
#[tokio::test(start_paused = true)]
async fn racing_starters_under_one_key_start_one_task() {
    for after in [0, 1, 4, 5, 6, 50] {
        let scene = Scene::start().await;
        let setup = TestPlatform::setup().settings(|settings| settings.node = "other".into());
        let other = setup.on_ledger_of(&scene.platform).state(scene.begun.clone()).start().await;
        let requests = (0..8).map(|number| {
            let anna = if number % 2 == 0 { &scene.platform } else { &other }.user("anna");
            tokio::spawn(async move { send_under(&anna, "k", json!({"after": after})).await.unwrap() })
        });
        let mut replies = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            replies.push(request.await.unwrap());
        }
        let anna = other.user("anna");
        assert_eq!(settled(&anna).await, sent(), "after {after} ms");
        assert_eq!(scene.begun().1, 1, "after {after} ms");
        assert_eq!(replies.iter().filter(|reply| !reply.repeated).count(), 1, "after {after} ms");
        assert!(replies.iter().all(|reply| reply.turn == replies[0].turn), "after {after} ms");
    }
}

/// The ledger answers after the caller's deadline: a task whose handler still ran does not, and nothing is left open.
#[tokio::test(start_paused = true)]
async fn task_that_is_written_too_late_does_not_run() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    scene.ledger.slow_starts.store(true, Ordering::SeqCst);
    let slow = json!({"linger": 1_000});
    let refused = send_under(&anna, "k", slow.clone()).await.unwrap_err();
    assert_eq!(*refused.code(), codes::UNAVAILABLE);
    scene.ledger.slow_starts.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.begun(), (1, 0));
    let states: Vec<_> = anna.access().recent_tasks(9).await.unwrap().into_iter().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Reclaimed]);
    assert_eq!(settled(&anna).await.len(), 3, "the call, its reply, the end of the task");
    assert!(send_under(&anna, "k", slow).await.unwrap().repeated);
    assert_eq!(anna.call("send_letters", json!({})).await.unwrap().result.summary, "Refused: [].");
    // The repeated request was deferred too, so its handler began.
    assert_eq!((settled(&anna).await.len(), scene.begun()), (6, (3, 1)));
}

/// One whose reply was written with it does: a repeated request finds both.
#[tokio::test(start_paused = true)]
async fn starter_that_is_written_late_is_whole() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    scene.ledger.slow_starts.store(true, Ordering::SeqCst);
    let enclose = json!({"then": "enclose"});
    let refused = send_under(&anna, "k", enclose.clone()).await.unwrap_err();
    assert_eq!(*refused.code(), codes::UNAVAILABLE);
    scene.ledger.slow_starts.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut turns: Vec<_> = settled(&anna).await.into_iter().map(|(_, text)| text).collect();
    turns[2..].sort();
    let written = ["send_letters", "Refused: [].", "In an envelope.", "Sent.", "With a stamp."];
    assert_eq!((scene.begun(), turns), ((1, 1), written.map(str::to_owned).to_vec()));
    let again = send_under(&anna, "k", enclose).await.unwrap();
    assert_eq!((again.repeated, again.result.summary.as_str()), (true, "Refused: []."));
}

/// Another function has the key: the starter's task does not run on behalf of its call.
#[tokio::test(start_paused = true)]
async fn starter_that_gave_way_starts_nothing() {
    for after in [1, 3] {
        let scene = Scene::start().await;
        let anna = scene.platform.user("anna");
        let starter = tokio::spawn({
            let anna = anna.clone();
            async move { send_under(&anna, "k", json!({"after": after})).await }
        });
        tokio::task::yield_now().await;
        let key: RequestKey = "k".parse().unwrap();
        let write = anna.access().call_once(&key, "promises", "dawdle", json!({})).await;
        write.unwrap();
        assert_eq!(*starter.await.unwrap().unwrap_err().code(), codes::KEY_REUSED);
        assert_eq!((settled(&anna).await.len(), scene.begun()), (2, (1, 0)));
    }
}
