//! A small extension, registered by hand as the macros do.

use imperal::__private::{ActionType, ExtensionDef, FunctionDef, inventory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)] // there for its schema
pub(crate) struct ListParams {
    /// Maximum rows
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) limit: u32,
    /// Only rows with this label
    pub(crate) label: Option<String>,
}

fn ten() -> u32 {
    10
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)] // there for its schema
pub(crate) struct RowIdParams {
    /// Row identifier
    pub(crate) row_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Row {
    pub(crate) row_id: String,
    pub(crate) amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
}

inventory::submit! {
    ExtensionDef {
        app_id: "tiny-ledger",
        name: "Tiny Ledger",
        description: "Keeps a very small ledger so manifests can be compared byte for byte.",
        icon: "icon.svg",
        capabilities: &["tiny-ledger:read", "tiny-ledger:write"],
        tool_name: "tiny_ledger",
        manifest_dir: env!("CARGO_MANIFEST_DIR"),
        module_path: module_path!(),
        file: file!(),
        line: line!(),
        ..ExtensionDef::BLANK
    }
}

const PLAIN: FunctionDef = FunctionDef {
    params_schema: |generator| generator.root_schema_for::<RowIdParams>(),
    return_schema: FunctionDef::data_schema::<Row>,
    module_path: module_path!(),
    file: file!(),
    ..FunctionDef::BLANK
};

inventory::submit! {
    FunctionDef {
        name: "list_rows",
        description: "List ledger rows, newest first.",
        params_schema: |generator| generator.root_schema_for::<ListParams>(),
        return_schema: FunctionDef::data_schema::<Rows>,
        line: line!(),
        ..PLAIN
    }
}

inventory::submit! {
    FunctionDef {
        name: "rebuild_row",
        description: "Recompute one ledger row in the background.",
        action_type: ActionType::Write,
        event: "tiny-ledger.rebuilt",
        effects: &["update:row"],
        background: true,
        long_running: true,
        line: line!(),
        ..PLAIN
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Recount {
    pub(crate) rows: u32,
}

/// Recount every ledger row, which no manifest mentions.
#[imperal::durable_task]
pub(crate) async fn recount_rows(
    _ctx: imperal::TaskContext,
    job: Recount,
) -> imperal::Result<imperal::ActionResult<Rows>> {
    Ok(imperal::ActionResult::success(Rows { rows: Vec::new() }, format!("Recounted {} rows.", job.rows)))
}

inventory::submit! {
    FunctionDef {
        name: "drop_row",
        description: "Delete one ledger row permanently.",
        action_type: ActionType::Destructive,
        event: "tiny-ledger.dropped",
        effects: &["delete:row"],
        id_projection: "row_id",
        line: line!(),
        ..PLAIN
    }
}
