//! A call that is repeated with the same key runs once, and every request gets its reply (P8), also after
//! lost answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imperal::codes;
use imperal::ids::RequestKey;
use imperal::ledger::Role;
use imperal::platform::CallReply;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use serde_json::{Value, json};

use super::lost_answers::LosesAnswers;

#[derive(Deserialize, JsonSchema)]
struct Knock {
    seconds: u64,
}

struct Knocks(Arc<AtomicUsize>);

/// Take a while, and count the runs.
#[chat_function(action_type = "write", event = "knocked", effects = ["update:door"])]
async fn knock(ctx: Context, params: Knock) -> Result<ActionResult> {
    let knocks = ctx.state::<Knocks>()?.0.clone();
    let number = knocks.fetch_add(1, Ordering::SeqCst) + 1;
    tokio::time::sleep(Duration::from_secs(params.seconds)).await;
    Ok(ActionResult::done(format!("Knock number {number}.")))
}

fn key(text: &str) -> RequestKey {
    text.parse().unwrap()
}

async fn asked(user: &TestUser, under: &str, params: Value) -> Result<CallReply> {
    user.access().call_once(&key(under), "promises", "knock", params).await
}

/// Numbers of the user's accepted requests and of replies.
async fn taken_and_replied(user: &TestUser) -> (usize, usize) {
    let turns = user.turns().await;
    let taken = turns.iter().filter(|turn| turn.body.role == Role::User).count();
    (taken, turns.len() - taken)
}

/// A node, with a counter of the function's runs.
async fn one_node() -> (Arc<AtomicUsize>, TestPlatform) {
    let knocks = Arc::new(AtomicUsize::new(0));
    let platform = TestPlatform::setup().state(Knocks(knocks.clone())).start().await;
    (knocks, platform)
}

/// Another node on the same ledger.
async fn another_node(first: &TestPlatform, knocks: &Arc<AtomicUsize>) -> TestPlatform {
    let setup = TestPlatform::setup().settings(|settings| settings.node = "other".into()).on_ledger_of(first);
    setup.state(Knocks(knocks.clone())).start().await
}

/// Many concurrent requests on two nodes, and one much later.
#[tokio::test(start_paused = true)]
async fn call_with_a_key_runs_once() {
    let (knocks, first) = one_node().await;
    let second = another_node(&first, &knocks).await;
    let askers = (0..8).map(|number| {
        let anna = if number % 2 == 0 { &first } else { &second }.user("anna");
        tokio::spawn(async move { asked(&anna, "k", json!({"seconds": 20})).await.unwrap() })
    });
    let mut replies = Vec::new();
    for asker in askers.collect::<Vec<_>>() {
        replies.push(asker.await.unwrap());
    }
    let anna = second.user("anna");
    replies.push(asked(&anna, "k", json!({"seconds": 20})).await.unwrap());
    assert_eq!(knocks.load(Ordering::SeqCst), 1);
    assert_eq!(replies.iter().filter(|reply| !reply.repeated).count(), 1);
    assert!(replies.iter().all(|reply| reply.turn == replies[0].turn && reply.call_id == replies[0].call_id));
    assert_eq!(replies[0].result.summary, "Knock number 1.");
    assert_eq!(taken_and_replied(&anna).await, (1, 1));
}

/// Other users can use the same key. The same user cannot use it for another request.
#[tokio::test(start_paused = true)]
async fn key_belongs_to_one_user_and_one_request() {
    let (knocks, platform) = one_node().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    for user in [&anna, &ben, &platform.user_of("elsewhere", "anna")] {
        assert!(!asked(user, "k", json!({"seconds": 0})).await.unwrap().repeated);
    }
    assert!(!asked(&anna, "l", json!({"seconds": 0})).await.unwrap().repeated);
    assert_eq!(knocks.load(Ordering::SeqCst), 4);

    let refused = asked(&anna, "k", json!({"seconds": 1})).await.unwrap_err();
    assert_eq!(*refused.code(), codes::KEY_REUSED);
    let access = anna.access();
    let other = access.call_once(&key("k"), "promises", "dawdle", json!({})).await.unwrap_err();
    assert_eq!(*other.code(), codes::KEY_REUSED);
    assert_eq!((knocks.load(Ordering::SeqCst), taken_and_replied(&anna).await), (4, (2, 2)));
}

/// A repetition after a crash learns that the call was interrupted; the call does not run again.
#[tokio::test(start_paused = true)]
async fn repetition_after_a_crash_says_interrupted() {
    let (knocks, platform) = one_node().await;
    let anna = platform.user("anna");
    let asking = tokio::spawn({
        let anna = anna.clone();
        async move { asked(&anna, "k", json!({"seconds": 60})).await }
    });
    while knocks.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    platform.crash().await;
    asking.abort();
    for _ in 0..2 {
        let reply = asked(&anna, "k", json!({"seconds": 60})).await.unwrap();
        assert_eq!((reply.repeated, reply.result.error_code), (true, Some(codes::INTERRUPTED)));
    }
    assert_eq!((knocks.load(Ordering::SeqCst), taken_and_replied(&anna).await), (1, (1, 1)));
    assert!(!asked(&anna, "l", json!({"seconds": 60})).await.unwrap().repeated, "under a new key it is run again");
}

/// A request that waits for the reply of another one does not delay a stopping node; the call may run on
/// another node.
#[tokio::test(start_paused = true)]
async fn waiting_request_is_refused_when_its_node_stops() {
    let (knocks, first) = one_node().await;
    let second = another_node(&first, &knocks).await;
    let asking = |platform: &TestPlatform| {
        let anna = platform.user("anna");
        tokio::spawn(async move { asked(&anna, "k", json!({"seconds": 60})).await })
    };
    let taken = asking(&first);
    while knocks.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let waiting = asking(&second);
    second.pass(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    second.platform().shutdown(Duration::from_secs(10)).await;
    assert_eq!(*waiting.await.unwrap().unwrap_err().code(), codes::UNAVAILABLE);
    assert!(!taken.is_finished());
    assert_eq!(taken.await.unwrap().unwrap().result.summary, "Knock number 1.");
}

/// The number of waiters and other work of their user do not add reads of the ledger.
#[tokio::test(start_paused = true)]
async fn waiters_for_one_reply_share_one_poll() {
    const WAITING: usize = 20;
    const EVENTS: usize = 100;
    let ledger = Arc::new(LosesAnswers::default());
    let setup = TestPlatform::setup().state(Knocks(Arc::default())).ledger(ledger.clone());
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let asking = (0..=WAITING).map(|_| {
        let anna = anna.clone();
        tokio::spawn(async move { asked(&anna, "k", json!({"seconds": 60})).await.unwrap() })
    });
    let mut asking: Vec<_> = asking.collect();
    platform.pass(Duration::from_secs(1)).await;
    asking.pop().unwrap().abort();
    for _ in 0..EVENTS / 2 {
        anna.call("knock", json!({"seconds": 0})).await.unwrap();
    }
    let refused = asked(&anna, "k", json!({"seconds": 1})).await.unwrap_err();
    assert_eq!(*refused.code(), codes::KEY_REUSED, "at once, also while others wait");
    for asking in asking {
        assert_eq!(asking.await.unwrap().result.summary, "Knock number 1.");
    }
    let looks = usize::try_from(ledger.looks.load(Ordering::SeqCst)).unwrap();
    assert!(looks < 3 * WAITING + 2 * EVENTS, "{looks} looks");
}

/// A request whose first try had an unknown outcome learns whether the call is its own or another request's.
#[tokio::test(start_paused = true)]
async fn request_with_an_unknown_outcome_learns_the_owner_of_the_call() {
    let knocks = Arc::new(AtomicUsize::new(0));
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().state(Knocks(knocks.clone())).ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let spawn = |under: &'static str| {
        let anna = anna.clone();
        tokio::spawn(async move { asked(&anna, under, json!({"seconds": 5})).await.unwrap() })
    };
    // The first try was written, so this request runs the call.
    ledger.to_lose.store(1, Ordering::SeqCst);
    let alone = spawn("alone").await.unwrap();
    assert_eq!((alone.repeated, knocks.load(Ordering::SeqCst)), (false, 1));

    // The first try was not written, and the retry finds the row of another request with the same key.
    ledger.to_forget.store(1, Ordering::SeqCst);
    let unsure = spawn("both");
    while ledger.to_forget.load(Ordering::SeqCst) == 1 {
        tokio::task::yield_now().await;
    }
    let sure = spawn("both");
    let (unsure, sure) = (unsure.await.unwrap(), sure.await.unwrap());
    assert_eq!((unsure.repeated, sure.repeated), (true, false));
    assert_eq!((unsure.turn, knocks.load(Ordering::SeqCst)), (sure.turn, 2));
    assert_eq!(taken_and_replied(&anna).await, (2, 2));
}
