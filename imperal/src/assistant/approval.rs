//! The question in which a user approves a call: its text, and the name of the deed.

use serde_json::Value;

use super::trim::cut;
use crate::context::{CallApproval, ToolKind};

/// Bytes of the parameters in the text. The page also shows all of them.
const PARAMS: usize = 2_000;

/// `delete_draft` as people write it: `Delete draft`.
pub(super) fn readable(function: &str) -> String {
    let words = function.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

/// The text of the question.
pub(super) fn question(approval: &CallApproval) -> String {
    let deed = readable(&approval.function);
    let for_good = match approval.kind {
        ToolKind::Destructive => " This cannot be undone.",
        ToolKind::Read | ToolKind::Write => "",
    };
    let params = params(&approval.params);
    format!("The assistant wants to run {deed}{params}.{for_good} It was asked for by the assistant, not typed by you.")
}

fn params(params: &Value) -> String {
    let Some(fields) = params.as_object().filter(|fields| !fields.is_empty()) else {
        return " without parameters".to_owned();
    };
    let each = fields.iter().map(|(name, value)| format!("{name}: {value}"));
    format!(" with {}", cut(&each.collect::<Vec<_>>().join(", "), PARAMS))
}
