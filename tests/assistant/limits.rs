//! The limits of a user: tokens a day, waiting messages, the length of a message.

use imperal::testing::ModelReply;
use serde_json::json;

use crate::{setup, start};

#[imperal::test]
async fn a_users_tokens_of_a_day_are_limited() {
    let (setup, _, _) = setup();
    let limit = |settings: &mut imperal::platform::Settings| {
        settings.assistant.as_mut().unwrap().tokens_per_user_and_day = 10_000;
    };
    let platform = setup.settings(limit).start().await;
    platform.model().replies(&ModelReply::new().text("One.").tokens(7_000, 1_500)).says("Ben's.");
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    anna.talk("Hello").await.assert_success();
    anna.talk("Hello again").await.assert_code("TOKENS_EXCEEDED").assert_says("8500 of the 10000 tokens");
    ben.talk("Hello").await.assert_success();
    assert_eq!(platform.model().asked(), 2, "nothing is asked for that cannot be paid");
}

#[imperal::test]
async fn tokens_count_once_over_a_crash() {
    let (setup, _, _) = setup();
    let limit = |settings: &mut imperal::platform::Settings| {
        settings.assistant.as_mut().unwrap().tokens_per_user_and_day = 10_000;
    };
    let platform = setup.settings(limit).start().await;
    platform.model().replies(&ModelReply::new().call("wait_long", json!({})).tokens(3_000, 10));
    let anna = platform.user("anna");
    let task = anna.say("Wait").await;
    platform.pass(std::time::Duration::from_secs(1)).await;
    platform.model().says("Waited.").says("Hello.");
    platform.crash().await;
    anna.outcome(task).await.assert_success();
    anna.talk("Hello").await.assert_success();
}

#[imperal::test]
async fn five_messages_may_wait() {
    let (platform, _, _) = start().await;
    platform.model().calls("wait_long", json!({}));
    let anna = platform.user("anna");
    anna.say("First").await;
    platform.pass(std::time::Duration::from_secs(1)).await;
    for _ in 0..5 {
        anna.say("Another").await;
    }
    let refused = anna.access().say("One too many", None).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "RATE_LIMITED");
    assert!(!anna.texts().await.iter().any(|text| text == "One too many"), "a refused message writes nothing");
    for _ in 0..6 {
        platform.model().says("Done.");
    }
    platform.pass(std::time::Duration::from_secs(300)).await;
}

#[imperal::test]
async fn empty_and_long_messages_are_refused() {
    let (platform, _, _) = start().await;
    let access = platform.user("anna").access();
    assert_eq!(access.say(" \n", None).await.unwrap_err().code().as_str(), "VALIDATION_MISSING_FIELD");
    let long = "é".repeat(20_001);
    assert!(access.say(&long, None).await.unwrap_err().message().contains("at most 20000"));
    platform.model().says("Long.");
    access.say(&long[2..], None).await.unwrap();
    platform.pass(std::time::Duration::from_secs(5)).await;
}
