//! The one table of options of each macro, and the parser that reads by it.
//!
//! The parser, the duplicate check, did-you-mean, the list of keys in an error and the tables of
//! the documentation all come from these rows. What a value means is `check`'s business.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{ExprArray, LitBool, LitStr, Path, Token, Type};

use crate::diagnostic::{Sink, did_you_mean};

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
#[derive(Debug)]
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
#[derive(Debug)]
pub(crate) struct Table {
    /// As an error names it.
    pub(crate) owner: &'static str,
    /// Between key and value.
    pub(crate) separator: char,
    pub(crate) rows: &'static [OptionSpec],
    pub(crate) elsewhere: &'static [Elsewhere],
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
        ("display_name", "it is called `name` here"),
        (
            "functions",
            "a chat function registers itself: put `#[chat_function(..)]` on an async fn anywhere in the crate",
        ),
        ("tools", "a chat function registers itself: put `#[chat_function(..)]` on an async fn anywhere in the crate"),
    ],
};

const ON_DISK: &str = "write it into `imperal.json`: it is the file's own, and `build` keeps it";

/// A value as written.
#[derive(Debug)]
pub(crate) enum Value {
    Text(LitStr),
    List(Vec<LitStr>),
    Flag(bool),
    Type(Box<Type>),
    Path(Path),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Ident,
    /// The value's tokens; the key's where it is bare.
    pub(crate) at: TokenStream,
    pub(crate) value: Value,
}

/// What the author wrote, each key at most once.
#[derive(Debug)]
pub(crate) struct Options {
    table: &'static Table,
    entries: Vec<Entry>,
    /// Keys that were written with a value that could not be read: known, so not missing.
    unreadable: Vec<String>,
}

impl Options {
    /// Reads everything, reports every fault, keeps what is right.
    pub(crate) fn read(table: &'static Table, tokens: TokenStream, sink: &mut Sink) -> Self {
        let mut options = Self { table, entries: Vec::new(), unreadable: Vec::new() };
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                options.read_entry(input, sink);
            }
            Ok(())
        })
        .parse2(tokens);
        if let Err(error) = parsed {
            sink.push(error);
        }
        options
    }

    fn read_entry(&mut self, input: ParseStream<'_>, sink: &mut Sink) {
        if let Err(error) = self.try_entry(input, sink) {
            sink.push(error);
            skip_to_comma(input);
        }
        if input.is_empty() {
            return;
        }
        if let Err(_missing) = input.parse::<Token![,]>() {
            sink.error_at(input.span(), format!("a comma belongs between the options of `{}`", self.table.owner));
            skip_to_comma(input);
            let _: Option<Token![,]> = input.parse().ok();
        }
    }

    fn try_entry(&mut self, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<()> {
        let Table { owner, separator, .. } = *self.table;
        if !input.peek(Ident::peek_any) {
            let lone = until_comma(input);
            let fault = if let Ok(text) = syn::parse2::<LitStr>(lone.clone()) {
                format!("this text has no key: write `name {separator} {}` if it is the name", text.to_token_stream())
            } else {
                format!("`{owner}` takes keys with values; its options are {}", self.table.keys_in_words())
            };
            return Err(syn::Error::new_spanned(lone, fault));
        }
        let key = input.call(Ident::parse_any)?;
        let Some(spec) = self.table.rows.iter().find(|row| key == row.key) else {
            skip_to_comma(input);
            sink.error(&key, self.table.unknown(&key.unraw().to_string()));
            return Ok(());
        };
        if self.has(spec.key) {
            skip_to_comma(input);
            sink.error(&key, format!("`{key}` is given twice; remove one of the two"));
            return Ok(());
        }
        match self.read_value(spec, &key, input) {
            Ok((at, value)) => self.entries.push(Entry { key, at, value }),
            Err(error) => {
                self.unreadable.push(spec.key.to_owned());
                return Err(error);
            }
        }
        Ok(())
    }

    fn read_value(&self, spec: &OptionSpec, key: &Ident, input: ParseStream<'_>) -> syn::Result<(TokenStream, Value)> {
        let sep = self.table.separator;
        let wanted = self.table.pair(key, spec.kind.form());
        let bare = input.is_empty() || input.peek(Token![,]);
        if bare && spec.kind == Kind::Flag {
            return Ok((key.to_token_stream(), Value::Flag(true)));
        }
        if bare {
            return Err(syn::Error::new(key.span(), format!("`{key}` needs a value: {wanted}")));
        }
        let found = if input.peek(Token![=]) && !input.peek(Token![==]) {
            input.parse::<Token![=]>()?;
            '='
        } else if input.peek(Token![:]) && !input.peek(Token![::]) {
            input.parse::<Token![:]>()?;
            ':'
        } else {
            return Err(input.error(wanted));
        };
        if found != sep {
            return Err(syn::Error::new(
                key.span(),
                format!("`{}` separates with `{sep}`: {wanted}", self.table.owner),
            ));
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(key.span(), format!("`{key}` needs a value: {wanted}")));
        }
        let at: TokenStream = until_comma(input);
        let wanted = spec.kind.mended(&at).map_or(wanted, |value| self.table.pair(key, &value));
        let wrong = |_| syn::Error::new_spanned(&at, format!("`{key}` takes {}: {wanted}", spec.kind.noun()));
        let value = match spec.kind {
            Kind::Text => input.parse().map(Value::Text).map_err(wrong)?,
            Kind::Flag => input.parse::<LitBool>().map(|lit| Value::Flag(lit.value)).map_err(wrong)?,
            Kind::Type => input.parse().map(Value::Type).map_err(wrong)?,
            Kind::Path => input.call(Path::parse_mod_style).map(Value::Path).map_err(wrong)?,
            Kind::List => Value::List(read_list(input, &at, key, &wanted)?),
        };
        Ok((at, value))
    }

    /// Whether the author wrote the key, readable or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some() || self.unreadable(key)
    }

    /// Whether the key was written with a value that could not be read.
    pub(crate) fn unreadable(&self, key: &str) -> bool {
        self.unreadable.iter().any(|k| k == key)
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        debug_assert!(self.table.rows.iter().any(|row| row.key == key), "{key} is in no table");
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The literal behind a key that takes text.
    pub(crate) fn text(&self, key: &str) -> Option<&LitStr> {
        self.get(key).and_then(|entry| if let Value::Text(lit) = &entry.value { Some(lit) } else { None })
    }

    /// The literals behind a key that takes a list; none when it is not given.
    pub(crate) fn list(&self, key: &str) -> &[LitStr] {
        self.get(key).map_or(&[], |entry| if let Value::List(list) = &entry.value { list } else { &[] })
    }

    /// Whether a flag is on.
    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.get(key).map_or(otherwise, |entry| matches!(entry.value, Value::Flag(true)))
    }

    /// Required keys that were not written.
    pub(crate) fn missing(&self) -> Vec<&'static OptionSpec> {
        self.table.rows.iter().filter(|row| row.required && !self.has(row.key)).collect()
    }

    /// The first key, where a fault of the whole can be shown.
    pub(crate) fn first_span(&self) -> Span {
        self.entries.first().map_or_else(Span::call_site, |entry| entry.key.span())
    }
}

impl Table {
    /// What to write, in the macro's own form.
    fn pair(&self, key: &Ident, value: &str) -> String {
        let separator = if self.separator == '=' { " =" } else { ":" };
        format!("write `{key}{separator} {value}`")
    }

    fn keys_in_words(&self) -> String {
        let quoted: Vec<String> = self.rows.iter().map(|row| format!("`{}`", row.key)).collect();
        let (last, others) = quoted.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        format!("{} and {last}", others.join(", "))
    }

    fn unknown(&self, key: &str) -> String {
        let Table { owner, .. } = self;
        if let Some((_, advice)) = self.elsewhere.iter().find(|(known, _)| *known == key) {
            return format!("`{key}` is not an option of `{owner}`: {advice}");
        }
        match did_you_mean(key, self.rows.iter().map(|row| row.key)) {
            Some(meant) => format!("`{owner}` has no option `{key}`; did you mean `{meant}`?"),
            None => format!("`{owner}` has no option `{key}`; its options are {}", self.keys_in_words()),
        }
    }
}

impl Kind {
    /// The value that was probably meant by tokens of another kind.
    fn mended(self, at: &TokenStream) -> Option<String> {
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

    fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes, no constant",
            Self::List => "a list of texts",
            Self::Flag => "`true` or `false`",
            Self::Type => "a type",
            Self::Path => "a path",
        }
    }
}

fn read_list(input: ParseStream<'_>, at: &TokenStream, key: &Ident, wanted: &str) -> syn::Result<Vec<LitStr>> {
    let wrong = |at: &dyn ToTokens| {
        syn::Error::new_spanned(at.to_token_stream(), format!("`{key}` takes a list of texts: {wanted}"))
    };
    let array: ExprArray = input.parse().map_err(|_| wrong(at))?;
    let literals: Result<Vec<LitStr>, syn::Error> =
        array.elems.iter().map(|element| syn::parse2(element.to_token_stream()).map_err(|_| wrong(element))).collect();
    literals
}

/// The tokens up to the next comma, without taking them. A type's own commas stand in `<..>` and
/// end it early, which matters only for where an error points.
fn until_comma(input: ParseStream<'_>) -> TokenStream {
    let ahead = input.fork();
    let mut tokens = TokenStream::new();
    while !ahead.is_empty() && !ahead.peek(Token![,]) {
        if let Ok(token) = ahead.parse::<proc_macro2::TokenTree>() {
            token.to_tokens(&mut tokens);
        }
    }
    tokens
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Result<proc_macro2::TokenTree, syn::Error> = input.parse();
    }
}
