//! Names of functions and tasks as people write them, for the texts of the platform: `refine_output` is "Refine output".
//!
//! The chat page has the same rule in `page/format.js`, so that a sentence and the label above it use one name.

use std::borrow::Cow;

/// Abbreviations that stay in capitals.
const ABBREVIATIONS: [&str; 25] = [
    "ai", "api", "css", "csv", "dns", "html", "http", "https", "id", "ids", "ip", "json", "pdf", "seo", "smtp", "sql",
    "ssl", "tls", "ttl", "ui", "uri", "url", "urls", "uuid", "xml",
];

/// The name for people. A name that is already written for people stays as it is.
pub(super) fn readable(name: &str) -> Cow<'_, str> {
    let is_code =
        name.split(['_', '-']).all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()));
    let is_abbreviation = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !is_code || is_abbreviation {
        return Cow::Borrowed(name);
    }
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if matches!(c, '_' | '-') {
            spaced.push(' ');
        } else {
            if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
                spaced.push(' ');
            }
            spaced.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let words: Vec<Cow<'_, str>> = spaced.split(' ').map(word).collect();
    let mut text = words.join(" ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Cow::Owned(text)
}

fn word(word: &str) -> Cow<'_, str> {
    match word {
        "ids" => Cow::Borrowed("IDs"),
        "urls" => Cow::Borrowed("URLs"),
        _ if ABBREVIATIONS.contains(&word) => Cow::Owned(word.to_ascii_uppercase()),
        _ => Cow::Borrowed(word),
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn function_names_become_words() {
        for (name, wanted) in [
            ("refine_output", "Refine output"),
            ("research", "Research"),
            ("check-urls", "Check URLs"),
            ("userIdOf", "User ID of"),
            ("http_get2", "HTTP get2"),
        ] {
            assert_eq!(readable(name), wanted);
        }
    }

    #[test]
    fn names_for_people_stay_as_they_are() {
        for name in ["Document of 8 paragraphs", "draft: a_b", "PDF", "Überprüfen", "a__b", ""] {
            assert_eq!(readable(name), name);
        }
    }
}
