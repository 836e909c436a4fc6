//! The one table of options of each macro.
//!
//! The parser (`reader`), the duplicate check, did-you-mean, the list of keys in an error and the
//! tables of the documentation all come from these rows. What a value means is `check`'s business.

use imperal_manifest::did_you_mean;
use proc_macro2::{Ident, TokenStream};
use syn::LitStr;

/// What may stand behind a key.
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
}

impl Kind {
    /// How an author writes it.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Self::Text => "\"..\"",
            Self::List => "[\"..\", ..]",
            Self::Flag => "true",
            Self::Type => "MyType",
            Self::Path => "my::path",
        }
    }
}

/// One row of a table.
pub(crate) struct OptionSpec {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// For the documentation: what it means, and what holds without it.
    #[cfg_attr(not(test), allow(dead_code, reason = "the documentation's table is written and checked by a test"))]
    pub(crate) help: &'static str,
}

/// A key that authors look for here and that lives elsewhere.
type Elsewhere = (&'static str, &'static str);

/// A macro's options.
pub(crate) struct Table {
    /// As an error names it.
    pub(crate) owner: &'static str,
    /// Between key and value.
    pub(crate) separator: char,
    pub(crate) rows: &'static [OptionSpec],
    pub(crate) elsewhere: &'static [Elsewhere],
    /// What authors call a key by another name, and the key.
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
    rows: &[
        required(
            "action_type",
            Kind::Text,
            "What it does to the user's world: `\"read\"`, `\"write\"` or `\"destructive\"`.",
        ),
        row("name", Kind::Text, "Its name in the manifest. The fn's own name without it."),
        row(
            "description",
            Kind::Text,
            "What it does, for the language model that picks functions; at least 20 characters. The doc comment without it.",
        ),
        row(
            "event",
            Kind::Text,
            "The event after a success, such as `\"note_added\"` or `\"notes.added\"`. None without it; a write that has none is warned about.",
        ),
        row(
            "effects",
            Kind::List,
            "What it changes, as `\"verb:thing\"`. Nothing without it; a write that lists none is warned about.",
        ),
        row(
            "id_projection",
            Kind::Text,
            "The field of the parameters that holds the id of the thing acted on. None without it.",
        ),
        row(
            "data_model",
            Kind::Type,
            "The type of the data that the outcome carries, where the fn's own return type does not say it. The `T` of `ActionResult<T>` without it.",
        ),
        row(
            "chain_callable",
            Kind::Flag,
            "Whether a chain of functions may call it. `true` without it; a write cannot say `false`.",
        ),
        row(
            "background",
            Kind::Flag,
            "Says in the manifest that it uses `ctx.background_task`. Advisory: it detaches nothing.",
        ),
        row(
            "long_running",
            Kind::Flag,
            "Says in the manifest that its task runs for more than 180 s. Advisory: `.long_running(true)` on the task is what counts.",
        ),
        row("crate", Kind::Path, "Where `imperal` is, when Cargo.toml renames it. `::imperal` without it."),
    ],
    elsewhere: &[
        ("params", "the second parameter of the fn is the params struct"),
        ("returns", "the return type of the fn says it, or `data_model = MyType`"),
        (
            "timeout",
            "a cap of its own is `.timeout(..)` on the request, or `.long_running(true)` on the background task",
        ),
        ("scopes", "capabilities belong into `extension!`, as `capabilities: [\"app:write\"]`"),
        ("capabilities", "they belong into `extension!`, as `capabilities: [\"app:write\"]`"),
        ("app_id", "it belongs into `extension!`"),
        ("version", "it belongs into `extension!`"),
        ("icon", "it belongs into `extension!`"),
    ],
    renamed: &[],
};

/// `extension! { .. }`
pub(crate) const EXTENSION: Table = Table {
    owner: "extension!",
    separator: ':',
    rows: &[
        required(
            "app_id",
            Kind::Text,
            "What the platform knows the extension by: lower-case letters, digits and inner `-`, at least 2 characters.",
        ),
        required("name", Kind::Text, "Its name for people, at least 3 characters and not the app_id."),
        required(
            "description",
            Kind::Text,
            "What it is for, for people and for the language model that picks functions; at least 40 characters.",
        ),
        required(
            "icon",
            Kind::Text,
            "An SVG file, its path counted from Cargo.toml: at most 100 KiB, with a `viewBox`, without an embedded raster image. It is read when the crate is compiled.",
        ),
        row(
            "capabilities",
            Kind::List,
            "What it asks to be allowed, as `\"app:action\"`. Without any, the platform grants everything; a warning says so.",
        ),
        row(
            "version",
            Kind::Text,
            "`1.2.3`, or with a suffix behind `-` or `.`. The version in Cargo.toml without it.",
        ),
        row("system", Kind::Flag, "A first-party extension; must list capabilities. `false` without it."),
        row(
            "tool_name",
            Kind::Text,
            "The chat tool that its functions belong to. The app_id with `_` for `-` without it.",
        ),
    ],
    elsewhere: &[
        ("homepage", ON_DISK),
        ("author", ON_DISK),
        ("license", ON_DISK),
        ("category", ON_DISK),
        ("tags", ON_DISK),
        ("marketplace", ON_DISK),
        ("pricing", ON_DISK),
        ("hidden_in_sidebar", ON_DISK),
        (
            "functions",
            "a chat function registers itself: put `#[chat_function(..)]` on an async fn anywhere in the crate",
        ),
        ("tools", "a chat function registers itself: put `#[chat_function(..)]` on an async fn anywhere in the crate"),
    ],
    renamed: &[("display_name", "name")],
};

/// `#[imperal::test(..)]`
pub(crate) const TEST: Table = Table {
    owner: "imperal::test",
    separator: '=',
    rows: &[
        row(
            "clock",
            Kind::Text,
            "`\"paused\"`: time stands still while there is something to do and jumps to the next wait when there is not. `\"real\"` for what needs the machine's. Paused without it.",
        ),
        row("crate", Kind::Path, "Where `imperal` is, when Cargo.toml renames it. `::imperal` without it."),
    ],
    elsewhere: &[
        ("start_paused", "the clock is paused unless `clock = \"real\"` is said"),
        ("flavor", "a test runs on one thread, so that it is the same each time"),
    ],
    renamed: &[],
};

const ON_DISK: &str = "write it into `imperal.json`: it is the file's own, and `build` keeps it";

impl Table {
    /// What to write, in the macro's own form.
    pub(crate) fn pair(&self, key: &Ident, value: &str) -> String {
        let separator = if self.separator == '=' { " =" } else { ":" };
        format!("write `{key}{separator} {value}`")
    }

    pub(crate) fn keys_in_words(&self) -> String {
        let quoted: Vec<String> = self.rows.iter().map(|row| format!("`{}`", row.key)).collect();
        let (last, others) = quoted.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        format!("{} and {last}", others.join(", "))
    }

    /// What to say of a key that is in no row, and the key that the text names as the one meant.
    pub(crate) fn unknown(&self, key: &str) -> (String, Option<&'static str>) {
        let Table { owner, .. } = self;
        if let Some((_, advice)) = self.elsewhere.iter().find(|(known, _)| *known == key) {
            return (format!("`{key}` is not an option of `{owner}`: {advice}"), None);
        }
        if let Some((_, meant)) = self.renamed.iter().find(|(known, _)| *known == key) {
            return (format!("`{key}` is not an option of `{owner}`: it is called `{meant}` here"), Some(meant));
        }
        let meant = did_you_mean(key, self.rows.iter().map(|row| row.key));
        let text = match meant {
            Some(meant) => format!("`{owner}` has no option `{key}`; did you mean `{meant}`?"),
            None => format!("`{owner}` has no option `{key}`; its options are {}", self.keys_in_words()),
        };
        (text, meant)
    }
}

impl Kind {
    /// The value that was probably meant by tokens of another kind.
    pub(crate) fn mended(self, at: &TokenStream) -> Option<String> {
        let written = at.to_string();
        let plain = !written.is_empty() && written.chars().all(|c| c.is_alphanumeric() || c == '_');
        let text = syn::parse2::<LitStr>(at.clone()).ok().map(|literal| literal.value());
        match (self, text) {
            (Self::Text, None) if plain && written.contains(char::is_lowercase) => Some(format!("\"{written}\"")),
            (Self::List, Some(_)) => Some(format!("[{written}]")),
            (Self::Type | Self::Path, Some(text)) => Some(text),
            (Self::Flag, Some(text)) if text == "true" || text == "false" => Some(text),
            _ => None,
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes, no constant",
            Self::List => "a list of texts",
            Self::Flag => "`true` or `false`",
            Self::Type => "a type",
            Self::Path => "a path",
        }
    }
}
