//! The tools: one per chat function that a client may call, and two of the platform for work that takes long.

use std::collections::HashMap;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Destructive, McpSettings};
use crate::function::{ActionType, FunctionDef, InputSchema};
use crate::platform::Platform;

/// Asks for the state of work that was not done in time.
pub(super) const TASK_STATUS: &str = "task_status";
/// Stops work.
pub(super) const TASK_CANCEL: &str = "task_cancel";

/// Longest name. Clients put the server's name before it, and refuse more than 64.
const NAME_LIMIT: usize = 40;

/// A chat function as a tool.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) app_id: &'static str,
    pub(super) function: &'static FunctionDef,
    pub(super) way: Way,
}

/// How a function is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a call.
    Call,
    /// By its user on the page, because it needs a parameter that a model must not give. It is not offered.
    Form,
    /// By its user on the page, because it destroys something. It is offered, so that a model can point to the page.
    Confirm,
}

/// All tools of a platform.
#[derive(Debug)]
pub(super) struct Tools {
    offered: Vec<Tool>,
    entries: HashMap<String, Entry>,
}

impl Tools {
    /// The tools of this platform's functions, in the order of the functions.
    pub(super) fn of(platform: &Platform, settings: &McpSettings) -> Self {
        let registry = platform.registry();
        let is_only = registry.extensions().len() == 1;
        let mut tools = Self { offered: Vec::new(), entries: HashMap::new() };
        for extension in registry.extensions() {
            for function in extension.functions() {
                let is_taken = |name: &str| tools.entries.contains_key(name);
                let name = tool_name(extension.app_id(), function.name, is_only, is_taken);
                let params = platform.params_schema(extension.app_id(), function).cloned().unwrap_or_default();
                let input = InputSchema::of(&params);
                let way = match function.action_type {
                    _ if input.needs_form => Way::Form,
                    ActionType::Destructive if settings.destructive == Destructive::Confirm => Way::Confirm,
                    _ => Way::Call,
                };
                if way != Way::Form {
                    tools.offered.push(tool(&name, function, input, way));
                }
                tools.entries.insert(name, Entry { app_id: extension.app_id(), function, way });
            }
        }
        tools.offered.extend([status_tool(), cancel_tool()]);
        tools
    }

    /// The tools that clients see.
    pub(super) fn offered(&self) -> &[Tool] {
        &self.offered
    }

    /// The function behind a tool, also one that is not offered.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }
}

/// The name of a function's tool: the function's own, with the extension's in front where there are several. A name that
/// is too long or taken is cut and gets a digest.
fn tool_name(app_id: &str, function: &str, is_only: bool, is_taken: impl Fn(&str) -> bool) -> String {
    let full = format!("{app_id}_{function}");
    let plain = |name: &str| -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    };
    let name = plain(if is_only { function } else { &full });
    if name.len() <= NAME_LIMIT && ![TASK_STATUS, TASK_CANCEL].contains(&&*name) && !is_taken(&name) {
        return name;
    }
    let digest = format!("{:x}", Sha256::digest(&full));
    format!("{}_{}", &name[..name.len().min(NAME_LIMIT - 9)], &digest[..8])
}

fn tool(name: &str, function: &FunctionDef, input: InputSchema, way: Way) -> Tool {
    let mut description = function.description.trim().to_owned();
    if way == Way::Confirm {
        description.push_str("\n\nThe user confirms it on the chat page: a call answers with the page's address.");
    }
    let title = title(function.name);
    Tool::new(name.to_owned(), description, Arc::new(input.schema))
        .with_annotations(annotations(function.action_type).clone())
        .with_title(title)
}

/// What a client may assume about a function. Clients must not rely on it.
fn annotations(action: ActionType) -> ToolAnnotations {
    match action {
        ActionType::Read => ToolAnnotations::new().read_only(true),
        ActionType::Write => ToolAnnotations::new().read_only(false).destructive(false),
        ActionType::Destructive => ToolAnnotations::new().read_only(false).destructive(true),
    }
}

/// `refine_package` as people write it: `Refine package`.
fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

fn status_tool() -> Tool {
    let text = "State and result of work that was not done in time. It waits up to `wait_seconds` for the end. Pass the id \
                that the first answer named.";
    let input = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The id of the work"},
            "wait_seconds": {
                "type": "integer", "minimum": 0, "maximum": 45,
                "description": "How long to wait for the end; as long as possible when absent",
            },
        },
        "required": ["id"],
    });
    own_tool(TASK_STATUS, "Task status", text, input).with_annotations(ToolAnnotations::new().read_only(true))
}

fn cancel_tool() -> Tool {
    let text = "Stops work that was not done in time. What it did so far stays as it is.";
    let input = json!({
        "type": "object",
        "properties": {"id": {"type": "string", "description": "The id of the work"}},
        "required": ["id"],
    });
    let annotations = ToolAnnotations::new().read_only(false).destructive(false).idempotent(true);
    own_tool(TASK_CANCEL, "Cancel task", text, input).with_annotations(annotations)
}

fn own_tool(name: &'static str, title: &str, text: &'static str, input: Value) -> Tool {
    let input = match input {
        Value::Object(input) => input,
        _ => JsonObject::new(),
    };
    Tool::new(name, text, Arc::new(input)).with_title(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_never_taken() {
        let free = |_: &str| false;
        assert_eq!(tool_name("desk", "add", true, free), "add");
        assert_eq!(tool_name("desk", "add", false, free), "desk_add");
        for name in [TASK_STATUS, TASK_CANCEL] {
            assert_ne!(tool_name("desk", name, true, free), name, "it is the platform's");
        }
        let taken = tool_name("desk", "add", true, |name| name == "add");
        assert!(taken.starts_with("add_") && taken.len() == 12, "{taken}");
        let long = tool_name("desk", &"a".repeat(60), true, free);
        assert_eq!(long.len(), NAME_LIMIT);
        assert_ne!(long, tool_name("desk", &"a".repeat(61), true, free), "names that are cut stay apart");
        assert_eq!(tool_name("my.desk", "add/é", false, free), "my_desk_add__");
    }
}
