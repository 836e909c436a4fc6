//! A read that answers at once is written together with its reply: one transaction, and all that P8 promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use imperal::codes;
use imperal::ids::RequestKey;
use imperal::ledger::{Role, Turn};
use imperal::platform::CallReply;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use serde_json::{Value, json};

use super::lost_answers::LosesAnswers;

struct Looks(Arc<AtomicUsize>);

/// Counts the stray tasks that have ended.
struct Strays(Arc<AtomicUsize>);

#[derive(Deserialize, JsonSchema)]
struct Look {
    /// Milliseconds until it answers.
    #[serde(default)]
    after: u64,
    /// Say something into the chat first.
    #[serde(default)]
    aloud: bool,
    /// Leave a task behind that says something.
    #[serde(default)]
    stray: bool,
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    number: usize,
}

/// Look, and count the looks.
#[chat_function(action_type = "read")]
async fn look(ctx: Context, params: Look) -> Result<ActionResult<Seen>> {
    let number = ctx.state::<Looks>()?.0.fetch_add(1, Ordering::SeqCst) + 1;
    if params.stray {
        let (strays, ctx) = (ctx.state::<Strays>()?.0.clone(), ctx.clone());
        tokio::spawn(async move {
            assert!(ctx.deliver_chat_message("I stray.").await.is_err());
            strays.fetch_add(1, Ordering::SeqCst);
        });
    }
    if params.aloud {
        ctx.deliver_chat_message("I look.").await?;
    }
    if params.after > 0 {
        tokio::time::sleep(Duration::from_millis(params.after)).await;
    }
    Ok(ActionResult::success(Seen { number }, format!("Look number {number}.")))
}

struct Scene {
    ledger: Arc<LosesAnswers>,
    looks: Arc<AtomicUsize>,
    strays: Arc<AtomicUsize>,
    platform: TestPlatform,
}

impl Scene {
    async fn start() -> Self {
        let (ledger, looks) = (Arc::new(LosesAnswers::default()), Arc::new(AtomicUsize::new(0)));
        let setup = TestPlatform::setup().ledger(ledger.clone());
        let strays = Arc::new(AtomicUsize::new(0));
        let platform = setup.state(Looks(looks.clone())).state(Strays(strays.clone())).start().await;
        Self { ledger, looks, strays, platform }
    }

    /// Numbers of calls that were written before their reply, and with it.
    fn written(&self) -> (u32, u32) {
        (self.ledger.accepted.load(Ordering::SeqCst), self.ledger.answered.load(Ordering::SeqCst))
    }
}

async fn look_under(user: &TestUser, key: &str, params: Value) -> Result<CallReply> {
    let key: RequestKey = key.parse().unwrap();
    user.access().call_once(&key, "promises", "look", params).await
}

fn texts(turns: &[Turn]) -> Vec<(Role, &str)> {
    turns.iter().map(|turn| (turn.body.role, turn.body.text.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn quick_read_is_one_transaction() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let reply = anna.call("look", json!({})).await.unwrap();
    assert_eq!((reply.result.summary.as_str(), reply.repeated), ("Look number 1.", false));
    assert_eq!(scene.written(), (0, 1));
    let turns = anna.turns().await;
    assert_eq!(texts(&turns), [(Role::User, "look"), (Role::Bot, "Look number 1.")]);
    assert_eq!(turns[1], reply.turn);
}

/// It is in the chat while it runs, so a crash cannot lose it.
#[tokio::test(start_paused = true)]
async fn slow_read_is_written_while_it_runs() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let call = tokio::spawn({
        let anna = anna.clone();
        async move { anna.call("look", json!({"after": 60_000})).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(texts(&anna.turns().await), [(Role::User, "look")]);
    assert_eq!(call.await.unwrap().result.summary, "Look number 1.");
    assert_eq!(scene.written(), (1, 0));
    assert_eq!(anna.turns().await.len(), 2);
}

/// A surface that writes for the call finds it in the ledger.
#[tokio::test(start_paused = true)]
async fn read_is_written_before_its_first_message() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    anna.call("look", json!({"aloud": true})).await.unwrap();
    assert_eq!(scene.written(), (1, 0));
    let turns = anna.turns().await;
    let asked = turns.iter().position(|turn| turn.body.role == Role::User);
    let said = turns.iter().position(|turn| turn.body.text == "I look.");
    assert_eq!((asked, turns.len()), (Some(0), 3));
    assert!(said > asked);
}

#[tokio::test(start_paused = true)]
async fn write_is_written_before_its_handler() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    anna.call("dawdle", json!({})).await.unwrap();
    assert_eq!(scene.written(), (1, 0));
}

/// The write's answer is lost, before or after it was written: the caller gets the reply, and the chat has it once.
#[tokio::test(start_paused = true)]
async fn read_with_lost_answers_is_written_once() {
    for (to_lose, to_forget) in [(1, 0), (0, 1), (1, 1)] {
        let scene = Scene::start().await;
        let anna = scene.platform.user("anna");
        scene.ledger.to_lose.store(to_lose, Ordering::SeqCst);
        scene.ledger.to_forget.store(to_forget, Ordering::SeqCst);
        let reply = look_under(&anna, "k", json!({})).await.unwrap();
        assert_eq!((reply.result.summary.as_str(), reply.repeated), ("Look number 1.", false));
        let lost = (scene.ledger.to_lose.load(Ordering::SeqCst), scene.ledger.to_forget.load(Ordering::SeqCst));
        assert_eq!(lost, (0, 0), "no answer was lost");
        let turns = anna.turns().await;
        assert_eq!(texts(&turns), [(Role::User, "look"), (Role::Bot, "Look number 1.")]);
        assert_eq!(turns[1], reply.turn);
    }
}

/// A refused read leaves nothing, whether it was quick or slow, and the next one works.
#[tokio::test(start_paused = true)]
async fn refused_read_leaves_nothing() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    for after in [0, 60_000] {
        scene.ledger.calls_to_refuse.store(1, Ordering::SeqCst);
        let begun = tokio::time::Instant::now();
        let refused = look_under(&anna, "k", json!({"after": after})).await.unwrap_err();
        assert_eq!(*refused.code(), codes::UNAVAILABLE);
        assert!(begun.elapsed() < Duration::from_secs(1), "its handler went on");
        assert_eq!(anna.turns().await, []);
    }
    assert!(!look_under(&anna, "k", json!({})).await.unwrap().repeated);
    assert_eq!(anna.turns().await.len(), 2);
}

/// A clone of its context is refused too, and waits for nothing.
#[tokio::test(start_paused = true)]
async fn stray_task_of_a_refused_read_ends() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    scene.ledger.calls_to_refuse.store(1, Ordering::SeqCst);
    look_under(&anna, "k", json!({"stray": true})).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.strays.load(Ordering::SeqCst), 1);
    assert_eq!(anna.turns().await, []);
}

/// Requests under one key on two nodes, quick and slow: one call, one reply, and each request gets it.
#[tokio::test(start_paused = true)]
async fn racing_reads_under_one_key_are_one_call() {
    for after in [0, 1, 4, 5, 6, 50, 20_000] {
        let scene = Scene::start().await;
        let setup = TestPlatform::setup().settings(|settings| settings.node = "other".into());
        let other = setup
            .on_ledger_of(&scene.platform)
            .state(Looks(scene.looks.clone()))
            .state(Strays(scene.strays.clone()))
            .start()
            .await;
        let params = json!({"after": after});
        let requests = (0..8).map(|number| {
            let anna = if number % 2 == 0 { &scene.platform } else { &other }.user("anna");
            let params = params.clone();
            tokio::spawn(async move { look_under(&anna, "k", params).await.unwrap() })
        });
        let mut replies = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            replies.push(request.await.unwrap());
        }
        let anna = other.user("anna");
        replies.push(look_under(&anna, "k", params).await.unwrap());
        let turns = anna.turns().await;
        assert_eq!(turns.len(), 2, "after {after} ms: {turns:?}");
        assert_eq!(replies.iter().filter(|reply| !reply.repeated).count(), 1, "after {after} ms");
        assert!(replies.iter().all(|reply| reply.turn == turns[1]), "after {after} ms");
    }
}

/// The key of a read that is not written yet is used for a write: one of the two has it.
#[tokio::test(start_paused = true)]
async fn key_of_a_running_read_belongs_to_one_request() {
    for after in [0, 3, 50] {
        let scene = Scene::start().await;
        let anna = scene.platform.user("anna");
        let read = tokio::spawn({
            let anna = anna.clone();
            async move { look_under(&anna, "k", json!({"after": after})).await }
        });
        tokio::task::yield_now().await;
        let key: RequestKey = "k".parse().unwrap();
        let write = anna.access().call_once(&key, "promises", "dawdle", json!({})).await;
        let outcomes = [read.await.unwrap(), write];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let refused = outcomes.into_iter().find_map(Result::err).unwrap();
        assert_eq!(*refused.code(), codes::KEY_REUSED);
        assert_eq!(anna.turns().await.len(), 2);
    }
}
