//! Many streams of one user at once: they share reads and renderings, and each has every event once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use imperal_tests::{SseEvent, User};
use serde_json::json;

use crate::node;

const STREAMS: usize = 40;
const CALLERS: usize = 4;
const CALLS: u64 = 10;

/// Reads a stream that begins after a number, up to the last event.
async fn follow(user: User, after: u64, last: u64) -> Vec<SseEvent> {
    let mut events = user.stream(after).await;
    let mut seen = Vec::new();
    while seen.last().and_then(|event: &SseEvent| event.id) != Some(last) {
        seen.push(events.next().await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_streams_of_a_user_has_every_event_once() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let ben = User::of(&node, "ben");
    anna.call("echo", json!({"text": "before"})).await;
    let last = 2 + CALLERS as u64 * CALLS * 2;
    // Some of them come while events arrive, at any number.
    let streams = (0..STREAMS).map(|number| {
        let anna = anna.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis((number as u64 % 8) * 10)).await;
            (number as u64 % 3, follow(anna, number as u64 % 3, last).await)
        })
    });
    let streams: Vec<_> = streams.collect();
    let bens = tokio::spawn(follow(ben.clone(), 0, 2));
    let callers = (0..CALLERS).map(|caller| {
        let anna = anna.clone();
        async move {
            for call in 0..CALLS {
                anna.call("echo", json!({"text": format!("call {call} of {caller}")})).await;
            }
        }
    });
    join_all(callers).await;
    ben.call("echo", json!({"text": "of ben"})).await;
    let mut data: BTreeMap<u64, String> = BTreeMap::new();
    for stream in join_all(streams).await {
        let (after, events) = stream.unwrap();
        let numbers: Vec<u64> = events.iter().filter_map(|event| event.id).collect();
        assert_eq!(numbers, (after + 1..=last).collect::<Vec<_>>());
        for event in events.iter().filter(|event| event.id.is_some()) {
            let text = event.data.to_string();
            assert_eq!(*data.entry(event.id.unwrap()).or_insert_with(|| text.clone()), text, "one event, one text");
        }
    }
    let bens = bens.await.unwrap();
    assert!(bens.iter().all(|event| !event.data.to_string().contains("call ")), "{bens:?}");
    assert_eq!(bens.iter().filter_map(|event| event.id).collect::<Vec<_>>(), [1, 2]);
}
