//! Texts that are read while they are written: each reader gets each byte once, also over a kill.

use std::time::Duration;

use futures_util::future::join_all;
use imperal_tests::{Events, Node, SseEvent, User, eventually};
use serde_json::{Value, json};

use crate::cancel::{foreground, stop};
use crate::node;

/// The words that the probe writes.
fn words(count: u32) -> String {
    (0..count).fold(String::new(), |words, word| format!("{words}w{word}😀 "))
}

/// A reader of one live stream, and what it knows of the one draft.
struct Reader {
    events: Events,
    text: String,
}

impl Reader {
    async fn open(anna: &User) -> Self {
        Self { events: anna.stream(0).await, text: String::new() }
    }

    fn apply(&mut self, event: &SseEvent) {
        assert_eq!(event.id, None, "a piece has no number");
        assert_eq!(event.data["offset"], self.text.len(), "each byte comes once: {}", event.data);
        self.text.push_str(event.data["text"].as_str().unwrap());
    }

    /// Reads until the text has this many bytes.
    async fn until(mut self, bytes: usize) -> Self {
        let reading = async {
            while self.text.len() < bytes {
                let event = self.events.next().await;
                if event.event == "draft" {
                    self.apply(&event);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the text goes on");
        self
    }

    /// Reads up to the turn that takes the draft's place.
    async fn read_to_its_turn(mut self) -> (String, Value) {
        let reading = async {
            loop {
                let event = self.events.next().await;
                match event.event.as_str() {
                    "draft" => self.apply(&event),
                    "turn" if event.data["drafts"].is_array() => break event.data,
                    _ => {}
                }
            }
        };
        let turn = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("a turn names the draft");
        (self.text, turn)
    }
}

#[tokio::test]
async fn tab_that_is_closed_and_opened_again_misses_no_word_and_sees_none_twice() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let staying = Reader::open(&anna).await;
    let leaving = Reader::open(&anna).await;
    let (reply, _) = foreground(&anna, "say_words", json!({"words": 40, "word_ms": 50})).await;
    drop(leaving.until(40).await);
    let again = Reader::open(&anna).await;
    let ((first, turn), (second, _)) = tokio::join!(staying.read_to_its_turn(), again.read_to_its_turn());
    // What came after the last tenth of a second is in the turn.
    assert!(words(40).starts_with(&first) && first.len() > 200, "{first}");
    assert!(words(40).starts_with(&second) && second.len() > 200, "{second}");
    assert_eq!((turn["text"].as_str(), &turn["partial"]), (Some(words(40).as_str()), &Value::Null));
    assert_eq!(reply.await.unwrap()["result"]["status"], "success");
    assert_eq!(anna.get("/v1/drafts").await.1, json!({"drafts": []}));
}

#[tokio::test]
async fn stop_from_another_tab_keeps_the_text_so_far() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let reader = Reader::open(&anna).await;
    let (reply, call_id) = foreground(&anna, "say_words", json!({"words": 5, "word_ms": 1, "hang": true})).await;
    let reader = reader.until(words(5).len()).await;
    assert_eq!(stop(&anna, &call_id).await.0, 200);
    let (_, turn) = reader.read_to_its_turn().await;
    assert_eq!((&turn["partial"], &turn["result"]["error_code"]), (&json!(words(5)), &json!("CANCELLED")));
    assert_eq!(reply.await.unwrap()["turn"]["partial"], words(5));
}

#[tokio::test]
async fn kill_in_mid_draft_keeps_the_text_in_the_turn_that_says_so() {
    for function in ["say_words", "read_words", "write_words_later"] {
        let (_folder, node) = node().await;
        let anna = User::of(&node, "anna");
        let reader = Reader::open(&anna).await;
        let caller = anna.clone();
        let params = json!({"words": 7, "word_ms": 1, "hang": true});
        let call = tokio::spawn(async move { caller.try_call(function, params).await });
        reader.until(words(7).len()).await;
        let node = node.kill().await.start().await;
        drop(call);
        let anna = anna.at(&node);
        let turn = eventually("the work is settled", async || {
            anna.turns().await.into_iter().find(|turn| turn["drafts"].is_array())
        })
        .await;
        assert_eq!((&turn["partial"], &turn["result"]["error_code"]), (&json!(words(7)), &json!("INTERRUPTED")));
        assert_eq!(anna.get("/v1/drafts").await.1, json!({"drafts": []}), "{function}");
    }
}

#[tokio::test]
async fn drafts_are_their_users_alone_and_read_from_any_offset() {
    let (_folder, node) = node().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let reader = Reader::open(&anna).await;
    let (_reply, call_id) = foreground(&anna, "say_words", json!({"words": 2, "word_ms": 1, "hang": true})).await;
    reader.until(14).await;
    let (_, listed) = anna.get("/v1/drafts").await;
    let draft = &listed["drafts"][0];
    assert_eq!((&draft["call_id"], &draft["offset"], &draft["text"]), (&json!(call_id), &json!(14), &json!("")));
    let path = format!("/v1/drafts/{}", draft["draft_id"].as_str().unwrap());
    for (query, wanted) in
        [("", (0, "w0😀 w1😀 ")), ("?from=7", (7, "w1😀 ")), ("?from=3", (2, "😀 w1😀 ")), ("?from=99", (14, ""))]
    {
        let (status, piece) = anna.get(&format!("{path}{query}")).await;
        assert_eq!(
            (status.as_u16(), &piece["offset"], &piece["text"]),
            (200, &json!(wanted.0), &json!(wanted.1)),
            "{query}"
        );
    }
    assert_eq!(ben.get("/v1/drafts").await.1, json!({"drafts": []}));
    assert_eq!(ben.get(&path).await.0, 404);
    assert_eq!(anna.get("/v1/drafts/nonsense").await.0, 404);
    assert_eq!(anna.get(&format!("{path}?from=-1")).await.0, 400);
    stop(&anna, &call_id).await;
}

/// A watcher that does not read loses signals, and no byte.
#[tokio::test]
async fn slow_watcher_reads_what_it_missed() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let slow = Reader::open(&anna).await;
    // Fills the buffers of the slow connection, so that signals are dropped.
    let (_reply, call_id) = foreground(&anna, "say_words", json!({"words": 60, "word_ms": 20, "hang": true})).await;
    for _ in 0..40 {
        anna.call("deliver", json!({"unit": "x".repeat(1000), "times": 60})).await;
    }
    let quick = Reader::open(&anna).await.until(words(60).len()).await;
    let slow = slow.until(words(60).len()).await;
    assert_eq!((quick.text, slow.text), (words(60), words(60)));
    stop(&anna, &call_id).await;
}

#[tokio::test]
async fn thousand_watchers_of_one_draft_see_each_byte_once() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let readers = join_all((0..1000).map(|_| Reader::open(&anna))).await;
    let (_reply, call_id) = foreground(&anna, "say_words", json!({"words": 30, "word_ms": 50, "hang": true})).await;
    let readers = join_all(readers.into_iter().map(|reader| reader.until(words(30).len()))).await;
    assert!(readers.iter().all(|reader| reader.text == words(30)));
    stop(&anna, &call_id).await;
}

/// Anna's words come from a node that is killed then; she reads them on the other one.
pub(crate) async fn words_of_another_node(anna: &User, watching: &User, writing: Node) {
    let reader = Reader::open(watching).await;
    let caller = anna.clone();
    let params = json!({"words": 30, "word_ms": 50, "hang": true});
    tokio::spawn(async move { caller.try_call("say_words", params).await });
    let reader = reader.until(words(10).len()).await;
    let late = Reader::open(watching).await;
    let (reader, late) = tokio::join!(reader.until(words(30).len()), late.until(words(30).len()));
    assert_eq!((&reader.text, &late.text), (&words(30), &words(30)));
    writing.kill().await;
    let (_, turn) = reader.read_to_its_turn().await;
    assert_eq!((&turn["partial"], &turn["result"]["error_code"]), (&json!(words(30)), &json!("INTERRUPTED")));
}
