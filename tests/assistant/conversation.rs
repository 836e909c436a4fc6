//! Messages and their answers, in the chat of the user.

use imperal::ledger::{Role, TaskState};
use imperal::testing::ModelReply;
use serde_json::json;

use crate::{setup, start};

#[imperal::test]
async fn a_message_is_answered_in_the_chat() {
    let (platform, _, _) = start().await;
    platform.model().says("Hello, Anna.");
    let anna = platform.user("anna");
    let outcome = anna.talk("Hello").await;
    outcome.assert_success().assert_says("Hello, Anna.");
    assert_eq!(outcome.drafts(), ["Hello, Anna."], "the words come while the model writes them");
    let turns = anna.turns().await;
    assert_eq!(turns[0].body.role, Role::User);
    assert_eq!(turns[0].body.text, "Hello");
    assert_eq!(turns.len(), 3, "the message, its acknowledgement, the answer");
    assert_eq!(platform.model().asked(), 1);
}

#[imperal::test]
async fn the_model_is_offered_the_functions_and_told_their_results() {
    let (platform, ran, _) = start().await;
    let calls = ModelReply::new().text("I look.").call("count_to", json!({"n": 9})).call("list_drafts", json!({}));
    platform.model().replies(&calls).says("Nine numbers.");
    let anna = platform.user("anna");
    let outcome = anna.talk("Count to nine").await;
    outcome.assert_success().assert_says("I look.\n\nNine numbers.");
    assert_eq!(outcome.drafts(), ["I look.\n\nNine numbers."]);
    assert_eq!(ran.count("count_to 9"), 1);
    let requests = platform.model().requests();
    let names: Vec<_> = requests[0]["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(
        names,
        [
            "list_drafts",
            "count_to",
            "keep_note",
            "note_mood",
            "delete_draft",
            "refine_drafts",
            "wait_long",
            "slow_write"
        ]
    );
    let told = platform.model().told();
    assert!(told[0].contains("[1,2,3,4,5,\"… 4 more items; the user sees all 9\"]"), "{told:?}");
    assert_eq!(told.len(), 2);
    let of_assistant: Vec<_> = anna.turns().await.into_iter().filter(|turn| turn.body.assistant.is_some()).collect();
    assert_eq!(of_assistant.len(), 2, "calls of the assistant say so");
}

#[imperal::test]
async fn functions_with_a_required_secret_are_not_offered_and_not_run() {
    let (platform, ran, _) = start().await;
    platform.model().calls("set_key", json!({"key": "abc"})).says("Open the form.");
    platform.user("anna").talk("Set the key").await.assert_success();
    assert!(platform.model().told()[0].contains("only its user may type"), "{:?}", platform.model().told());
    assert_eq!(ran.all(), [""; 0]);
    assert!(!platform.model().requests()[0]["tools"].to_string().contains("set_key"));
}

#[imperal::test]
async fn earlier_messages_are_remembered_and_those_of_others_are_not() {
    let (platform, _, _) = start().await;
    platform.model().says("Hello.").says("Hi.").says("You said hello.");
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    anna.talk("Hello").await;
    ben.talk("I am Ben").await;
    anna.talk("What did I say?").await;
    let requests = platform.model().requests();
    let messages = requests[2]["messages"].to_string();
    assert!(messages.contains("Hello.") && messages.contains("What did I say?"), "{messages}");
    assert!(!messages.contains("Ben"), "{messages}");
}

#[imperal::test]
async fn a_message_names_the_one_that_it_takes_the_place_of() {
    let (platform, _, _) = start().await;
    platform.model().says("Hello.").says("Hi.");
    let anna = platform.user("anna");
    let first = anna.access().say("Helo", None).await.unwrap();
    let second = anna.access().say_again("Hello", Some(first.call_id), None).await.unwrap();
    anna.outcome(second.task_id.unwrap()).await.assert_says("Hi.");
    let turn = anna.turns().await.into_iter().find(|turn| turn.body.text == "Hello").unwrap();
    assert_eq!(turn.body.params.unwrap(), json!({"text": "Hello", "edits": first.call_id}));
}

#[imperal::test]
async fn background_work_is_acknowledged_and_its_outcome_is_told_in_the_next_message() {
    let (platform, _, _) = start().await;
    platform.model().calls("refine_drafts", json!({})).says("It runs.").says("They are refined.");
    let anna = platform.user("anna");
    anna.talk("Refine my drafts").await.assert_says("It runs.");
    assert!(platform.model().told()[0].contains("Refining the drafts…"));
    platform.pass(std::time::Duration::from_secs(120)).await;
    anna.assert_chat_has("All drafts are refined.").await;
    assert_eq!(platform.model().asked(), 2, "an outcome asks no model");
    anna.talk("Are they ready?").await.assert_success();
    assert!(platform.model().requests()[2]["messages"].to_string().contains("All drafts are refined."));
}

#[imperal::test]
async fn messages_of_a_user_are_answered_one_after_the_other() {
    let (platform, _, _) = start().await;
    platform.model().calls("wait_long", json!({})).says("One.").says("Two.");
    let anna = platform.user("anna");
    let first = anna.say("First").await;
    let second = anna.say("Second").await;
    anna.outcome(first).await.assert_says("One.");
    anna.outcome(second).await.assert_says("Two.");
    let requests = platform.model().requests();
    assert!(!requests[0]["messages"].to_string().contains("Second"), "a later message has an answer of its own");
    assert!(requests[2]["messages"].to_string().contains("One."));
}

#[imperal::test]
async fn a_repeated_message_is_answered_once() {
    let (platform, _, _) = start().await;
    platform.model().says("Once.");
    let anna = platform.user("anna");
    let key = "message-1".parse().unwrap();
    let first = anna.access().say("Hello", Some(&key)).await.unwrap();
    let again = anna.access().say("Hello", Some(&key)).await.unwrap();
    assert_eq!((first.call_id, first.task_id), (again.call_id, again.task_id));
    anna.outcome(first.task_id.unwrap()).await.assert_says("Once.");
    let other = anna.access().say("Other", Some(&key)).await.unwrap_err();
    assert_eq!(other.code().as_str(), "KEY_REUSED");
    assert_eq!(platform.model().asked(), 1);
}

#[imperal::test]
async fn a_stop_ends_the_answer_and_the_function_that_runs() {
    let (platform, ran, _) = start().await;
    platform.model().calls("wait_long", json!({})).says("Never said.");
    let anna = platform.user("anna");
    let task = anna.say("Wait").await;
    while ran.count("wait_long") == 0 {
        tokio::task::yield_now().await;
        platform.pass(std::time::Duration::from_millis(1)).await;
    }
    anna.cancel(task).await;
    anna.outcome(task).await.assert_state(TaskState::Cancelled);
    platform.pass(std::time::Duration::from_secs(120)).await;
    assert_eq!(ran.count("waited"), 0, "the function was stopped too");
    assert_eq!(platform.model().asked(), 1);
}

#[imperal::test]
async fn without_a_model_messages_are_refused_with_the_way_out() {
    let platform = imperal::testing::TestPlatform::start().await;
    let refused = platform.user("anna").access().say("Hello", None).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "NO_MODEL");
    assert!(refused.message().contains("--model-url"), "{refused}");
    let (setup, _, _) = setup();
    assert!(setup.start().await.user("anna").access().has_assistant());
}
