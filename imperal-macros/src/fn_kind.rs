//! The kinds of fns that an attribute registers, in the words of their errors and their expansion.
//!
//! Everything else about a chat function and a durable task is the same: `signature` checks both, `expand`
//! writes the handler of both.

/// A chat function, a durable task or a schedule.
pub(crate) struct FnKind {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// The subject of an error.
    pub(crate) noun: &'static str,
    /// The type of the first parameter.
    pub(crate) context: &'static str,
    /// The remedy for a borrowed context.
    pub(crate) owned_context: &'static str,
    /// The second parameter in words.
    pub(crate) second: &'static str,
    /// The second parameter's name, and the ending of its type's name.
    pub(crate) second_name: (&'static str, &'static str),
    /// The derives of the second parameter's type.
    pub(crate) derives: &'static str,
    /// Whether the second parameter must be a struct with named fields.
    pub(crate) takes_a_struct: bool,
    /// Why it is not unsafe.
    pub(crate) why_safe: &'static str,
    /// Why it is not generic.
    pub(crate) why_one_type: &'static str,
    /// Why no `impl ..` hides a type of its signature.
    pub(crate) why_written_type: &'static str,
    /// The codes of the rules for parameters and for the return type, with a space in front.
    pub(crate) rules: (&'static str, &'static str),
    /// The trait in `__private` that the marker implements, and the name of its second type.
    pub(crate) handler: (&'static str, &'static str),
    /// The marker's name.
    pub(crate) marker: &'static str,
    /// The type in `__private` that follows from the handler's types.
    pub(crate) parts: &'static str,
    /// Whether that type has the second parameter's type as its argument.
    pub(crate) parts_name_the_second: bool,
    /// The remedies for a missing return type and for a borrowed one.
    pub(crate) answers: (&'static str, &'static str),
}

/// `#[chat_function]`
pub(crate) const CHAT_FUNCTION: FnKind = FnKind {
    attribute: "chat_function",
    noun: "a chat function",
    context: "Context",
    owned_context: "write `Context`, whose clones are cheap",
    second: "the params struct",
    second_name: ("params", "Params"),
    derives: "Deserialize, JsonSchema",
    takes_a_struct: true,
    why_safe: "the platform calls it with any parameters that fit its schema",
    why_one_type: "the manifest has one schema for it",
    why_written_type: "the manifest needs its schema",
    rules: (" (V17)", " (V5)"),
    handler: ("ChatHandler", "Params"),
    marker: "__ChatFunction",
    parts: "Handler",
    parts_name_the_second: false,
    answers: ACTION_RESULT,
};

/// `#[durable_task]`
pub(crate) const DURABLE_TASK: FnKind = FnKind {
    attribute: "durable_task",
    noun: "a durable task",
    context: "TaskContext",
    owned_context: "write `TaskContext`",
    second: "the input",
    second_name: ("input", "Input"),
    derives: "Serialize, Deserialize",
    takes_a_struct: false,
    why_safe: "the platform calls it with any stored input",
    why_one_type: "the platform finds it by its name alone when it continues",
    why_written_type: "the platform reads stored JSON into it",
    rules: ("", ""),
    handler: ("DurableHandler", "Input"),
    marker: "__DurableTask",
    parts: "TaskHandler",
    parts_name_the_second: true,
    answers: ACTION_RESULT,
};

const ACTION_RESULT: (&str, &str) = (
    "write `-> Result<ActionResult>`, or `-> Result<ActionResult<T>>` with data",
    "write `Result<ActionResult<T>>` with owned data",
);

/// `#[schedule]`. It has no second parameter.
pub(crate) const SCHEDULE: FnKind = FnKind {
    attribute: "schedule",
    noun: "a schedule",
    context: "Context",
    owned_context: "write `Context`, whose clones are cheap",
    second: "",
    second_name: ("", ""),
    derives: "",
    takes_a_struct: false,
    why_safe: "the platform calls it by itself",
    why_one_type: "nothing chooses a type for it",
    why_written_type: "the platform calls it by itself",
    rules: ("", ""),
    handler: ("JobHandler", ""),
    marker: "__Schedule",
    parts: "",
    parts_name_the_second: false,
    answers: ("write `-> Result<()>`", "write `Result<()>`"),
};
