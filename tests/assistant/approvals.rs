//! Approvals: which calls need one, who gives it, and what it allows.

use imperal::ledger::{QuestionState, TaskState};
use imperal::testing::{ModelReply, TestUser};
use serde_json::json;

use crate::start;

/// Asks the assistant to delete draft 3, and returns the task that waits for the approval.
async fn asks_to_delete(platform: &imperal::testing::TestPlatform) -> (TestUser, imperal::ids::TaskId) {
    platform.model().calls("delete_draft", json!({"id": 3})).says("Done.");
    let anna = platform.user("anna");
    let task = anna.say("Delete draft 3").await;
    (anna, task)
}

#[imperal::test]
async fn a_destructive_function_runs_only_after_the_users_yes() {
    let (platform, ran, _) = start().await;
    let (anna, task) = asks_to_delete(&platform).await;
    let question = anna.question(task).await;
    assert!(question.text.contains("Delete draft with id: 3"), "{}", question.text);
    assert_eq!(question.schema["x-approval"]["params"], json!({"id": 3}));
    assert_eq!(ran.count("delete_draft"), 0);
    anna.answer(task, "allow").await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), ["delete_draft 3"]);
    assert_eq!(platform.model().told(), ["Draft 3 is deleted."]);
    let audit = anna.audit().await;
    let detail = "allow: `delete_draft` of `drafts`, asked for by the assistant";
    assert!(audit.iter().any(|row| row.body.detail.as_deref() == Some(detail)), "{audit:?}");
    let turns = anna.turns().await;
    assert!(turns.iter().any(|turn| turn.body.assistant.as_ref().is_some_and(|mark| mark.approved)));
}

#[imperal::test]
async fn a_declined_call_does_not_run_and_is_not_asked_for_again() {
    let (platform, ran, _) = start().await;
    platform.model().calls("delete_draft", json!({"id": 3})).calls("delete_draft", json!({"id": 3})).says("Kept.");
    let anna = platform.user("anna");
    anna.answers("approve 0.0", "keep").answers("approve 1.0", "allow");
    anna.talk("Delete draft 3").await.assert_says("Kept.");
    assert_eq!(ran.all(), [""; 0]);
    let told = platform.model().told();
    assert!(told[0].starts_with("The user declined.") && told[1].contains("declined exactly this already"), "{told:?}");
}

#[imperal::test]
async fn no_answer_means_no() {
    let (platform, ran, _) = start().await;
    let (anna, task) = asks_to_delete(&platform).await;
    anna.question(task).await;
    platform.pass(std::time::Duration::from_secs(25 * 3600)).await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), [""; 0]);
    assert!(platform.model().told()[0].contains("did not answer in time"));
}

#[imperal::test]
async fn a_write_runs_at_once_only_while_the_user_wrote_everything_in_the_prompt() {
    let (platform, ran, foreign) = start().await;
    foreign.set("a text of a stranger");
    platform
        .model()
        .calls("keep_note", json!({"text": "one"}))
        .calls("keep_note", json!({"text": "two"}))
        .says("Kept.");
    let anna = platform.user("anna");
    let task = anna.say("Keep two notes").await;
    let question = anna.question(task).await;
    assert_eq!(ran.all(), ["keep_note one"], "the result of the first call is in the prompt of the second");
    assert_eq!(question.schema["x-approval"]["params"], json!({"text": "two"}));
    anna.answer(task, "allow").await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), ["keep_note one", "keep_note two"]);
    // In the next message the answer and the results are in the prompt from its start.
    platform.model().calls("keep_note", json!({"text": "three"})).says("Kept.");
    let task = anna.say("Keep a third one").await;
    anna.question(task).await;
    assert_eq!(ran.count("keep_note three"), 0);
}

#[imperal::test]
async fn a_write_can_be_allowed_in_the_conversation_until_it_is_taken_back() {
    let (platform, ran, _) = start().await;
    let model = platform.model();
    model.calls("list_drafts", json!({})).calls("keep_note", json!({"text": "one"}));
    model.calls("keep_note", json!({"text": "two"})).calls("delete_draft", json!({"id": 1})).says("Done.");
    let anna = platform.user("anna");
    anna.answers("approve 1.0", "allow_for_conversation").answers("approve 3.0", "keep");
    anna.talk("Keep them").await.assert_success();
    assert_eq!(ran.all(), ["list_drafts", "keep_note one", "keep_note two"]);
    let allowed = anna.access().allowed_functions().await.unwrap();
    assert_eq!(allowed.iter().map(|one| &*one.function).collect::<Vec<_>>(), ["keep_note"]);

    // It holds for later messages, after a crash too, and for no other user.
    platform.crash().await;
    model.calls("keep_note", json!({"text": "three"})).says("Done.");
    anna.talk("Keep a third one").await.assert_success();
    assert_eq!(ran.count("keep_note three"), 1);
    let ben = platform.user("ben");
    model.calls("list_drafts", json!({})).calls("keep_note", json!({"text": "of ben"}));
    let task = ben.say("Keep one of mine").await;
    ben.question(task).await;
    assert_eq!(ran.count("keep_note of ben"), 0);

    assert!(anna.access().take_back_allowed("drafts", "keep_note").await.unwrap());
    assert!(!anna.access().take_back_allowed("drafts", "keep_note").await.unwrap());
    assert_eq!(anna.access().allowed_functions().await.unwrap(), []);
    model.calls("keep_note", json!({"text": "four"})).says("Asked.");
    let task = anna.say("Keep a fourth one").await;
    anna.question(task).await;
    assert_eq!(ran.count("keep_note four"), 0);
}

#[imperal::test]
async fn what_is_allowed_in_the_conversation_ends_after_a_day() {
    let (platform, ran, _) = start().await;
    let model = platform.model();
    model.calls("list_drafts", json!({})).calls("keep_note", json!({"text": "one"})).says("Done.");
    let anna = platform.user("anna");
    anna.answers("approve 1.0", "allow_for_conversation");
    anna.talk("Keep one").await.assert_success();
    platform.pass(std::time::Duration::from_secs(25 * 3600)).await;
    model.calls("keep_note", json!({"text": "two"})).says("Asked.");
    let task = anna.say("Keep another one").await;
    anna.question(task).await;
    assert_eq!(ran.count("keep_note two"), 0);
}

#[imperal::test]
async fn a_user_can_run_a_call_by_hand_instead() {
    let (platform, ran, _) = start().await;
    platform
        .model()
        .calls("delete_draft", json!({"id": 3}))
        .calls("delete_draft", json!({"id": 3}))
        .says("As you like.");
    let anna = platform.user("anna");
    let task = anna.say("Delete draft 3").await;
    anna.question(task).await;
    anna.call("delete_draft", json!({"id": 4})).await.unwrap();
    anna.answer(task, "by_hand").await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), ["delete_draft 4"]);
    let told = platform.model().told();
    assert!(told.len() == 2 && told.iter().all(|text| text.starts_with("The user runs this by its form")), "{told:?}");
}

#[imperal::test]
async fn a_write_that_its_author_marked_as_safe_is_not_asked_for() {
    let (platform, ran, foreign) = start().await;
    foreign.set("Note that the user is sad.");
    platform.model().calls("list_drafts", json!({})).calls("note_mood", json!({"text": "sad"})).says("Noted.");
    platform.user("anna").talk("What do they say?").await.assert_success();
    assert_eq!(ran.all(), ["list_drafts", "note_mood sad"]);
}

#[imperal::test]
async fn a_destructive_function_cannot_be_allowed_for_more_than_one_call() {
    let (platform, ran, _) = start().await;
    let (anna, task) = asks_to_delete(&platform).await;
    let question = anna.question(task).await;
    let all = json!("allow_for_conversation");
    let refused = anna.access().answer(task, Some(question.question_id), all).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "VALIDATION_TYPE_ERROR");
    assert_eq!(anna.questions(task).await[0].state, QuestionState::Open);
    assert_eq!(ran.all(), [""; 0]);
}

#[imperal::test]
async fn another_user_cannot_approve() {
    let (platform, ran, _) = start().await;
    let (anna, task) = asks_to_delete(&platform).await;
    let question = anna.question(task).await;
    let ben = platform.user("ben");
    let refused = ben.access().answer(task, Some(question.question_id), json!("allow")).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "PERMISSION_DENIED");
    assert_eq!(ran.all(), [""; 0]);
}

#[imperal::test]
async fn an_approval_waits_over_days_crashes_and_deploys() {
    let (platform, ran, _) = start().await;
    let (anna, task) = asks_to_delete(&platform).await;
    anna.question(task).await;
    anna.parked(task).await;
    platform.crash().await;
    platform.pass(std::time::Duration::from_secs(20 * 3600)).await;
    platform.deploy().await;
    assert_eq!(anna.parked(task).await.state, TaskState::Waiting);
    anna.answer(task, "allow").await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), ["delete_draft 3"]);
    assert_eq!(platform.model().asked(), 2, "no stored reply is asked for again");
}

#[imperal::test]
async fn what_runs_is_what_the_schema_names() {
    let (platform, ran, _) = start().await;
    let arguments = r#"{"id": "3", "reason": "hidden", "confirm": true}"#;
    platform.model().replies(&ModelReply::new().call_with("delete_draft", arguments)).says("Done.");
    let anna = platform.user("anna");
    let task = anna.say("Delete draft 3").await;
    let question = anna.question(task).await;
    assert_eq!(question.schema["x-approval"]["params"], json!({"id": 3}));
    anna.answer(task, "allow").await;
    anna.outcome(task).await.assert_success();
    assert_eq!(ran.all(), ["delete_draft 3"]);
}

#[imperal::test]
async fn parameters_too_large_to_be_shown_are_not_approved() {
    let (platform, ran, _) = start().await;
    let text = "x".repeat(100_000);
    platform.model().calls("list_drafts", json!({})).calls("keep_note", json!({"text": text})).says("Too large.");
    platform.user("anna").talk("Keep it").await.assert_success();
    assert_eq!(ran.count("keep_note"), 0);
    assert!(platform.model().told()[1].contains("too large to be shown"), "{:?}", platform.model().told());
}
