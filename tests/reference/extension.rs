//! Compares the manifests of one extension in both languages: every kind of function, every flag.
//!
//! The Python half is `python/extension.py`. Manifests are compared byte for byte, as generated and as
//! built over files on disk. (The reference generates without an icon here, because it looks for the file
//! in the working folder.)

use std::path::Path;

use imperal::function::Registry;
use imperal::manifest::{build, export};
use imperal::prelude::*;
use imperal::{Secret, SecretWriter};

use crate::{Row, python};

imperal::extension! {
    app_id: "every-kind",
    version: "1.2.3",
    name: "Every kind",
    description: "Has a function of every kind, so that manifests can be compared: größer, 日本語.",
    icon: "icon.svg",
    capabilities: ["every-kind:read", "every-kind:write", "*"],
    secrets: [API_KEY, REFRESH_TOKEN, SHARED_KEY],
}

const API_KEY: Secret = Secret::new("api_key", "Key of the service: größer, 日本語.").required().max_bytes(200);
const REFRESH_TOKEN: Secret =
    Secret::new("refresh_token", "Written after the sign-in.").written_by(SecretWriter::Both).rotate_after_days(30);
const SHARED_KEY: Secret =
    Secret::new("shared_key", "One key for all users.").of_app().env_fallback("IMPERAL_APPSECRET_EVERY_KIND");

/// Finds rows.
#[derive(Deserialize, JsonSchema)]
struct FindParams {
    /// What to look for
    #[schemars(length(min = 1, max = 200))]
    query: String,
    /// Maximum rows
    #[serde(default = "crate::seven")]
    #[schemars(range(min = 1, max = 100))]
    limit: i32,
    /// How sure to be
    #[serde(default = "crate::tiny")]
    threshold: f64,
    labels: Option<Vec<String>>,
    sort: Option<Sort>,
    window: Option<Window>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Newest,
    MostUsed,
}

#[derive(Deserialize, JsonSchema)]
struct Window {
    since: jiff::Timestamp,
    until: Option<jiff::Timestamp>,
}

#[derive(Deserialize, JsonSchema)]
struct RowIdParams {
    /// Row identifier
    row_id: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct LedgerRow {
    row_id: String,
    amount: i64,
    note: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Rows {
    rows: Vec<LedgerRow>,
    total: u64,
}

/// Find rows of the ledger by text.
#[imperal::chat_function(action_type = "read")]
async fn find_rows(_ctx: imperal::Context, _params: FindParams) -> Result<ActionResult<Rows>> {
    Err(Error::cancelled())
}

/// Count the rows of the ledger.
#[imperal::chat_function(action_type = "read", chain_callable = false)]
async fn count_rows(_ctx: imperal::Context, _params: Nothing) -> Result<ActionResult<Rows>> {
    Err(Error::cancelled())
}

/// Recompute one row of the ledger.
#[imperal::chat_function(action_type = "write", event = "every-kind.rebuilt", effects = ["update:row", "create:note"])]
async fn rebuild_row(_ctx: imperal::Context, _params: RowIdParams) -> Result<ActionResult<LedgerRow>> {
    Err(Error::cancelled())
}

/// Recompute the whole ledger, in the background.
// The only function without a type of its data; the reference allows such functions too.
#[allow(deprecated)]
#[imperal::chat_function(
    action_type = "write",
    event = "every-kind.all_rebuilt",
    effects = ["update:row"],
    background,
    long_running
)]
async fn rebuild_all(ctx: imperal::Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(ActionResult::done("Rebuilt.")) }).long_running(true).await?;
    Ok(ActionResult::done("Rebuilding…"))
}

/// Delete one row of the ledger for good.
#[imperal::chat_function(
    name = "drop_row",
    description = "Delete one row of the ledger permanently: \"gone\" & <not> coming back.",
    action_type = "destructive",
    event = "every-kind.dropped",
    effects = ["delete:row"],
    id_projection = "row_id",
    data_model = LedgerRow
)]
async fn remove(_ctx: imperal::Context, _params: RowIdParams) -> Result<ActionResult> {
    Ok(ActionResult::done("Dropped."))
}

/// Looks at the rows.
#[imperal::schedule(cron = "*/15 8-18 * * mon-fri", spread = "10m")]
async fn check_rows(_ctx: imperal::Context) -> Result<()> {
    Ok(())
}

#[imperal::schedule(cron = "@weekly")]
async fn tidy(_ctx: imperal::Context) -> Result<()> {
    Ok(())
}

pub(crate) fn prove() -> Vec<Row> {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("every-kind").unwrap();
    let theirs = python::run("extension.py", "");
    let mut row = Row { what: "one extension, manifest", equal: 0, explained: vec![], unexplained: vec![] };
    let mut exported = export(extension);
    exported.icon_size_bytes = None;
    let named = "generated, no file on disk";
    judge(&mut row, named, &exported.to_json(), theirs["generated"].as_str().unwrap());
    // The same files on disk, with marketplace texts and unknown keys.
    for (name, before) in theirs["disk"].as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "imperal.json", before.as_str().unwrap());
        write(folder.path(), "icon.svg", theirs["icon"].as_str().unwrap());
        build(extension, folder.path()).unwrap();
        let ours = std::fs::read_to_string(folder.path().join("imperal.json")).unwrap();
        let theirs = theirs["built"][name].as_str().unwrap();
        let kept: &[&str] = match name.as_str() {
            "unknown keys and stale sections on disk" => &["webhooks", "config_defaults"],
            _ => &[],
        };
        judge_built(&mut row, name, &ours, theirs, kept);
    }
    vec![row]
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Two reasoned differences over a file on disk: we keep sections that the code cannot declare, which the
/// reference drops, and we write the name, description and icon of the code, where the reference keeps the
/// file's.
fn judge_built(row: &mut Row, name: &str, ours: &str, theirs: &str, kept: &[&str]) {
    if ours == theirs && kept.is_empty() {
        row.equal += 1;
        return;
    }
    let mut ours: serde_json::Value = serde_json::from_str(ours).unwrap();
    let mut theirs: serde_json::Value = serde_json::from_str(theirs).unwrap();
    let mut reasons = Vec::new();
    for key in kept {
        assert!(ours.as_object_mut().unwrap().shift_remove(*key).is_some(), "{key} is kept");
        reasons.push("sections that code cannot declare yet stay as they are written");
    }
    reasons.dedup();
    for key in ["name", "description", "icon"] {
        if theirs[key] != ours[key] {
            theirs[key] = ours[key].clone();
            reasons.push("the code's name, description and icon win");
        }
    }
    reasons.dedup();
    // As text, so that the order of keys counts. The keys that the reference keeps are behind the others.
    let without_texts = |manifest: &serde_json::Value| {
        let mut manifest = manifest.clone();
        for key in ["name", "description", "icon"] {
            manifest.as_object_mut().unwrap().shift_remove(key);
        }
        manifest.to_string()
    };
    if ours == theirs && without_texts(&ours) == without_texts(&theirs) {
        row.explained.push((name.to_owned(), reasons.join("; ")));
    } else {
        row.unexplained.push((name.to_owned(), format!("--- ours\n{ours:#}\n--- theirs\n{theirs:#}")));
    }
}

fn judge(row: &mut Row, name: &str, ours: &str, theirs: &str) {
    if ours == theirs {
        row.equal += 1;
        return;
    }
    let at = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b).unwrap_or_default();
    let line = |text: &str| text.lines().skip(at.saturating_sub(2)).take(6).collect::<Vec<_>>().join("\n");
    let found = format!("from line {at}\n--- ours\n{}\n--- theirs\n{}", line(ours), line(theirs));
    row.unexplained.push((name.to_owned(), found));
}
