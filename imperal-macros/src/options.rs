//! The table of each macro's options.
//!
//! The parser (`option_reader`), the check for duplicates, "did you mean", the list of keys in an error
//! and the tables of the documentation use these rows. `validate` and `extension` check the values.

use imperal_manifest::did_you_mean;
use proc_macro2::{Ident, TokenStream};
use syn::LitStr;

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `"text"`
    Text,
    /// `["text", ..]`
    List,
    /// the bare key, or `true` / `false`
    Flag,
    /// a type
    Type,
    /// a path
    Path,
    /// an identifier
    Ident,
    /// `[PATH, ..]`
    Paths,
    /// a path of a constant
    Constant,
}

impl Kind {
    /// An example of the form.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Self::Text => "\"..\"",
            Self::List => "[\"..\", ..]",
            Self::Flag => "true",
            Self::Type => "MyType",
            Self::Path => "my::path",
            Self::Ident => "MyName",
            Self::Paths => "[MY_CONSTANT, ..]",
            Self::Constant => "MY_CONSTANT",
        }
    }
}

/// One row of a table.
pub(crate) struct OptionSpec {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// Meaning and default, for the documentation.
    #[cfg_attr(not(test), allow(dead_code, reason = "the documentation's table is written and checked by a test"))]
    pub(crate) help: &'static str,
}

/// A key that authors may write here by mistake, and advice where to write it instead.
type Elsewhere = (&'static str, &'static str);

/// A macro's options.
pub(crate) struct Table {
    /// Name of the macro in an error.
    pub(crate) owner: &'static str,
    /// The character between key and value.
    pub(crate) separator: char,
    pub(crate) rows: &'static [OptionSpec],
    /// The key that a text without a key probably belongs to, and the meaning of that key.
    pub(crate) lone_text: (&'static str, &'static str),
    pub(crate) elsewhere: &'static [Elsewhere],
    /// Another common name of a key, and the key.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
}

const fn row(key: &'static str, kind: Kind, help: &'static str) -> OptionSpec {
    OptionSpec { key, kind, required: false, help }
}

const fn required(key: &'static str, kind: Kind, help: &'static str) -> OptionSpec {
    OptionSpec { key, kind, required: true, help }
}

/// `#[chat_function(..)]`
pub(crate) const CHAT_FUNCTION: Table = Table {
    owner: "chat_function",
    separator: '=',
    lone_text: ("name", "name"),
    rows: &[
        required(
            "action_type",
            Kind::Text,
            "Its effect on the user's data: `\"read\"`, `\"write\"` or `\"destructive\"`.",
        ),
        row("name", Kind::Text, "Name in the manifest. Default: the name of the fn."),
        row(
            "description",
            Kind::Text,
            "Description for people and for the language model that picks functions; at least 20 characters. Default: the doc comment.",
        ),
        row(
            "event",
            Kind::Text,
            "Event after a success, such as `\"note_added\"` or `\"notes.added\"`. Default: none, with a warning for a write.",
        ),
        row(
            "effects",
            Kind::List,
            "The changes it makes, as `\"verb:thing\"`. Default: none, with a warning for a write.",
        ),
        row(
            "id_projection",
            Kind::Text,
            "Field of the parameters with the id of the object it acts on. Default: none.",
        ),
        row(
            "data_model",
            Kind::Type,
            "Type of the outcome's data, for a fn that returns `ActionResult` without data and starts a task. Default: the `T` of `ActionResult<T>`.",
        ),
        row(
            "chain_callable",
            Kind::Flag,
            "Whether a chain of functions may call it. Default: `true`, required for a write.",
        ),
        row(
            "background",
            Kind::Flag,
            "Marks it in the manifest as a function that starts a task. Advisory: starts none.",
        ),
        row(
            "long_running",
            Kind::Flag,
            "Marks it in the manifest as a function whose task may run for more than 180 s. Advisory: `.long_running(true)` on the task raises the cap.",
        ),
        row(
            "safe",
            Kind::Flag,
            "For a write: the assistant runs it without asking, even if a text of others made it. Only for writes that do no harm with any parameters.",
        ),
        row(
            "starter",
            Kind::Flag,
            "For a write that itself does nothing but start tasks: the call, its first task and its reply are written together, in one commit instead of three. After a crash before that, and when the task is refused, the handler runs again.",
        ),
        row(
            "allow",
            Kind::List,
            "Codes of warnings to silence: `V10`, `V11`, `V20`, `V24`, `V33`, `P15`, `P22`. Default: none.",
        ),
        row("crate", Kind::Path, "Path of `imperal`, if Cargo.toml renames it. Default: `::imperal`."),
    ],
    elsewhere: &[
        ("params", "the second parameter of the fn is the params struct"),
        ("returns", "write the type in the return type of the fn, or in `data_model = MyType`"),
        ("timeout", "use `.timeout(..)` on the request, or `.long_running(true)` on the background task"),
        ("scopes", "write `capabilities: [\"app:write\"]` in `extension!`"),
        ("capabilities", "write `capabilities: [\"app:write\"]` in `extension!`"),
        ("app_id", "write it in `extension!`"),
        ("version", "write it in `extension!`"),
        ("icon", "write it in `extension!`"),
        ("durable", "put `#[durable_task]` on an async fn, and start it with `ctx.durable_task(..)`"),
    ],
    renamed: &[],
};

/// `#[durable_task(..)]`
pub(crate) const DURABLE_TASK: Table = Table {
    owner: "durable_task",
    separator: '=',
    lone_text: ("name", "name"),
    rows: &[
        row(
            "name",
            Kind::Text,
            "Name that is stored with each task, and by which it is found when it continues: 1 to 64 of `a-z`, `0-9` and `_`. Default: the name of the fn.",
        ),
        row(
            "twin",
            Kind::Ident,
            "Name of the type whose `with(input)` prepares the task, for a fn in a module of the same name. Default: the name of the fn.",
        ),
        row("allow", Kind::List, "Codes of warnings to silence: `P22`. Default: none."),
        row("crate", Kind::Path, "Path of `imperal`, if Cargo.toml renames it. Default: `::imperal`."),
    ],
    elsewhere: &[
        ("key", "write `.key(..)` on `ctx.durable_task(..)`"),
        ("long_running", "write `.long_running(true)` on `ctx.durable_task(..)`"),
        ("timeout", "write `.long_running(true)` on `ctx.durable_task(..)`, or `.timeout(..)` on a request"),
        ("retry", "write `ctx.retrying(..)` in front of the step"),
        ("description", "write a doc comment on the fn"),
        ("action_type", OF_THE_STARTER),
        ("event", OF_THE_STARTER),
        ("effects", OF_THE_STARTER),
        ("id_projection", OF_THE_STARTER),
        ("data_model", OF_THE_STARTER),
        ("chain_callable", OF_THE_STARTER),
        ("background", OF_THE_STARTER),
    ],
    renamed: &[],
};

/// `#[schedule(..)]`
pub(crate) const SCHEDULE: Table = Table {
    owner: "schedule",
    separator: '=',
    lone_text: ("cron", "expression"),
    rows: &[
        required(
            "cron",
            Kind::Text,
            "Its times in UTC: five fields (minute, hour, day of the month, month, day of the week) or a nickname such as `@daily`; at least 5 minutes apart.",
        ),
        row("name", Kind::Text, "Name in the manifest: 1 to 64 of `a-z`, `0-9` and `_`. Default: the name of the fn."),
        row(
            "spread",
            Kind::Text,
            "The time after each time of `cron` over which the users' runs are spread, such as `\"30m\"`; at most 12 hours. A user always has the same place in it. Default: `\"5m\"`.",
        ),
        row(
            "documents",
            Kind::Constant,
            "A [`Collection`](crate::documents::Collection): it also runs for users who have documents there and have not called the extension for 90 days. Default: none.",
        ),
        row("crate", Kind::Path, "Path of `imperal`, if Cargo.toml renames it. Default: `::imperal`."),
    ],
    elsewhere: &[
        (
            "zone",
            "its times are in UTC; let each user set a schedule of their own with `ctx.schedules()` for local times",
        ),
        (
            "timezone",
            "its times are in UTC; let each user set a schedule of their own with `ctx.schedules()` for local times",
        ),
        ("description", "write a doc comment on the fn"),
        ("timeout", "a run has 10 minutes; start a durable task with `ctx.durable_task(..)` for more"),
        ("long_running", "a run has 10 minutes; start a durable task with `ctx.durable_task(..)` for more"),
        ("params", "it takes the context alone; read what it needs from `ctx.documents(..)`"),
        ("action_type", OF_A_CHAT_FUNCTION),
        ("event", OF_A_CHAT_FUNCTION),
        ("effects", OF_A_CHAT_FUNCTION),
    ],
    renamed: &[
        ("every", "cron"),
        ("schedule", "cron"),
        ("window", "spread"),
        ("jitter", "spread"),
        ("collection", "documents"),
    ],
};

const OF_A_CHAT_FUNCTION: &str = "a schedule is no chat function, and no one calls it";

/// `extension! { .. }`
pub(crate) const EXTENSION: Table = Table {
    owner: "extension!",
    separator: ':',
    lone_text: ("name", "name"),
    rows: &[
        required(
            "app_id",
            Kind::Text,
            "Id of the extension on the platform: at least 2 lower-case letters, digits and `-`, no `-` at either end.",
        ),
        required("name", Kind::Text, "Name for people: at least 3 characters, and not the app_id."),
        required(
            "description",
            Kind::Text,
            "Description for people and for the language model that picks functions; at least 40 characters.",
        ),
        required(
            "icon",
            Kind::Text,
            "Path of an SVG file, relative to the folder of Cargo.toml: at most 100 KiB, with a `viewBox`, without an embedded raster image. The compiler reads it.",
        ),
        row(
            "capabilities",
            Kind::List,
            "Permissions it asks for, as `\"app:action\"`. Default: the platform grants all of them, with a warning.",
        ),
        row(
            "version",
            Kind::Text,
            "`1.2.3`, with an optional suffix after `-` or `.`. Default: the version in Cargo.toml.",
        ),
        row("system", Kind::Flag, "Marks a first-party extension, which must list capabilities. Default: `false`."),
        row(
            "tool_name",
            Kind::Text,
            "The chat tool that its functions belong to. Default: the app_id with `_` instead of `-`.",
        ),
        row("secrets", Kind::Paths, "Its secrets, each a constant of type [`Secret`](crate::Secret). Default: none."),
        row("allow", Kind::List, "Codes of warnings to silence: `V34`. Default: none."),
    ],
    elsewhere: &[
        ("homepage", BELONGS_IN_FILE),
        ("author", BELONGS_IN_FILE),
        ("license", BELONGS_IN_FILE),
        ("category", BELONGS_IN_FILE),
        ("tags", BELONGS_IN_FILE),
        ("marketplace", BELONGS_IN_FILE),
        ("pricing", BELONGS_IN_FILE),
        ("hidden_in_sidebar", BELONGS_IN_FILE),
        ("functions", FUNCTIONS_REGISTER),
        ("tools", FUNCTIONS_REGISTER),
    ],
    renamed: &[("display_name", "name")],
};

/// `#[imperal::test(..)]`
pub(crate) const TEST: Table = Table {
    owner: "imperal::test",
    separator: '=',
    lone_text: ("name", "name"),
    rows: &[
        row(
            "clock",
            Kind::Text,
            "`\"paused\"`: time stands still while a task can run, and jumps to the next timer when all wait. `\"real\"`: the machine's clock. Default: paused.",
        ),
        row("crate", Kind::Path, "Path of `imperal`, if Cargo.toml renames it. Default: `::imperal`."),
    ],
    elsewhere: &[
        ("start_paused", "the clock is paused by default; write `clock = \"real\"` for the machine's clock"),
        ("flavor", "remove it; a test runs on one thread, so that each run has the same order"),
    ],
    renamed: &[],
};

const OF_THE_STARTER: &str = "write it on the `#[chat_function]` that starts the task";

const FUNCTIONS_REGISTER: &str =
    "a chat function registers itself: put `#[chat_function(..)]` on an async fn anywhere in the crate";

const BELONGS_IN_FILE: &str = "write it in `imperal.json`; `build` does not change it there";

impl Table {
    /// The remedy `write KEY = VALUE`, in the macro's syntax.
    pub(crate) fn pair(&self, key: &Ident, value: &str) -> String {
        let separator = if self.separator == '=' { " =" } else { ":" };
        format!("write `{key}{separator} {value}`")
    }

    pub(crate) fn keys_in_words(&self) -> String {
        let quoted: Vec<String> = self.rows.iter().map(|row| format!("`{}`", row.key)).collect();
        let (last, others) = quoted.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        format!("{} and {last}", others.join(", "))
    }

    /// The message for a key that the table lacks, and the key that the message suggests.
    pub(crate) fn unknown(&self, key: &str) -> (String, Option<&'static str>) {
        let Table { owner, .. } = self;
        if let Some((_, advice)) = self.elsewhere.iter().find(|(known, _)| *known == key) {
            return (format!("`{key}` is not an option of `{owner}`: {advice}"), None);
        }
        if let Some((_, suggestion)) = self.renamed.iter().find(|(known, _)| *known == key) {
            return (format!("`{key}` is not an option of `{owner}`: write `{suggestion}`"), Some(suggestion));
        }
        let suggestion = did_you_mean(key, self.rows.iter().map(|row| row.key));
        let text = match suggestion {
            Some(suggestion) => format!("`{owner}` has no option `{key}`; did you mean `{suggestion}`?"),
            None => format!("`{owner}` has no option `{key}`; its options are {}", self.keys_in_words()),
        };
        (text, suggestion)
    }
}

impl Kind {
    /// Suggests a value for tokens of the wrong form; `None` if the meaning is unclear.
    pub(crate) fn corrected(self, at: &TokenStream) -> Option<String> {
        let written = at.to_string();
        let plain = !written.is_empty() && written.chars().all(|c| c.is_alphanumeric() || c == '_');
        let text = syn::parse2::<LitStr>(at.clone()).ok().map(|literal| literal.value());
        match (self, text) {
            (Self::Text, None) if plain && written.contains(char::is_lowercase) => Some(format!("\"{written}\"")),
            (Self::List, Some(_)) => Some(format!("[{written}]")),
            (Self::Type | Self::Path | Self::Ident, Some(text)) => Some(text),
            (Self::Constant, Some(text)) => Some(text.to_ascii_uppercase()),
            (Self::Paths, None) if plain => Some(format!("[{written}]")),
            (Self::Flag, Some(text)) if text == "true" || text == "false" => Some(text),
            _ => None,
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "text in quotes, not a constant",
            Self::List => "a list of texts",
            Self::Flag => "`true` or `false`",
            Self::Type => "a type",
            Self::Path => "a path",
            Self::Ident => "one name without quotes",
            Self::Paths => "a list of constants",
            Self::Constant => "a constant without quotes",
        }
    }
}
