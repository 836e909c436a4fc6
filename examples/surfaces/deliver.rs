//! Says something in the chat before the work is done.
//! `cargo run --example deliver -- call write_book chapters=2 --follow`

use imperal::context::MsgType;
use imperal::prelude::*;

imperal::extension! {
    app_id: "deliver",
    name: "Book writer",
    description: "Writes a short book and posts each chapter in the chat when it is ready.",
    icon: "icon.svg",
    capabilities: ["deliver:write"],
}

#[derive(Deserialize, JsonSchema)]
struct BookParams {
    #[schemars(range(min = 1, max = 9))]
    chapters: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Book {
    chapters: u32,
}

/// Writes a book and posts each chapter when it is ready.
#[chat_function(action_type = "write", event = "book_ready", effects = ["create:book"], data_model = Book, background)]
async fn write_book(ctx: Context, params: BookParams) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        for chapter in 1..=params.chapters {
            tokio::time::sleep(Duration::from_secs(3)).await;
            // A turn of its own, in the chat of the user who called, with an audit row.
            ctx.deliver_chat_message(format!("Chapter {chapter}: it was a dark and stormy night."))
                .msg_type(MsgType::System)
                .await?;
        }
        Ok(ActionResult::success(Book { chapters: params.chapters }, "The end."))
    })
    .await?;
    Ok(ActionResult::done("Sharpening the pencil…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn chapters_come_before_the_end(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    anna.run("write_book", serde_json::json!({"chapters": 2})).await.assert_success();
    let texts = anna.texts().await;
    assert!(texts[2].starts_with("Chapter 1") && texts[3].starts_with("Chapter 2"), "{texts:?}");
    assert_eq!(texts[4], "The end.");
}
