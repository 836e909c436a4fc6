//! The tools of a prompt: the functions that a model is offered, and finding the one that it means.
//!
//! In a large program the words of the message choose the tools, and one more tool finds the others. The search runs in the
//! loop: its result is made of the program's own texts and the stored reply, so every attempt makes the same.

use serde_json::json;

use super::arguments::read_arguments;
use super::model::{Tool, WantedCall};
use super::search::find;
use crate::context::{OfferedFunction, ToolKind};
use crate::truncate::truncate_line;

/// Most tools of a prompt.
const MOST_TOOLS: usize = 32;
/// Longest name that is quoted to the model, in bytes.
const NAME: usize = 100;
/// Longest description, in bytes: endpoints refuse longer ones.
const DESCRIPTION: usize = 1000;

/// Functions that a search finds at once.
const FOUND: usize = 8;
/// The name of the tool that finds functions.
const SEARCH: &str = "find_functions";

/// The tools of a conversation. A model may call every function; the tools say which there are.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    functions: &'a [OfferedFunction],
    /// The offered ones, the latest found first.
    chosen: Vec<&'a OfferedFunction>,
    /// The name of the tool that finds others, if not all are offered.
    search: Option<String>,
}

impl<'a> Offer<'a> {
    /// The functions that are offered for a message: all, or those that fit its words.
    pub(super) fn new(functions: &'a [OfferedFunction], message: &str) -> Self {
        let mut offer = Self { functions, chosen: usable(functions).collect(), search: None };
        if offer.chosen.len() > MOST_TOOLS {
            let taken = |name: &String| meant(functions, name).is_some();
            let mut names = (0_u32..).map(|n| if n == 0 { SEARCH.to_owned() } else { format!("{SEARCH}_{n}") });
            offer.search = names.find(|name| !taken(name));
            let fitting = offer.find(message, MOST_TOOLS);
            offer.put_first(&fitting);
        }
        offer
    }

    /// All functions, also those that are not offered.
    pub(super) const fn functions(&self) -> &'a [OfferedFunction] {
        self.functions
    }

    fn find(&self, words: &str, most: usize) -> Vec<&'a OfferedFunction> {
        let found = find(self.functions, words).into_iter().map(|(function, _)| function);
        found.filter(|function| !function.needs_form).take(most).collect()
    }

    /// Offers these functions too. The ones that were found first make place.
    fn put_first(&mut self, found: &[&'a OfferedFunction]) {
        let is_new = |one: &&OfferedFunction| !found.iter().any(|new| new.tool == one.tool);
        let earlier: Vec<_> = self.chosen.iter().copied().filter(is_new).collect();
        self.chosen = found.iter().copied().chain(earlier).take(MOST_TOOLS - 1).collect();
    }

    /// Searches, if the model means the tool for that. Returns the text for the model; what was found is offered from now on.
    pub(super) fn search(&mut self, call: &WantedCall) -> Option<String> {
        let name = self.search.as_ref().filter(|name| **name == call.name.trim())?;
        let schema = search_tool(name).schema;
        let words = match read_arguments(&call.arguments, &schema) {
            Ok(params) => params["words"].as_str().unwrap_or_default().to_owned(),
            Err(why) => return Some(why),
        };
        let found = self.find(&words, FOUND);
        if found.is_empty() {
            return Some("No function fits these words. Try other ones, or tell the user.".to_owned());
        }
        self.put_first(&found);
        let lines = tools(&found).into_iter().map(|tool| format!("- {}: {}", tool.name, tool.description));
        Some(format!("These functions are tools now:\n{}", lines.collect::<Vec<_>>().join("\n")))
    }

    /// The tools, in the order of the program.
    pub(super) fn tools(&self) -> Vec<Tool> {
        let is_chosen = |one: &&OfferedFunction| self.chosen.iter().any(|chosen| chosen.tool == one.tool);
        let mut all = tools(&usable(self.functions).filter(is_chosen).collect::<Vec<_>>());
        all.extend(self.search.as_deref().map(search_tool));
        all
    }

    /// The text for a model that means no function.
    pub(super) fn no_function(&self, name: &str) -> String {
        let way_out = if let Some(search) = &self.search {
            format!("Find one with `{search}`.")
        } else {
            let names: Vec<_> = usable(self.functions).map(|one| one.tool.as_str()).collect();
            format!("There is: {}.", names.join(", "))
        };
        format!("There is no function `{}`. {way_out}", truncate_line(name, NAME))
    }
}

/// Functions that need no value which only their user may type.
fn usable(functions: &[OfferedFunction]) -> impl Iterator<Item = &OfferedFunction> {
    functions.iter().filter(|function| !function.needs_form)
}

fn search_tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description:
            "Finds more functions of the user by words. Those that it finds become tools. Use it before you say that \
                      something cannot be done."
                .to_owned(),
        schema: json!({"type": "object", "required": ["words"], "properties": {
            "words": {"type": "string", "description": "What the function does, in a few words"},
        }}),
    }
}

/// The functions as tools.
fn tools(functions: &[&OfferedFunction]) -> Vec<Tool> {
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

    fn names(offer: &Offer) -> Vec<String> {
        offer.tools().into_iter().map(|tool| tool.name).collect()
    }

    fn search(words: &str) -> WantedCall {
        let arguments = json!({"words": words}).to_string();
        WantedCall { id: "call".to_owned(), name: SEARCH.to_owned(), arguments }
    }

    #[test]
    fn words_choose_among_many_functions_and_a_search_finds_the_others() {
        let mut functions: Vec<_> = (0..60).map(|n| function(format!("f{n}"))).collect();
        functions.push(function("refine_text".to_owned()));
        functions.push(function("list_invoices".to_owned()));
        functions.push(OfferedFunction { needs_form: true, ..function("refine_key".to_owned()) });
        let mut offer = Offer::new(&functions, "refine my text");
        let first = names(&offer);
        assert_eq!(first.len(), MOST_TOOLS);
        assert_eq!(first[0], "f0", "in the order of the program");
        assert_eq!(first[MOST_TOOLS - 2..], ["refine_text", SEARCH]);
        let told = offer.search(&search("invoices")).unwrap();
        assert_eq!(told, "These functions are tools now:\n- list_invoices: Does it.");
        let then = names(&offer);
        assert_eq!(then.len(), MOST_TOOLS);
        assert_eq!(then[MOST_TOOLS - 3..], ["refine_text", "list_invoices", SEARCH]);
        assert!(offer.search(&search("zebra")).unwrap().starts_with("No function fits"));
        assert!(offer.search(&search("key")).unwrap().starts_with("No function fits"), "it needs its form");
        assert!(offer.no_function("x").ends_with("Find one with `find_functions`."));
    }

    #[test]
    fn a_small_program_offers_all_and_no_search() {
        let functions: Vec<_> = (0..32).map(|n| function(format!("f{n}"))).collect();
        let mut offer = Offer::new(&functions, "anything");
        assert_eq!(names(&offer).len(), 32);
        assert!(offer.search(&search("f1")).is_none());
        assert!(offer.no_function("x").contains("There is: f0, f1,"));
    }

    #[test]
    fn a_function_keeps_its_name_from_the_search() {
        let functions: Vec<_> =
            (0..40).map(|n| function(if n == 0 { SEARCH.to_owned() } else { format!("f{n}") })).collect();
        let mut offer = Offer::new(&functions, "find functions");
        assert_eq!(names(&offer).last().map(String::as_str), Some("find_functions_1"));
        assert!(offer.search(&search("f1")).is_none(), "the program's own function");
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
