//! Refines a draft with a completion service: the three ways to do slow work, side by side.
//!
//! `check_text` answers at once. `refine_now` waits for one call of the service (pattern A); its words appear as they come.
//! `refine_output` acknowledges, works in the background, and posts the result (pattern B).
//! `refine_document` does the same for a whole document as a durable task: after a crash or a deploy it
//! continues with the next paragraph. Every wait can be cancelled without extra code.

mod clean;
mod completion;
mod service;

use completion::Completions;
use imperal::context::{Draft, MsgType};
use imperal::prelude::*;

imperal::extension! {
    app_id: "refine",
    name: "Text refiner",
    description: "Refines a draft with an AI completion service and posts the result in the chat.",
    icon: "icon.svg",
    capabilities: ["refine:read", "refine:write"],
}

#[derive(Deserialize, JsonSchema)]
struct RefineParams {
    /// Text to refine.
    #[schemars(length(min = 1, max = 20_000))]
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct DocumentParams {
    /// Document to refine; paragraphs are separated by an empty line.
    #[schemars(length(min = 1, max = 200_000))]
    document: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Refined {
    /// The refined text.
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct RefinedDocument {
    /// The refined document.
    text: String,
    /// How many paragraphs it has.
    paragraphs: usize,
    /// How many of them were changed.
    changed: usize,
}

/// Most paragraphs of a document: each is a step, and a task has at most 10,000.
const PARAGRAPHS: usize = 10_000;

#[derive(Serialize, Deserialize, JsonSchema)]
struct TextCheck {
    /// Words of the text.
    words: usize,
    /// Sentences of the text.
    sentences: usize,
    /// Corrections that refining would make, by kind.
    findings: Vec<Finding>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Finding {
    /// What is wrong.
    kind: String,
    /// How often.
    count: usize,
}

/// Count words and sentences and name what refining the text would mend.
#[chat_function(action_type = "read")]
async fn check_text(_ctx: Context, params: RefineParams) -> Result<ActionResult<TextCheck>> {
    let findings: Vec<Finding> = clean::findings(&params.text)
        .into_iter()
        .map(|(kind, count)| Finding { kind: kind.to_owned(), count })
        .collect();
    let total: usize = findings.iter().map(|finding| finding.count).sum();
    let check = TextCheck { words: clean::words(&params.text), sentences: clean::sentences(&params.text), findings };
    let summary = match total {
        0 => format!("{}, nothing to mend.", counted(check.words, "word")),
        n => format!("{}, {} to mend.", counted(check.words, "word"), counted(n, "thing")),
    };
    Ok(ActionResult::success(check, summary))
}

/// Refine a short text while the chat waits: the words appear as they are written.
#[chat_function(action_type = "write", event = "text_refined", effects = ["update:text"])]
async fn refine_now(ctx: Context, params: RefineParams) -> Result<ActionResult<Refined>> {
    let text = ctx.state::<Completions>()?.refine(&ctx, &params.text, Duration::from_secs(60)).await?;
    Ok(ActionResult::success(Refined { text }, "Refined."))
}

/// Refine the given text in the background via AI completion and post the result.
#[chat_function(action_type = "write", event = "text_refined", effects = ["update:text"], data_model = Refined, background)]
async fn refine_output(ctx: Context, params: RefineParams) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.progress(10, "Reading the draft").await?;
        let findings = clean::findings(&params.text).iter().map(|(_, count)| count).sum::<usize>();
        ctx.deliver_chat_message(format!(
            "The draft has {} to mend. Generating now.",
            counted(findings, "obvious thing")
        ))
        .msg_type(MsgType::System)
        .await?;
        ctx.progress(30, "Generating with AI").await?;
        let text = ctx.state::<Completions>()?.refine(&ctx, &params.text, Duration::from_secs(120)).await?;
        ctx.progress(90, "Saving").await?;
        Ok(ActionResult::success(Refined { text }, "Refined output ready!"))
    })
    .await?;
    Ok(ActionResult::done("Refining your text in the background…"))
}

/// Refines paragraphs, each in a step: a refined one is never generated again.
#[durable_task]
async fn refine_paragraphs(ctx: TaskContext, paragraphs: Vec<String>) -> Result<ActionResult<RefinedDocument>> {
    let count = paragraphs.len();
    let mut refined = Vec::with_capacity(count);
    let mut earlier: Option<Draft> = None;
    for (done, paragraph) in paragraphs.iter().enumerate() {
        let mut is_new = false;
        let text = ctx.step(("paragraph", done + 1), async |ctx| {
            is_new = true;
            ctx.progress(done * 100 / count, format!("Paragraph {} of {count}", done + 1)).await?;
            ctx.state::<Completions>()?.refine(&ctx, paragraph, Duration::from_secs(120)).await
        });
        let text = text.await?;
        // A stored paragraph of an earlier attempt writes no draft: the reader sees it again, before the new ones.
        if !is_new {
            let draft = match &mut earlier {
                Some(draft) => draft,
                none => none.insert(ctx.draft()?),
            };
            let gap = if draft.text().is_empty() { "" } else { "\n\n" };
            draft.push(format!("{gap}{text}")).await?;
        }
        refined.push(text);
    }
    ctx.progress(100, "Putting it together").await?;
    let changed = refined.iter().zip(&paragraphs).filter(|(new, old)| new != old).count();
    let summary = format!("Refined {}; {changed} changed.", counted(count, "paragraph"));
    Ok(ActionResult::success(RefinedDocument { text: refined.join("\n\n"), paragraphs: count, changed }, summary))
}

/// Refine a whole document paragraph by paragraph in the background, up to half an hour.
#[chat_function(
    action_type = "write",
    event = "document_refined",
    effects = ["update:document"],
    data_model = RefinedDocument,
    background,
    long_running
)]
async fn refine_document(ctx: Context, params: DocumentParams) -> Result<ActionResult> {
    let paragraphs: Vec<String> =
        params.document.split("\n\n").map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
    let count = paragraphs.len();
    if count == 0 {
        return Ok(ActionResult::error("NOTHING_TO_REFINE", "The document has no text in it."));
    }
    if count > PARAGRAPHS {
        let text = format!("The document has {count} paragraphs, more than {PARAGRAPHS}. Refine it in parts.");
        return Ok(ActionResult::error("TOO_MANY_PARAGRAPHS", text));
    }
    ctx.durable_task(refine_paragraphs::with(paragraphs))
        .name(format!("Document of {}", counted(count, "paragraph")))
        .long_running(true)
        .await?;
    Ok(ActionResult::done(format!("Refining {} in the background…", counted(count, "paragraph"))))
}

/// `1 word`, `2 words`.
fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn main() -> ExitCode {
    imperal::App::new().state(Completions::from_env()).run()
}

#[cfg(test)]
mod tests {
    use imperal::testing::{Chunks, Reply, TestSetup};
    use serde_json::json;

    use super::*;

    #[imperal::test]
    async fn a_crash_refines_one_paragraph_again(setup: TestSetup) {
        let platform = setup.state(Completions::from_env()).start().await;
        let answer = Reply::json(json!({"choices": [{"message": {"content": "It is done."}}]}));
        let service = platform.http().post("*/chat/completions").reply(answer.after(Duration::from_secs(5)));
        let anna = platform.user("anna");
        let document = json!({"document": "it  is done\n\nIt is done.\n\nteh end"});
        let task = anna.start("refine_document", document).await;
        platform.pass(Duration::from_secs(8)).await;
        platform.crash().await;
        let outcome = anna.outcome(task).await;
        outcome.assert_success().assert_says("Refined 3 paragraphs; 2 changed.");
        assert_eq!(outcome.drafts(), ["It is done."], "the stored paragraph, which the reader sees again");
        assert_eq!(service.calls(), 4, "three paragraphs, and the second one again");
    }

    fn part(words: &str) -> String {
        json!({"choices": [{"index": 0, "delta": {"content": words}}]}).to_string()
    }

    #[imperal::test]
    async fn the_words_appear_as_they_come(setup: TestSetup) {
        let platform = setup.state(Completions::from_env()).start().await;
        let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
        let words = Chunks::new().event(part("It is")).pause(Duration::from_secs(100)).event(part(" done."));
        platform.http().post("*/chat/completions").reply(Reply::stream(words.event(last).event("[DONE]")));
        let outcome = platform.user("anna").run("refine_output", json!({"text": "it  is done"})).await;
        assert_eq!(outcome.assert_success().data::<Refined>().text, "It is done.");
        assert_eq!(outcome.drafts(), ["It is done."]);
    }

    #[imperal::test]
    async fn a_text_that_stops_in_its_middle_is_an_error_that_keeps_it(setup: TestSetup) {
        let platform = setup.state(Completions::from_env()).start().await;
        platform.http().post("*/chat/completions").reply(Reply::events([part("It is")]));
        let outcome = platform.user("anna").run("refine_output", json!({"text": "it  is done"})).await;
        outcome.assert_code("COMPLETION_CUT_OFF");
        assert_eq!(outcome.turn.body.partial.as_deref(), Some("It is"));
    }

    #[test]
    fn the_manifest_is_fresh() {
        imperal::assert_manifest_is_fresh!();
    }
}
