//! Keeps what its user noted, and finds it again.
//! `cargo run --example documents -- call note text='buy milk' urgent=true`, then `call open_notes`

use imperal::documents::Collection;
use imperal::prelude::*;

imperal::extension! {
    app_id: "documents",
    name: "Notes",
    description: "Keeps notes, and lists the urgent ones first.",
    icon: "icon.svg",
    capabilities: ["documents:write"],
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Note {
    #[schemars(length(min = 1, max = 500))]
    text: String,
    #[serde(default)]
    urgent: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Notes {
    notes: Vec<Note>,
}

/// The notes of one user never meet those of another.
const NOTES: Collection<Note> = Collection::new("notes").index(["urgent", "text"]);

/// Keeps a note of the user.
#[chat_function(action_type = "write", event = "noted", effects = ["create:note"], data_model = Note)]
async fn note(ctx: Context, note: Note) -> Result<ActionResult<Note>> {
    ctx.documents(&NOTES).create(&note).await?;
    Ok(ActionResult::success(note, "Noted."))
}

/// Lists the notes, the urgent ones first.
#[chat_function(action_type = "read", data_model = Notes)]
async fn open_notes(ctx: Context, _params: Empty) -> Result<ActionResult<Notes>> {
    let found = ctx.documents(&NOTES).find().order_by("urgent").descending().await?;
    let notes: Vec<Note> = found.documents.into_iter().map(|one| one.value).collect();
    Ok(ActionResult::success(Notes { notes }, "Your notes, the urgent ones first."))
}

#[derive(Deserialize, JsonSchema)]
struct Empty {}
fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn urgent_notes_come_first(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    for (text, urgent) in [("milk", false), ("dentist", true)] {
        anna.call("note", serde_json::json!({"text": text, "urgent": urgent})).await.unwrap();
    }
    let found = anna.call("open_notes", serde_json::json!({})).await.unwrap();
    assert_eq!(serde_json::to_value(found.result).unwrap()["data"]["notes"][0]["text"], "dentist");
}
