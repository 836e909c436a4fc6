//! Repeats a request that fails in a way that may pass.
//! `cargo run --example http_retry -- call fetch url=https://example.com`

use imperal::context::Retry;
use imperal::prelude::*;

imperal::extension! {
    app_id: "http-retry",
    name: "Page fetcher",
    description: "Fetches a web page and says how large it is and how many attempts it took.",
    icon: "icon.svg",
    capabilities: ["http-retry:read"],
}

#[derive(Deserialize, JsonSchema)]
struct FetchParams {
    #[schemars(url)]
    url: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Fetched {
    bytes: usize,
    attempts: u32,
}

/// Fetches a web page, with up to three attempts.
#[chat_function(action_type = "read")]
async fn fetch(ctx: Context, params: FetchParams) -> Result<ActionResult<Fetched>> {
    let page = ctx
        .http()
        .get(&params.url)
        .timeout(Duration::from_secs(10))
        // 429, 502, 503, 504 and lost connections; waits of 1 s and 2 s, or what `Retry-After` says.
        .retry(Retry::default())
        .send()
        .await?
        .error_for_status()?;
    let fetched = Fetched { bytes: page.bytes().len(), attempts: page.attempts() };
    let text = format!("{} bytes after {} attempts.", fetched.bytes, fetched.attempts);
    Ok(ActionResult::success(fetched, text))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn repeats_after_503(platform: imperal::testing::TestPlatform) {
    use imperal::testing::Reply;
    platform.http().get("https://a.example").replies([Reply::status(503), Reply::text("here")]);
    let reply = platform.user("anna").call("fetch", serde_json::json!({"url": "https://a.example"})).await.unwrap();
    assert_eq!(reply.turn.body.text, "4 bytes after 2 attempts.");
}
