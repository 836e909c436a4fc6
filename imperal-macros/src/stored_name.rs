//! The name under which the platform stores a durable task or a schedule: `name = ".."`, or the fn's.

use proc_macro2::{Ident, Span};
use syn::LitStr;
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::fn_kind::FnKind;
use crate::option_reader::Options;

/// Longest name, in bytes.
const LIMIT: usize = 64;

/// The name, and where it is written. Reports one that is not accepted.
pub(crate) fn read(options: &Options, ident: &Ident, kind: &FnKind, diagnostics: &mut Diagnostics) -> (String, Span) {
    let literal = options.text("name");
    let name = literal.map_or_else(|| ident.unraw().to_string(), LitStr::value);
    let span = literal.map_or_else(|| ident.span(), LitStr::span);
    if let Some(fault) = fault(&name, kind.noun) {
        diagnostics.error_at(span, fault);
    }
    (name, span)
}

fn fault(name: &str, noun: &str) -> Option<String> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if !(1..=LIMIT).contains(&name.len()) || !name.bytes().all(fits) {
        Some(format!("invalid name of {noun}: use 1 to {LIMIT} of `a-z`, `0-9` and `_` in `name = \"..\"`"))
    } else if name.starts_with("__") {
        Some("names that start with `__` are reserved for the platform: choose another".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn name_has_1_to_64_lower_case_letters_digits_and_underscores() {
        let longest = "x".repeat(64);
        for name in ["generate", "_x", "a1", "2fa", &longest] {
            assert_eq!(fault(name, "a schedule"), None, "{name}");
        }
        let too_long = "x".repeat(65);
        for name in ["", "Generate", "é", "a-b", "a b", "__x", &too_long] {
            assert!(fault(name, "a schedule").is_some(), "{name:?}");
        }
    }
}
