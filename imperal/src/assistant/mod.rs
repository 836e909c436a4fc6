//! The assistant: answers a user's message with a language model, which calls the chat functions.
//!
//! Its loop is a durable task of a built-in extension. Replies of the model are steps, and calls of functions are calls of
//! the user with ids derived from their place, so a crash or a deploy loses nothing and asks for no stored reply again.
//! This room writes the prompt and chooses the tools. The platform decides which calls need an approval.

mod allowed;
mod answer;
mod approval;
mod arguments;
mod budget;
mod calls;
mod completions;
mod model;
mod offered;
mod remembered;
mod search;
mod settings;
mod talk;
mod trim;

use crate::extension::ExtensionDef;
use crate::function::DurableDef;

pub(crate) use allowed::{Allowed, COLLECTION as ALLOWED_COLLECTION, id_of as allowed_id, is_allowed};
pub(crate) use answer::Said;
#[cfg(feature = "platform")]
pub(crate) use search::find as find_functions;
pub(crate) use settings::Assistant;
pub use settings::AssistantSettings;

/// The built-in extension that the loop belongs to.
pub(crate) const APP_ID: &str = "imperal-assistant";
/// The name of the loop's task, and of the function that its calls are shown as.
pub(crate) const SAY: &str = "say";
/// The queue in which the messages of a user wait for one another.
pub(crate) const QUEUE: &str = "messages";
/// Loops that run at once, on all nodes together.
pub(crate) const LOOPS_AT_ONCE: u32 = 64;
/// Longest message, in characters.
pub(crate) const MESSAGE_LIMIT: usize = 20_000;
/// Messages of a user that wait for their answer.
pub(crate) const MOST_WAITING: usize = 5;

/// The built-in extension. It has no functions, so nothing can be called on it.
pub(crate) static EXTENSION: ExtensionDef = ExtensionDef {
    app_id: APP_ID,
    version: env!("CARGO_PKG_VERSION"),
    name: "Assistant",
    description: "Answers messages in the chat with a language model, which calls the chat functions.",
    icon: "",
    icon_svg: "",
    capabilities: &[],
    tool_name: "imperal_assistant",
    secrets: &[],
    system: true,
    manifest_dir: "",
    module_path: module_path!(),
    file: file!(),
    line: line!(),
};

/// The loop's task.
pub(crate) static ANSWER: DurableDef = DurableDef {
    name: SAY,
    description: "Answers a message.",
    bind: answer::bind,
    module_path: module_path!(),
    file: file!(),
    line: line!(),
};
