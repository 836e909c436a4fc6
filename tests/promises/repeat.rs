//! Asked again under the same key, a call is run once and every request has its one reply (P8), whatever
//! got lost on the way.

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

/// Take a while, and count how often that was done.
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

/// The user's turns: requests that were taken, and replies.
async fn taken_and_replied(user: &TestUser) -> (usize, usize) {
    let turns = user.turns().await;
    let taken = turns.iter().filter(|turn| turn.body.role == Role::User).count();
    (taken, turns.len() - taken)
}

/// A node, and how often anybody knocked.
async fn one_node() -> (Arc<AtomicUsize>, TestPlatform) {
    let knocks = Arc::new(AtomicUsize::new(0));
    let platform = TestPlatform::setup().state(Knocks(knocks.clone())).start().await;
    (knocks, platform)
}

/// Another one on its ledger.
async fn another_node(first: &TestPlatform, knocks: &Arc<AtomicUsize>) -> TestPlatform {
    let setup = TestPlatform::setup().settings(|settings| settings.node = "other".into()).on_ledger_of(first);
    setup.state(Knocks(knocks.clone())).start().await
}

/// Many at once, on two nodes, and one long after.
#[tokio::test(start_paused = true)]
async fn however_often_it_is_asked_it_is_run_once() {
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

/// Who asks is somebody else's business, and so is what is asked elsewhere.
#[tokio::test(start_paused = true)]
async fn a_key_is_its_users_and_means_one_thing() {
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

/// Whoever asks again after a crash learns that it was cut off; it is not begun behind their back.
#[tokio::test(start_paused = true)]
async fn what_a_crash_cut_off_is_said_to_be() {
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

/// Whoever waits for another's reply does not hold up a node that stops: the call may be on another one.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_is_sent_away_when_its_node_stops() {
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

/// However many wait, and whatever else their user does meanwhile, the ledger is not kept busy by it.
#[tokio::test(start_paused = true)]
async fn those_who_wait_for_one_reply_look_for_it_together() {
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
    assert_eq!(*refused.code(), codes::KEY_REUSED, "at once, whoever else waits");
    for asking in asking {
        assert_eq!(asking.await.unwrap().result.summary, "Knock number 1.");
    }
    let looks = usize::try_from(ledger.looks.load(Ordering::SeqCst)).unwrap();
    assert!(looks < 3 * WAITING + 2 * EVENTS, "{looks} looks");
}

/// One that asks while another's first try has neither been refused nor done is the one that is run.
#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_know_its_fate_learns_whose_the_call_is() {
    let knocks = Arc::new(AtomicUsize::new(0));
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().state(Knocks(knocks.clone())).ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let spawn = |under: &'static str| {
        let anna = anna.clone();
        tokio::spawn(async move { asked(&anna, under, json!({"seconds": 5})).await.unwrap() })
    };
    // Its own try was written: it goes on.
    ledger.to_lose.store(1, Ordering::SeqCst);
    let alone = spawn("alone").await.unwrap();
    assert_eq!((alone.repeated, knocks.load(Ordering::SeqCst)), (false, 1));

    // Its own try was not; somebody else's is there when it tries again.
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
