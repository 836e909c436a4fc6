//! Does the same for many items, a few at a time. One failure does not stop the others.
//! `cargo run --example fan_out -- call check 'urls=["https://example.com","https://example.org"]'`

use imperal::prelude::*;

imperal::extension! {
    app_id: "fan-out",
    name: "Link checker",
    description: "Checks up to twelve web addresses, four at a time, and counts those that answer.",
    icon: "icon.svg",
    capabilities: ["fan-out:read"],
}

#[derive(Deserialize, JsonSchema)]
struct CheckParams {
    #[schemars(length(min = 1, max = 12))]
    urls: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Checked {
    good: usize,
    /// Address and reason.
    bad: Vec<String>,
}

/// Checks which of the web addresses answer.
#[chat_function(action_type = "read")]
async fn check(ctx: Context, params: CheckParams) -> Result<ActionResult<Checked>> {
    let results = ctx
        .fan_out(&params.urls, async |url| Ok(ctx.http().get(url).timeout(10).send().await?.error_for_status()?))
        .at_most(4) // twelve of them take at most 30 s
        .progress(0..=100)
        .await?;
    // One result per item, in the order of the items.
    let bad: Vec<String> = params
        .urls
        .iter()
        .zip(&results)
        .filter_map(|(url, result)| Some(format!("{url}: {}", result.as_ref().err()?)))
        .collect();
    let checked = Checked { good: results.len() - bad.len(), bad };
    let text = format!("{} of {} answer.", checked.good, results.len());
    Ok(ActionResult::success(checked, text))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn one_failure_does_not_stop_the_others(platform: imperal::testing::TestPlatform) {
    use imperal::testing::Reply;
    platform.http().get("https://a.example").reply(Reply::status(200));
    platform.http().get("https://b.example").reply(Reply::status(404));
    let params = serde_json::json!({"urls": ["https://a.example", "https://b.example"]});
    let reply = platform.user("anna").call("check", params).await.unwrap();
    assert_eq!(reply.turn.body.text, "1 of 2 answer.");
}
