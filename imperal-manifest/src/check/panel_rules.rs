//! The rules on the nodes of a panel's tree (M22) and on its slot (M31).

use serde_json::{Map, Value};

use super::collector::Collector;
use super::lookup::{objects, text};
use crate::fields::INPUT_TYPES;
use crate::finding::Level;
use crate::structure::{describe, input_type_fault};
use crate::trail::Trail;

/// Checks every panel of a manifest.
pub(super) fn check_panels(manifest: &Map<String, Value>, findings: &mut Collector) {
    for (at, panel) in objects(manifest, "panels") {
        let slot = text(panel, "slot");
        if matches!(slot, "overlay" | "bottom" | "chat-sidebar") {
            let message = format!("the platform draws nothing in the slot `{slot}`");
            findings.warn("M31", format!("{at}.slot"), message, "use `center`, `left` or `right`");
        }
        if let Some(props) = panel.get("tree").and_then(|tree| tree.get("props")) {
            let root = format!("{at}.tree.props");
            nodes(props, &Trail::at(&root), findings);
        }
    }
}

/// Checks the nodes below a panel's root. An object with `type` and `props` is a node; any other object is
/// data of the node around it.
fn nodes(value: &Value, at: &Trail<'_>, findings: &mut Collector) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                nodes(item, &at.index(index), findings);
            }
        }
        Value::Object(fields) => {
            let is_node = fields.contains_key("type") && fields.contains_key("props");
            if is_node {
                node(fields, at, findings);
            }
            for (key, item) in fields {
                nodes(item, &at.key(key), findings);
            }
        }
        _ => {}
    }
}

fn node(fields: &Map<String, Value>, at: &Trail<'_>, findings: &mut Collector) {
    if fields.get("type").and_then(Value::as_str).is_none_or(str::is_empty) && !findings.omits(Level::Error) {
        let fix = "name what is drawn, `\"type\": \"Text\"` for example";
        findings.error("M22", format!("{at}.type"), format!("the node at `{at}` has no type"), fix);
    }
    if !fields.get("props").is_some_and(Value::is_object) && !findings.omits(Level::Error) {
        let message = format!("the `props` of the node at `{at}` are not an object");
        findings.error("M22", format!("{at}.props"), message, "write `\"props\": {}`");
    }
    if let Some(value) = input_type_fault(fields)
        && !findings.omits(Level::Error)
    {
        let message = format!("the input at `{at}` has the unknown type {}", describe(value));
        let fix = format!("write one of {}", INPUT_TYPES.join(", "));
        findings.error("M22", format!("{at}.props.type"), message, fix);
    }
}
