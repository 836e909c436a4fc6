//! Answers at once. `cargo run --example hello -- call hello name=Anna`

use imperal::prelude::*;

imperal::extension! {
    app_id: "hello",
    name: "Hello",
    description: "Greets a person by name: the smallest extension there is.",
    icon: "icon.svg",
    capabilities: ["hello:read"],
}

#[derive(Deserialize, JsonSchema)]
struct HelloParams {
    /// The person to greet.
    #[schemars(length(min = 1, max = 100))]
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

/// Greets a person by name.
#[chat_function(action_type = "read")]
async fn hello(_ctx: Context, params: HelloParams) -> Result<ActionResult<Greeting>> {
    let text = format!("Hello, {}!", params.name);
    Ok(ActionResult::success(Greeting { text: text.clone() }, text))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn greets_by_name(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    anna.call("hello", serde_json::json!({"name": "Anna"})).await.unwrap();
    anna.assert_chat_has("Hello, Anna!").await;
}
