//! The tools of a prompt: the functions that a model is offered, and finding the one that it means.

use super::model::Tool;
use super::search::find;
use crate::context::{OfferedFunction, ToolKind};

/// Most tools of a prompt. In a larger program the words of the message choose.
const MOST_TOOLS: usize = 32;
/// Longest description, in bytes: endpoints refuse longer ones.
const DESCRIPTION: usize = 1000;

/// The functions that are offered for a message, in the order of the program.
pub(super) fn offered<'a>(functions: &'a [OfferedFunction], message: &str) -> Vec<&'a OfferedFunction> {
    let usable = || functions.iter().filter(|function| !function.needs_form);
    if usable().count() <= MOST_TOOLS {
        return usable().collect();
    }
    let fitting = find(functions, message).into_iter().map(|(function, _)| function).filter(|one| !one.needs_form);
    let mut chosen: Vec<&OfferedFunction> = fitting.take(MOST_TOOLS).collect();
    for function in usable() {
        if chosen.len() < MOST_TOOLS && !chosen.iter().any(|one| one.tool == function.tool) {
            chosen.push(function);
        }
    }
    usable().filter(|function| chosen.iter().any(|one| one.tool == function.tool)).collect()
}

/// The functions as tools.
pub(super) fn tools(functions: &[&OfferedFunction]) -> Vec<Tool> {
    let tool = |function: &&OfferedFunction| {
        let note = match function.kind {
            ToolKind::Read => "",
            ToolKind::Write => " It changes something.",
            ToolKind::Destructive => " It changes something for good; the user is asked first.",
        };
        let description = function.description.trim();
        let description = &description[..description.floor_char_boundary(DESCRIPTION)];
        Tool {
            name: function.tool.clone(),
            description: format!("{description}{note}"),
            schema: function.schema.clone(),
        }
    };
    functions.iter().map(tool).collect()
}

/// The function that a model means, also if it writes the name a little differently.
pub(super) fn meant<'a>(functions: &'a [OfferedFunction], name: &str) -> Option<&'a OfferedFunction> {
    let name = name.trim();
    let exact = |name: &str| functions.iter().find(|function| function.tool == name);
    exact(name).or_else(|| {
        // Models put `functions.` or the server's name before it.
        let plain = name.rsplit(['.', ':', '/']).next().unwrap_or(name).to_lowercase().replace('-', "_");
        let mut alike = functions.iter().filter(|function| function.tool.to_lowercase().replace('-', "_") == plain);
        alike.next().filter(|_| alike.next().is_none())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn function(name: String) -> OfferedFunction {
        let name: &'static str = Box::leak(name.into_boxed_str());
        OfferedFunction {
            tool: name.to_owned(),
            app_id: "app",
            function: name,
            description: "Does it.",
            kind: ToolKind::Read,
            schema: json!({}),
            needs_form: false,
        }
    }

    #[test]
    fn words_choose_among_many_functions() {
        let mut functions: Vec<_> = (0..60).map(|n| function(format!("f{n}"))).collect();
        functions.push(function("refine_text".to_owned()));
        functions.push(OfferedFunction { needs_form: true, ..function("refine_key".to_owned()) });
        let chosen = offered(&functions, "refine my text");
        assert_eq!(chosen.len(), MOST_TOOLS);
        assert_eq!(chosen[0].tool, "f0", "in the order of the program");
        assert_eq!(chosen.last().map(|one| one.tool.as_str()), Some("refine_text"));
    }

    #[test]
    fn names_that_are_a_little_different_are_found() {
        let functions = [function("refine_text".to_owned()), function("send".to_owned())];
        for name in ["refine_text", " functions.refine_text", "Refine-Text", "refine:refine_text"] {
            assert_eq!(meant(&functions, name).map(|one| one.function), Some("refine_text"), "{name}");
        }
        assert!(meant(&functions, "refine").is_none());
        assert!(meant(&functions, "").is_none());
    }
}
