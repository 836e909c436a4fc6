//! Replies of models that are not as the protocol says, from public bug reports.

use std::time::Duration;

use imperal::testing::{Chunks, ModelReply, Reply};
use serde_json::{Value, json};

use crate::start;

/// The chat after one message, for which the model wants a call of `count_to` with these arguments.
async fn counted(arguments: &str) -> (Vec<String>, Vec<String>) {
    let (platform, ran, _) = start().await;
    platform.model().replies(&ModelReply::new().call_with("count_to", arguments)).says("Done.");
    platform.user("anna").talk("Count").await.assert_success().assert_says("Done.");
    (ran.all(), platform.model().told())
}

#[imperal::test]
async fn integers_may_come_as_floats_and_as_texts() {
    for arguments in [r#"{"n": 2}"#, r#"{"n": 2.0}"#, r#"{"n": "2"}"#, r#"{"n": "2.0"}"#, r#"{"n": "2", "back": null}"#]
    {
        assert_eq!(counted(arguments).await.0, ["count_to 2 None"], "{arguments}");
    }
    assert_eq!(counted(r#"{"n": 2, "back": "true"}"#).await.0, ["count_to 2 Some(true)"]);
}

#[imperal::test]
async fn arguments_that_are_no_json_are_told_to_the_model() {
    for arguments in [r#"{"n": 2"#, "n = 2", "[2]"] {
        let (ran, told) = counted(arguments).await;
        assert_eq!(ran, [""; 0], "{arguments}");
        assert!(told[0].contains("JSON"), "{told:?}");
    }
    let (ran, told) = counted(r#"{"n": "two"}"#).await;
    assert_eq!(ran, [""; 0]);
    assert!(told[0].contains("VALIDATION_TYPE_ERROR") && told[0].contains("`n`"), "{told:?}");
}

#[imperal::test]
async fn arguments_that_were_no_json_are_not_sent_back_as_they_are() {
    let (platform, _, _) = start().await;
    platform.model().replies(&ModelReply::new().call_with("count_to", r#"{"n": 2"#)).says("Done.");
    platform.user("anna").talk("Count").await.assert_success();
    let sent = &platform.model().requests()[1]["messages"];
    let call = sent.as_array().unwrap().iter().find(|message| message["tool_calls"].is_array()).unwrap();
    let arguments = call["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(arguments).is_ok(), "{arguments}");
}

#[imperal::test]
async fn unknown_tools_are_told_to_the_model() {
    let (platform, ran, _) = start().await;
    platform.model().calls("drop_tables", json!({})).calls("functions.Count-To", json!({"n": 1})).says("Done.");
    platform.user("anna").talk("Count").await.assert_success();
    assert!(platform.model().told()[0].starts_with("There is no function `drop_tables`. There is: list_drafts,"));
    assert_eq!(ran.all(), ["count_to 1 None"]);
}

#[imperal::test]
async fn repeated_and_missing_ids_of_calls_do_no_harm() {
    let call = |id: Value, index: Value, n: u32| {
        let call = json!({"id": id, "index": index, "function": {"name": "count_to", "arguments": json!({"n": n}).to_string()}});
        json!({"tool_calls": [call]})
    };
    for (id, index) in [(json!("same"), Value::Null), (Value::Null, Value::Null), (json!(""), json!(null))] {
        let (platform, ran, _) = start().await;
        let both =
            ModelReply::new().delta(&call(id.clone(), index.clone(), 1)).delta(&call(id.clone(), index.clone(), 2));
        // In the next round the ids begin again.
        let third = ModelReply::new().delta(&call(id.clone(), index.clone(), 3));
        platform.model().replies(&both).replies(&third).says("Done.");
        platform.user("anna").talk("Count").await.assert_success();
        let mut ran = ran.all();
        ran.sort();
        assert_eq!(ran, ["count_to 1 None", "count_to 2 None", "count_to 3 None"], "{id} {index}");
        let messages = platform.model().requests()[2]["messages"].clone();
        let ids: Vec<_> =
            messages.as_array().unwrap().iter().filter_map(|message| message["tool_call_id"].as_str()).collect();
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), different.len()), (3, 3), "{ids:?}");
    }
}

#[imperal::test]
async fn calls_are_run_whatever_finish_reason_says() {
    let (platform, ran, _) = start().await;
    let stop = json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "count_to", "arguments": "{\"n\":1}"}}]}, "finish_reason": "stop"}]});
    platform.model().replies(&ModelReply::new().chunk(stop.to_string()).without_end()).says("Done.");
    platform.user("anna").talk("Count").await.assert_says("Done.");
    assert_eq!(ran.all(), ["count_to 1 None"]);
}

#[imperal::test]
async fn a_stream_without_its_end_mark_is_an_answer() {
    let (platform, _, _) = start().await;
    platform.model().replies(&ModelReply::new().text("All of it.").without_end());
    platform.user("anna").talk("Hello").await.assert_success().assert_says("All of it.");
}

#[imperal::test]
async fn an_answer_in_reasoning_fields_only_is_the_answer() {
    let (platform, _, _) = start().await;
    let thinking = ModelReply::new().delta(&json!({"reasoning_content": "It is 42."}));
    platform.model().replies(&thinking).replies(&ModelReply::new().text("<think>Hm.</think>\n\nIt is 43."));
    let anna = platform.user("anna");
    anna.talk("What is it?").await.assert_success().assert_says("It is 42.");
    let outcome = anna.talk("And now?").await;
    assert_eq!(outcome.text(), "It is 43.");
}

#[imperal::test]
async fn an_emoji_split_over_chunks_arrives_whole() {
    let (platform, _, _) = start().await;
    let split = ModelReply::new()
        .chunk(r#"{"choices":[{"delta":{"content":"Well \ud83d"}}]}"#)
        .chunk(r#"{"choices":[{"delta":{"content":"\ude00!"}}]}"#);
    platform.model().replies(&split);
    let outcome = platform.user("anna").talk("How are you?").await;
    assert_eq!(outcome.text(), "Well \u{1f600}!");
}

#[imperal::test]
async fn a_model_that_never_stops_calling_is_stopped() {
    let (platform, ran, _) = start().await;
    for n in 0..20 {
        platform.model().calls("count_to", json!({"n": n}));
    }
    let outcome = platform.user("anna").talk("Count for ever").await;
    outcome.assert_success().assert_says("more than 16 rounds");
    assert_eq!((platform.model().asked(), ran.count("count_to")), (16, 16));
}

#[imperal::test]
async fn an_endpoint_that_does_not_stream_is_read() {
    let (platform, _, _) = start().await;
    platform.model().responds(Reply::json(json!({"choices": [{"message": {"content": "Whole."}}]})));
    platform.user("anna").talk("Hello").await.assert_success().assert_says("Whole.");
}

#[imperal::test]
async fn an_empty_reply_says_so() {
    let (platform, _, _) = start().await;
    platform.model().replies(&ModelReply::new());
    platform.user("anna").talk("Hello").await.assert_code("MODEL_FAILED").assert_says("empty reply");
}

#[imperal::test]
async fn endpoints_with_other_names_of_parameters_are_learnt() {
    let (platform, _, _) = start().await;
    let model = platform.model();
    model.fails(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.");
    model.fails(400, "Unknown parameter: stream_options").says("Hello.");
    platform.user("anna").talk("Hello").await.assert_success();
    let last = model.requests().pop().unwrap();
    assert!(last["max_completion_tokens"].is_u64() && last["max_tokens"].is_null() && last["stream_options"].is_null());
}

#[imperal::test]
async fn failures_of_the_service_are_sentences_with_a_way_out() {
    let (platform, _, _) = start().await;
    let model = platform.model();
    let anna = platform.user("anna");
    model.fails(503, "overloaded").fails(429, "slow down").says("At last.");
    anna.talk("Hello").await.assert_success().assert_says("At last.");
    model.fails(401, "Incorrect API key provided: sk-of-the-operator.");
    let refused = anna.talk("Hello").await;
    refused.assert_code("MODEL_FAILED").assert_says("IMPERAL_MODEL_KEY").assert_says("[model key]");
    assert!(!anna.transcript().await.contains("sk-of-the-operator"), "the key is in no text");
    model.fails(404, "model not found");
    anna.talk("Hello").await.assert_says("does not know the model `scripted`");
    model.responds(Reply::connect_error()).responds(Reply::connect_error()).responds(Reply::connect_error());
    anna.talk("Hello").await.assert_says("cannot be reached");
    let overloaded = ModelReply::new().text("Half").chunk(r#"{"error":{"message":"overloaded"}}"#);
    model.replies(&overloaded);
    anna.talk("Hello").await.assert_code("MODEL_FAILED").assert_says("in the middle of its reply: overloaded");
}

fn piece(text: &str) -> String {
    json!({"choices": [{"delta": {"content": text}}]}).to_string()
}

#[imperal::test]
async fn a_reply_that_breaks_off_is_not_asked_for_again() {
    let (platform, _, _) = start().await;
    platform.model().responds(Reply::stream(Chunks::new().event(piece("Half")).cut_off()));
    let outcome = platform.user("anna").talk("Hello").await;
    outcome.assert_code("MODEL_FAILED").assert_says("broke off in the middle of its reply");
    assert_eq!(platform.model().asked(), 1);
}

#[imperal::test]
async fn a_reply_may_take_long_and_bytes_may_be_split_anywhere() {
    let (platform, _, _) = start().await;
    let smile = format!("data: {}\n\n", piece("\u{1f600}"));
    let (first, second) = smile.as_bytes().split_at(smile.find('\u{1f600}').unwrap() + 2);
    let slow = (0..5).fold(Chunks::new(), |chunks, _| chunks.event(piece("word ")).pause(Duration::from_secs(100)));
    let slow = slow.bytes(first.to_vec()).pause(Duration::from_secs(1)).bytes(second.to_vec()).event("[DONE]");
    platform.model().responds(Reply::stream(slow));
    let outcome = platform.user("anna").talk("Slowly").await;
    assert_eq!(outcome.text(), "word word word word word \u{1f600}");
}

#[imperal::test]
async fn a_call_that_is_whole_before_the_stream_ends_runs_once_and_is_told() {
    let (platform, ran, _) = start().await;
    let call = json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "count_to", "arguments": "{\"n\":1}"}}]}}]});
    // The model goes on with words long after its call, which would have ended by then.
    let slow = Chunks::new().event(call.to_string()).pause(Duration::from_secs(60)).event(piece("I count."));
    platform.model().responds(Reply::stream(slow.event("[DONE]"))).says("One.");
    let outcome = platform.user("anna").talk("Count").await;
    assert_eq!(outcome.text(), "I count.\n\nOne.");
    assert_eq!(ran.all(), ["count_to 1 None"]);
    assert_eq!(platform.model().told().len(), 1, "its result is told once");
    let messages = platform.model().requests()[1]["messages"].clone();
    let roles: Vec<_> = messages.as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles[roles.len() - 2..], ["assistant", "tool"], "after the words of its reply");
}

#[imperal::test]
async fn a_stop_stops_an_answer_that_goes_on_after_a_crash() {
    let (platform, _, _) = start().await;
    let endless = || Reply::stream(Chunks::new().event(piece("Begun ")).hang());
    platform.model().responds(endless());
    let anna = platform.user("anna");
    let task = anna.say("Talk for ever").await;
    platform.pass(Duration::from_secs(5)).await;
    platform.model().responds(endless());
    platform.crash().await;
    platform.pass(Duration::from_secs(30)).await;
    assert_eq!(platform.model().asked(), 2, "the reply that was cut is asked for again");
    anna.cancel(task).await;
    let outcome = anna.outcome(task).await;
    outcome.assert_state(imperal::ledger::TaskState::Cancelled);
    assert_eq!(outcome.turn.body.partial.as_deref(), Some("Begun "), "its words are there once");
    platform.pass(Duration::from_secs(600)).await;
    assert_eq!(platform.model().asked(), 2);
}
