//! Reads a macro's options by its table.
//!
//! Reports every fault and keeps the valid options. After a fault, it continues after the next comma.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprArray, LitBool, LitStr, Path, Token, Type};

use crate::diagnostics::Diagnostics;
use crate::options::{Kind, OptionSpec, Table};

/// A value.
pub(crate) enum Value {
    Text(LitStr),
    List(Vec<LitStr>),
    Flag(bool),
    Type(Box<Type>),
    Path(Path),
    Ident(Ident),
    Paths(Vec<Path>),
}

/// A key with its value.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    /// The tokens of the value, or of the key if it has no value.
    pub(crate) at: TokenStream,
    pub(crate) value: Value,
}

/// The options, each key at most once.
pub(crate) struct Options {
    table: &'static Table,
    entries: Vec<Entry>,
    /// Keys whose value has a fault. They are not reported as missing.
    unreadable: Vec<String>,
    /// Keys that an error suggested for an unknown key. They are not reported as missing either.
    suggested: Vec<&'static str>,
}

impl Options {
    /// Reads all options and reports every fault.
    pub(crate) fn read(table: &'static Table, tokens: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut options = Self { table, entries: Vec::new(), unreadable: Vec::new(), suggested: Vec::new() };
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                options.read_entry(input, diagnostics);
            }
            Ok(())
        })
        .parse2(tokens);
        if let Err(error) = parsed {
            diagnostics.push(error);
        }
        options
    }

    fn read_entry(&mut self, input: ParseStream<'_>, diagnostics: &mut Diagnostics) {
        if let Err(error) = self.try_entry(input, diagnostics) {
            diagnostics.push(error);
            skip_to_comma(input);
        }
        if input.is_empty() {
            return;
        }
        if let Err(_missing) = input.parse::<Token![,]>() {
            diagnostics.error_at(
                input.span(),
                format!("missing comma between the options of `{}`: add one", self.table.owner),
            );
            skip_to_comma(input);
            let _: Option<Token![,]> = input.parse().ok();
        }
    }

    fn try_entry(&mut self, input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<()> {
        let Table { owner, separator, .. } = *self.table;
        if !input.peek(Ident::peek_any) {
            let lone = until_comma(input);
            let fault = if let Ok(text) = syn::parse2::<LitStr>(lone.clone()) {
                let (key, what) = self.table.lone_text;
                self.suggested.push(key);
                format!("text without a key: write `{key} {separator} {}` if it is the {what}", text.to_token_stream())
            } else {
                format!("`{owner}` takes keys with values: use {}", self.table.keys_in_words())
            };
            return Err(syn::Error::new_spanned(lone, fault));
        }
        let key = input.call(Ident::parse_any)?;
        let Some(spec) = self.table.rows.iter().find(|row| key == row.key) else {
            skip_to_comma(input);
            let (text, suggested) = self.table.unknown(&key.unraw().to_string());
            self.suggested.extend(suggested);
            diagnostics.error(&key, text);
            return Ok(());
        };
        if self.has(spec.key) {
            skip_to_comma(input);
            diagnostics.error(&key, format!("`{key}` is set twice: remove one"));
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
                format!("`{}` has `{sep}` between key and value: {wanted}", self.table.owner),
            ));
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(key.span(), format!("`{key}` needs a value: {wanted}")));
        }
        let at: TokenStream = until_comma(input);
        let wanted = spec.kind.corrected(&at).map_or(wanted, |value| self.table.pair(key, &value));
        let wrong = |_| syn::Error::new_spanned(&at, format!("`{key}` takes {}: {wanted}", spec.kind.noun()));
        let value = match spec.kind {
            Kind::Text => input.parse().map(Value::Text).map_err(wrong)?,
            Kind::Flag => input.parse::<LitBool>().map(|lit| Value::Flag(lit.value)).map_err(wrong)?,
            Kind::Type => input.parse().map(Value::Type).map_err(wrong)?,
            Kind::Path | Kind::Constant => input.call(Path::parse_mod_style).map(Value::Path).map_err(wrong)?,
            Kind::Ident => input.parse().map(Value::Ident).map_err(wrong)?,
            Kind::List => Value::List(read_list(input, &at, key, &wanted)?),
            Kind::Paths => Value::Paths(read_paths(input, &at, key, &wanted)?),
        };
        Ok((at, value))
    }

    /// Whether the author wrote the key, with or without a fault.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some() || self.unreadable(key)
    }

    /// Whether the author wrote the key, or an error suggested it. In both cases, reporting it as missing
    /// would be a second error for one mistake.
    pub(crate) fn has_or_suggested(&self, key: &str) -> bool {
        self.has(key) || self.suggested.contains(&key)
    }

    fn unreadable(&self, key: &str) -> bool {
        self.unreadable.iter().any(|k| k == key)
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        debug_assert!(self.table.rows.iter().any(|row| row.key == key), "{key} is in no table");
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key that takes text.
    pub(crate) fn text(&self, key: &str) -> Option<&LitStr> {
        self.get(key).and_then(|entry| if let Value::Text(lit) = &entry.value { Some(lit) } else { None })
    }

    /// The values of a key that takes a list; empty if the key is missing.
    pub(crate) fn list(&self, key: &str) -> &[LitStr] {
        self.get(key).map_or(&[], |entry| if let Value::List(list) = &entry.value { list } else { &[] })
    }

    /// The values of a key that takes a list of constants; empty if the key is missing.
    pub(crate) fn paths(&self, key: &str) -> &[Path] {
        self.get(key).map_or(&[], |entry| if let Value::Paths(paths) = &entry.value { paths } else { &[] })
    }

    /// Whether a flag is on.
    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.get(key).map_or(otherwise, |entry| matches!(entry.value, Value::Flag(true)))
    }

    /// The value of a key that takes an identifier.
    pub(crate) fn ident(&self, key: &str) -> Option<&Ident> {
        self.get(key).and_then(|entry| if let Value::Ident(ident) = &entry.value { Some(ident) } else { None })
    }

    /// The path of `imperal`: the option `crate`, or its usual name.
    pub(crate) fn krate(&self) -> TokenStream {
        if let Some(Value::Path(path)) = self.get("crate").map(|entry| &entry.value) {
            path.to_token_stream()
        } else {
            quote!(::imperal)
        }
    }

    /// Required keys that are missing.
    pub(crate) fn missing(&self) -> Vec<&'static OptionSpec> {
        self.table.rows.iter().filter(|row| row.required && !self.has_or_suggested(row.key)).collect()
    }

    /// The span of the first key, where errors about the whole input are reported.
    pub(crate) fn first_span(&self) -> Span {
        self.entries.first().map_or_else(Span::call_site, |entry| entry.key.span())
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

fn read_paths(input: ParseStream<'_>, at: &TokenStream, key: &Ident, wanted: &str) -> syn::Result<Vec<Path>> {
    let wrong = |at: &dyn ToTokens| {
        syn::Error::new_spanned(at.to_token_stream(), format!("`{key}` takes a list of constants: {wanted}"))
    };
    let array: ExprArray = input.parse().map_err(|_| wrong(at))?;
    let path = |element: &Expr| match element {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        other => Err(wrong(other)),
    };
    array.elems.iter().map(path).collect()
}

/// Returns the tokens up to the next comma, without consuming them. A comma inside `<..>` ends them early,
/// which only changes the span of an error.
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
