//! The assistant: its loop over a scripted model, its approvals, and what text in results cannot make it do.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod approvals;
mod conversation;
mod crashes;
mod injection;
mod limits;
mod robustness;

use std::sync::{Arc, Mutex};

use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup};

imperal::extension! {
    app_id: "drafts",
    name: "Drafts",
    description: "Keeps drafts of texts, for tests of the assistant.",
    icon: "icon.svg",
    capabilities: ["drafts:write"],
}

/// The functions that ran, with their parameters. It outlives a crash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|ran| ran.starts_with(what)).count()
    }
}

/// What `list_drafts` returns: text that strangers wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Foreign(Arc<Mutex<String>>);

impl Foreign {
    pub(crate) fn set(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap());
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Drafts {
    drafts: Vec<String>,
}

/// List all drafts with their texts.
#[chat_function(action_type = "read")]
async fn list_drafts(ctx: Context, _params: Nothing) -> Result<ActionResult<Drafts>> {
    ctx.state::<Ran>()?.note("list_drafts");
    let text = ctx.state::<Foreign>()?.0.lock().unwrap().clone();
    Ok(ActionResult::success(Drafts { drafts: vec![text] }, "One draft."))
}

#[derive(Deserialize, JsonSchema)]
struct CountTo {
    /// The last number.
    n: i64,
    /// Backwards.
    back: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Counted {
    numbers: Vec<i64>,
}

/// Count from one to a number.
#[chat_function(action_type = "read")]
async fn count_to(ctx: Context, params: CountTo) -> Result<ActionResult<Counted>> {
    ctx.state::<Ran>()?.note(format!("count_to {} {:?}", params.n, params.back));
    Ok(ActionResult::success(Counted { numbers: (1..=params.n).collect() }, "Counted."))
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

/// Keep a note with a text.
#[chat_function(action_type = "write", event = "note.kept", effects = ["create:note"])]
async fn keep_note(ctx: Context, params: Note) -> Result<ActionResult> {
    ctx.state::<Ran>()?.note(format!("keep_note {}", params.text));
    Ok(ActionResult::done("Kept."))
}

/// Note the mood of the user, for their eyes only.
#[chat_function(action_type = "write", event = "mood.noted", effects = ["update:mood"], safe)]
async fn note_mood(ctx: Context, params: Note) -> Result<ActionResult> {
    ctx.state::<Ran>()?.note(format!("note_mood {}", params.text));
    Ok(ActionResult::done("Noted."))
}

#[derive(Deserialize, JsonSchema)]
struct Draft {
    id: i64,
}

/// Delete a draft for good.
#[chat_function(action_type = "destructive", event = "draft.deleted", effects = ["delete:draft"])]
async fn delete_draft(ctx: Context, params: Draft) -> Result<ActionResult> {
    ctx.state::<Ran>()?.note(format!("delete_draft {}", params.id));
    Ok(ActionResult::done(format!("Draft {} is deleted.", params.id)))
}

#[derive(Deserialize, JsonSchema)]
struct Key {
    #[schemars(extend("writeOnly" = true))]
    key: String,
}

/// Set the key of the service.
#[chat_function(action_type = "write", event = "key.set", effects = ["update:key"])]
async fn set_key(ctx: Context, params: Key) -> Result<ActionResult> {
    ctx.state::<Ran>()?.note(format!("set_key {}", params.key));
    Ok(ActionResult::done("Set."))
}

/// Refine all drafts in the background.
#[chat_function(action_type = "write", event = "drafts.refined", effects = ["update:draft"], background)]
async fn refine_drafts(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        ctx.progress(50, "Refining").await?;
        Ok(ActionResult::done("All drafts are refined."))
    })
    .await?;
    Ok(ActionResult::done("Refining the drafts…"))
}

/// Wait for a minute, then answer.
#[chat_function(action_type = "read")]
async fn wait_long(ctx: Context, _params: Nothing) -> Result<ActionResult<Counted>> {
    ctx.state::<Ran>()?.note("wait_long");
    tokio::time::sleep(Duration::from_secs(60)).await;
    ctx.state::<Ran>()?.note("waited");
    Ok(ActionResult::success(Counted { numbers: vec![] }, "Waited."))
}

/// Write something, for a minute.
#[chat_function(action_type = "write", event = "note.written", effects = ["create:note"])]
async fn slow_write(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.state::<Ran>()?.note("slow_write");
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(ActionResult::done("Written."))
}

/// A platform with a scripted model.
pub(crate) fn setup() -> (TestSetup, Ran, Foreign) {
    let (ran, foreign) = (Ran::default(), Foreign::default());
    (TestPlatform::setup().model().state(ran.clone()).state(foreign.clone()), ran, foreign)
}

pub(crate) async fn start() -> (TestPlatform, Ran, Foreign) {
    let (setup, ran, foreign) = setup();
    (setup.start().await, ran, foreign)
}
