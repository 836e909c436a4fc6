//! Documents on a ledger that loses answers: each write takes effect once, and undoes no later write of another.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use imperal::documents::Collection;
use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

use crate::lost_answers::LosesAnswers;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
    count: u32,
}

const NOTES: Collection<Note> = Collection::new("notes").index(["count"]);

fn note(text: &str, count: u32) -> Note {
    Note { text: text.to_owned(), count }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
struct Input {}

/// Write documents; each write loses its answers.
#[chat_function(action_type = "write", event = "noted", effects = ["update:notes"])]
async fn write_notes(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let ledger = ctx.state::<Arc<LosesAnswers>>()?.clone();
    let notes = ctx.documents(&NOTES);
    let lose = || ledger.to_lose.store(2, Ordering::SeqCst);
    let lose_one = || ledger.to_lose.store(1, Ordering::SeqCst);
    lose();
    notes.insert("a", &note("first", 1)).await?;
    lose();
    notes.put("b", &note("second", 2)).await?;
    lose();
    notes.patch("a", json!({"text": "patched"})).await?;
    lose();
    notes.update("a", |note| note.count += 10).await?;
    lose_one();
    let existed = notes.delete("b").await?;
    let left = ledger.to_lose.load(Ordering::SeqCst);
    let version = notes.get("a").await?.map(|found| found.version);
    Ok(ActionResult::done(format!("{existed} {left} {version:?}")))
}

#[tokio::test(start_paused = true)]
async fn documents_with_lost_answers_are_written_once() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).state(ledger).start().await;
    let anna = platform.user("anna");
    let reply = anna.call("write_notes", json!({})).await.unwrap();
    // Four writes of documents, the last of `a` among them: each took one version.
    assert_eq!(reply.turn.body.text, "true 0 Some(4)", "{:?}", reply.turn.body);
    let all = anna.documents(&NOTES).all().await;
    assert_eq!(all.iter().map(|one| one.value.clone()).collect::<Vec<_>>(), [note("patched", 11)]);
}

/// Write the document that a test watches.
#[chat_function(action_type = "write", event = "noted", effects = ["update:notes"])]
async fn write_note(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.state::<Arc<LosesAnswers>>()?.to_lose.store(1, Ordering::SeqCst);
    ctx.documents(&NOTES).put("a", &note("mine", 1)).await?;
    Ok(ActionResult::done("written"))
}

/// The first try was stored, and somebody else has changed the document since.
#[tokio::test(start_paused = true)]
async fn repeated_write_undoes_no_later_one() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).state(ledger).start().await;
    let anna = platform.user("anna");
    anna.documents(&NOTES).put("a", &note("before", 0)).await;
    let writing = tokio::spawn({
        let anna = platform.user("anna");
        async move { anna.call("write_note", json!({})).await.unwrap() }
    });
    while anna.documents(&NOTES).get("a").await.unwrap().text != "mine" {
        tokio::task::yield_now().await;
    }
    anna.documents(&NOTES).put("a", &note("theirs", 2)).await;
    let result = writing.await.unwrap().result;
    assert_eq!(result.error_code, Some(imperal::codes::UNAVAILABLE), "{result:?}");
    assert_eq!(anna.documents(&NOTES).get("a").await.unwrap().value, note("theirs", 2));
}

/// Write a document in a step whose answer is lost.
#[durable_task]
async fn note_in_step(ctx: TaskContext, _input: Input) -> Result<ActionResult> {
    let ledger = ctx.state::<Arc<LosesAnswers>>()?.clone();
    let ledger = &ledger;
    ctx.step("write", async |ctx| {
        ctx.documents(&NOTES).insert("a", &note("in a step", 1)).await?;
        ledger.to_lose.store(1, Ordering::SeqCst);
        Ok(())
    })
    .await?;
    Ok(ActionResult::done("done"))
}

/// Start a task that writes a document in a step.
#[chat_function(action_type = "write", event = "noted", effects = ["update:notes"])]
async fn start_noting(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(note_in_step::with(Input {})).await?;
    Ok(ActionResult::done("started"))
}

#[tokio::test(start_paused = true)]
async fn step_with_documents_and_a_lost_answer_is_stored_once() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).state(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("start_noting", json!({})).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    assert_eq!(ledger.to_lose.load(Ordering::SeqCst), 0, "the answers were lost");
    let found = anna.documents(&NOTES).get("a").await.unwrap();
    assert_eq!((found.value, found.version), (note("in a step", 1), 1));
    assert_eq!(anna.access().steps(task_id, 0, 10).await.unwrap().rows.len(), 1);
}

/// A call, a background task and a durable task that use no documents.
#[tokio::test(start_paused = true)]
async fn work_without_documents_asks_the_ledger_for_none() {
    let ledger = Arc::new(LosesAnswers::default());
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    for (function, params) in
        [("nap", json!({"seconds": 5})), ("say", json!({"later": true})), ("start_paying", json!({"ends": true}))]
    {
        let task_id = anna.start(function, params).await;
        assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded, "{function}");
    }
    assert_eq!(ledger.document_requests.load(Ordering::SeqCst), 0);
}
