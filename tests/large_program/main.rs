//! The assistant of a program with more functions than a model is offered at once.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::{Value, json};

imperal::extension! {
    app_id: "large",
    name: "Large",
    description: "Has many functions, for tests of the assistant.",
    icon: "icon.svg",
    capabilities: ["large:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Done {
    done: bool,
}

fn done(summary: &str) -> ActionResult<Done> {
    ActionResult::success(Done { done: true }, summary)
}

/// Functions that do nothing, and are found by no word.
macro_rules! many {
    ($($name:ident)*) => {$(
        /// Do something that nobody asks for here.
        #[chat_function(action_type = "read")]
        async fn $name(_ctx: Context, _params: Nothing) -> Result<ActionResult<Done>> {
            Ok(done("Nothing."))
        }
    )*};
}

many! {
    a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20
    b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19 b20
}

/// Water the plants of the balcony.
#[chat_function(action_type = "read")]
async fn water_plants(_ctx: Context, _params: Nothing) -> Result<ActionResult<Done>> {
    Ok(done("They are wet."))
}

/// Delete a plant for good.
#[chat_function(action_type = "destructive", event = "plant.deleted", effects = ["delete:plant"])]
async fn uproot(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    Ok(ActionResult::done("It is gone."))
}

fn tools(request: &Value) -> Vec<String> {
    let all = request["tools"].as_array().unwrap().iter();
    all.map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
}

#[imperal::test]
async fn a_model_finds_functions_that_it_is_not_offered() {
    let platform = TestPlatform::setup().model().start().await;
    let model = platform.model();
    model
        .calls("find_functions", json!({"words": "plants on a balcony"}))
        .calls("water_plants", json!({}))
        .says("Done.");
    platform.user("anna").talk("Make it grow").await.assert_success().assert_says("Done.");
    let requests = model.requests();
    let first = tools(&requests[0]);
    assert_eq!(first.len(), 32);
    assert_eq!(first.last().unwrap(), "find_functions");
    assert!(!first.contains(&"water_plants".to_owned()), "no word of the message fits it");
    let then = tools(&requests[1]);
    assert_eq!(then.len(), 32);
    assert!(then.contains(&"water_plants".to_owned()) && then.contains(&"find_functions".to_owned()), "{then:?}");
    let told = model.told();
    assert!(told[0].starts_with("These functions are tools now:\n- water_plants: Water the plants"), "{told:?}");
    assert!(told[1].starts_with("They are wet."), "{told:?}");
}

#[imperal::test]
async fn a_crash_after_a_search_offers_the_same_again() {
    let platform = TestPlatform::setup().model().start().await;
    let model = platform.model();
    model.calls("find_functions", json!({"words": "uproot"})).calls("uproot", json!({}));
    let anna = platform.user("anna");
    let task = anna.say("Make it end").await;
    anna.question(task).await;
    model.says("Kept.");
    platform.crash().await;
    anna.answer(task, "keep").await;
    anna.outcome(task).await.assert_success();
    let requests = model.requests();
    assert_eq!(requests.len(), 3, "no stored reply is asked for again");
    assert_eq!(tools(&requests[1]), tools(&requests[2]));
    assert!(tools(&requests[2]).contains(&"uproot".to_owned()));
}

#[imperal::test]
async fn a_search_that_cannot_be_read_is_told() {
    let platform = TestPlatform::setup().model().start().await;
    let model = platform.model();
    let broken = imperal::testing::ModelReply::new().call_with("find_functions", "{\"words\":");
    model.replies(&broken).calls("find_functions", json!({"words": "zeppelin"})).calls("fly", json!({})).says("No.");
    platform.user("anna").talk("Fly").await.assert_success();
    let told = model.told();
    assert!(told[0].contains("not valid JSON"), "{told:?}");
    assert!(told[1].starts_with("No function fits these words."), "{told:?}");
    assert_eq!(told[2], "There is no function `fly`. Find one with `find_functions`.");
}
