//! Crashes in the middle of the loop: no stored reply is asked for again, and no call runs twice.

use imperal::testing::ModelReply;
use serde_json::json;

use crate::start;

#[imperal::test]
async fn a_crash_after_a_reply_asks_for_no_reply_again() {
    let (platform, ran, _) = start().await;
    platform.model().calls("count_to", json!({"n": 1})).calls("wait_long", json!({}));
    let anna = platform.user("anna");
    let task = anna.say("Count, then wait").await;
    platform.pass(std::time::Duration::from_secs(1)).await;
    assert_eq!((platform.model().asked(), ran.count("wait_long")), (2, 1));
    platform.model().says("Done.");
    platform.crash().await;
    anna.outcome(task).await.assert_success().assert_says("Done.");
    assert_eq!(platform.model().asked(), 3);
    assert_eq!(ran.count("count_to"), 1, "a stored call does not run again");
    assert_eq!((ran.count("wait_long"), ran.count("waited")), (2, 1), "a read that was cut off runs again");
}

#[imperal::test]
async fn a_write_that_a_crash_cut_off_is_not_repeated_and_told() {
    let (platform, ran, _) = start().await;
    platform.model().replies(&ModelReply::new().call("slow_write", json!({})));
    let anna = platform.user("anna");
    let task = anna.say("Write slowly").await;
    platform.pass(std::time::Duration::from_secs(1)).await;
    assert_eq!(ran.count("slow_write"), 1);
    platform.model().says("Please check.");
    platform.crash().await;
    anna.outcome(task).await.assert_success().assert_says("Please check.");
    assert_eq!(ran.count("slow_write"), 1);
    assert!(platform.model().told()[0].contains("may have happened or not"), "{:?}", platform.model().told());
}

#[imperal::test]
async fn a_deploy_in_the_middle_of_a_call_loses_nothing() {
    let (platform, ran, _) = start().await;
    platform.model().calls("count_to", json!({"n": 1})).calls("wait_long", json!({}));
    let anna = platform.user("anna");
    let task = anna.say("Wait").await;
    platform.pass(std::time::Duration::from_secs(1)).await;
    platform.model().says("Done.");
    platform.deploy().await;
    anna.outcome(task).await.assert_success();
    assert_eq!((platform.model().asked(), ran.count("count_to")), (3, 1));
}
