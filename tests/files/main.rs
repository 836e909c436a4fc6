//! Files of extensions: what handlers and steps may write, which parameters name a file, who sees it, what is left after
//! a crash.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod handlers;
mod parameters;
mod rows;
#[path = "../support/scripted_work.rs"]
mod scripted_work;
mod steps;

use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

use self::scripted_work::*;

imperal::extension! {
    app_id: "files",
    name: "Files",
    description: "Keeps the files that a test gives it, and reads those of a call.",
    icon: "icon.svg",
    capabilities: ["files:write"],
}

#[derive(Deserialize, JsonSchema)]
struct ReadParams {
    /// The file.
    file: FileRef,
    /// More files, of which some may be missing.
    #[serde(default)]
    more: Vec<Option<FileRef>>,
    /// A picture.
    #[schemars(extend("contentMediaType" = "image/*"))]
    picture: Option<FileRef>,
}

#[derive(Serialize, JsonSchema)]
struct Read {
    files: Vec<FileRef>,
    text: String,
}

/// Read the files of a call.
#[chat_function(action_type = "read")]
async fn read_files(ctx: Context, params: ReadParams) -> Result<ActionResult<Read>> {
    let files: Vec<_> =
        [params.file].into_iter().chain(params.more.into_iter().flatten()).chain(params.picture).collect();
    let mut text = String::new();
    for file in &files {
        text.push_str(&String::from_utf8_lossy(&ctx.files().get(file).await?));
    }
    Ok(ActionResult::success(Read { files, text: text.clone() }, text))
}

fn names(files: &[FileRef]) -> Vec<&str> {
    files.iter().map(|file| &*file.name).collect()
}
