//! Continues after a crash: each chapter is a step, and a stored step never runs again.
//! `cargo run --example durable -- call write_book chapters=9 --follow`; kill the process, run it again, then `follow`

use imperal::prelude::*;

imperal::extension! {
    app_id: "durable",
    name: "Book writer",
    description: "Writes a book chapter by chapter, and continues where a crash has cut it off.",
    icon: "icon.svg",
    capabilities: ["durable:write"],
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct BookParams {
    #[schemars(range(min = 1, max = 20))]
    chapters: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Book {
    titles: Vec<String>,
}

#[durable_task]
async fn write(ctx: TaskContext, params: BookParams) -> Result<ActionResult<Book>> {
    let (count, mut titles) = (params.chapters, Vec::new());
    for chapter in 1..=count {
        let title = ctx.step(("chapter", chapter), async |ctx| {
            ctx.progress(100 * (chapter - 1) / count, format!("Chapter {chapter} of {count}")).await?;
            tokio::time::sleep(Duration::from_secs(2)).await; // stands for a request that costs money
            Ok(format!("Chapter {chapter}"))
        });
        titles.push(title.await?);
    }
    Ok(ActionResult::success(Book { titles }, format!("The book has {count} chapters.")))
}

/// Writes a book in the background, and continues after a crash.
#[chat_function(action_type = "write", event = "book_written", effects = ["create:book"], data_model = Book, background)]
async fn write_book(ctx: Context, params: BookParams) -> Result<ActionResult> {
    ctx.durable_task(write::with(params)).await?;
    Ok(ActionResult::done("Sharpening the pencil…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn crashes_change_nothing(platform: imperal::testing::TestPlatform) {
    let three = async |_| serde_json::json!({"chapters": 3});
    let anna = platform.user("anna");
    anna.crash_at_each_step("write_book", three, async |outcome| assert_eq!(outcome.data::<Book>().titles.len(), 3))
        .await;
}
