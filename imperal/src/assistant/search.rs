//! Functions by the words of a text: for the tools of a large program, and for a chat without a model.

use std::collections::HashSet;

use serde_json::Value;

use crate::context::OfferedFunction;

/// Words that say nothing about a function.
const COMMON: [&str; 24] = [
    "the", "a", "an", "of", "to", "and", "or", "in", "on", "for", "with", "my", "me", "i", "it", "is", "please", "can",
    "you", "this", "that", "all", "from", "what",
];

/// The functions that fit a text, the best first, with how well each fits. Functions that do not fit are left out.
pub(crate) fn find<'a>(functions: &'a [OfferedFunction], text: &str) -> Vec<(&'a OfferedFunction, u32)> {
    let wanted: HashSet<String> = words(text).filter(|word| !COMMON.contains(&word.as_str())).collect();
    let mut found: Vec<_> = functions.iter().map(|function| (function, fit(function, &wanted))).collect();
    found.retain(|(_, fit)| *fit > 0);
    // The order of the program where the fit is equal.
    found.sort_by_key(|(_, fit)| std::cmp::Reverse(*fit));
    found
}

fn fit(function: &OfferedFunction, wanted: &HashSet<String>) -> u32 {
    let properties = function.schema["properties"].as_object();
    let params = properties.into_iter().flatten().map(|(name, schema)| {
        format!("{name} {}", schema.get("description").and_then(Value::as_str).unwrap_or_default())
    });
    let params = params.collect::<Vec<_>>().join(" ");
    let texts = [(function.function, 8), (function.description, 3), (params.as_str(), 1)];
    texts.iter().map(|(text, weight)| weight * hits(text, wanted)).sum()
}

fn hits(text: &str, wanted: &HashSet<String>) -> u32 {
    let words: HashSet<String> = words(text).collect();
    let hits = wanted.iter().filter(|wanted| words.iter().any(|word| is_alike(word, wanted)));
    u32::try_from(hits.count()).unwrap_or(u32::MAX)
}

/// Words that are equal but for their end: `refine`, `refines`, `refined`.
fn is_alike(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short == long || (short.chars().count() >= 4 && long.starts_with(short) && long.len() - short.len() <= 3)
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::context::ToolKind;

    fn function(name: &'static str, description: &'static str) -> OfferedFunction {
        OfferedFunction {
            tool: name.to_owned(),
            app_id: "app",
            function: name,
            description,
            kind: ToolKind::Read,
            schema: json!({"properties": {"package": {"description": "The parcel to look for"}}}),
            needs_form: false,
        }
    }

    #[test]
    fn names_come_before_descriptions_and_parameters() {
        let functions = [
            function("list_drafts", "Lists texts."),
            function("refine_text", "Mends a draft."),
            function("send", "Sends."),
        ];
        let names = |text| find(&functions, text).iter().map(|(function, _)| function.function).collect::<Vec<_>>();
        assert_eq!(names("please refine the draft"), ["refine_text", "list_drafts"]);
        assert_eq!(names("drafts?"), ["list_drafts", "refine_text"]);
        assert_eq!(names("where is my parcel"), ["list_drafts", "refine_text", "send"]);
        assert!(names("the of a").is_empty());
    }
}
