//! The forms in which a value can appear in a text, and the search for many of them at once.
//!
//! A value that is sent somewhere is rarely written as it is: a URL percent-encodes it, `Authorization: Basic` has it
//! in base64 behind a name, JSON escapes it. Each form of each value is one pattern. A search looks once at each byte
//! of a text, however many patterns there are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// Values shorter than this are not looked for: they would be found in texts that do not have them.
pub(crate) const SHORTEST: usize = 8;

/// Encoded by `encodeURIComponent` and by most libraries.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same, and what `encodeURIComponent` leaves besides.
const SCRIPT: &AsciiSet = &COMPONENT.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// Encoded in a form, where a blank is `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');
/// Encoded by a parser of URLs in the query, the path and the user's part.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');
const PATH: &AsciiSet = &QUERY.remove(b'\'').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');
const SEGMENT: &AsciiSet = &PATH.add(b'/').add(b'%').add(b'\\');
const USER: &AsciiSet =
    &PATH.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b'\\').add(b']').add(b'|');

/// A form of a value.
type Form = Zeroizing<String>;

/// All forms of a value, each once.
pub(super) fn forms(value: &str) -> Vec<Form> {
    // A text that has the value has it without its outer blanks too.
    let value = value.trim();
    let mut forms: Vec<Form> = Vec::new();
    let mut add = |form: String| {
        let form = Zeroizing::new(form);
        if form.len() >= SHORTEST && !forms.contains(&form) {
            forms.push(form);
        }
    };
    if value.len() < SHORTEST {
        return Vec::new();
    }
    add(value.to_owned());
    let escaped = in_json(value);
    add(in_json(&escaped));
    add(escaped);
    add(format!("{value:?}").trim_matches('"').to_owned());
    for set in [NON_ALPHANUMERIC, COMPONENT, SCRIPT, QUERY, PATH, SEGMENT, USER] {
        let encoded = utf8_percent_encode(value, set).to_string();
        add(lower_hex(&encoded));
        add(encoded);
    }
    let form = utf8_percent_encode(value, FORM).to_string().replace(' ', "+");
    add(lower_hex(&form));
    add(form);
    for before in 0..3 {
        let standard = in_base64(&STANDARD_NO_PAD, value, before);
        add(utf8_percent_encode(&standard, NON_ALPHANUMERIC).to_string());
        add(standard);
        add(in_base64(&URL_SAFE_NO_PAD, value, before));
    }
    let hex = in_hex(value);
    add(hex.to_uppercase());
    add(hex);
    forms
}

fn in_hex(value: &str) -> String {
    value.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The value between the quotes of a JSON text.
fn in_json(value: &str) -> String {
    let json = serde_json::Value::from(value).to_string();
    json[1..json.len() - 1].to_owned()
}

fn lower_hex(encoded: &str) -> String {
    let mut bytes: Vec<char> = encoded.chars().collect();
    for at in 0..bytes.len() {
        if bytes[at] == '%' {
            for digit in bytes.iter_mut().skip(at + 1).take(2) {
                *digit = digit.to_ascii_lowercase();
            }
        }
    }
    bytes.into_iter().collect()
}

/// The characters of a base64 text that come from the value alone, when `before` bytes (modulo 3) precede it in what
/// was encoded. What follows it and the padding change the others.
fn in_base64(engine: &impl Engine, value: &str, before: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0; before]);
    bytes.extend_from_slice(value.as_bytes());
    let encoded = Zeroizing::new(engine.encode(&*bytes));
    let from = (before * 8).div_ceil(6);
    encoded.get(from..bytes.len() * 8 / 6).unwrap_or_default().to_owned()
}

/// The beginning of a pattern.
type Head = [u8; SHORTEST];

/// Patterns with the names of their secrets.
#[derive(Default)]
pub(super) struct Patterns {
    by_head: HashMap<Head, Vec<Pattern>>,
    /// Which pairs of bytes begin a pattern: one bit each. Most places of a text end here.
    begins: Option<Box<[u64; 1024]>>,
}

struct Pattern {
    form: Form,
    name: &'static str,
    /// How often it was added.
    count: usize,
}

impl Patterns {
    pub(super) fn is_empty(&self) -> bool {
        self.by_head.is_empty()
    }

    /// The bytes of the longest pattern.
    pub(super) fn longest(&self) -> usize {
        self.by_head.values().flatten().map(|pattern| pattern.form.len()).max().unwrap_or_default()
    }

    pub(super) fn add(&mut self, name: &'static str, form: &Form) {
        let Some(head) = head(form.as_bytes()) else { return };
        let (word, bit) = place(head[0], head[1]);
        self.begins.get_or_insert_with(|| Box::new([0; 1024]))[word] |= bit;
        let patterns = self.by_head.entry(head).or_default();
        if let Some(pattern) = patterns.iter_mut().find(|pattern| pattern.form == *form) {
            pattern.count += 1;
        } else {
            patterns.push(Pattern { form: form.clone(), name, count: 1 });
            // The longest one that fits is replaced.
            patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.form.len()));
        }
    }

    pub(super) fn remove(&mut self, form: &Form) {
        let Some(head) = head(form.as_bytes()) else { return };
        let Some(patterns) = self.by_head.get_mut(&head) else { return };
        if let Some(pattern) = patterns.iter_mut().find(|pattern| pattern.form == *form) {
            pattern.count -= 1;
        }
        patterns.retain(|pattern| pattern.count > 0);
        if patterns.is_empty() {
            self.by_head.remove(&head);
        }
        if self.by_head.is_empty() {
            self.begins = None;
        }
    }

    /// The first pattern in a text: where it begins and ends, and its secret.
    fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize, &'static str)> {
        let begins = self.begins.as_deref()?;
        let last = text.len().checked_sub(SHORTEST)?;
        for at in from..=last {
            let (word, bit) = place(text[at], text[at + 1]);
            if begins[word] & bit == 0 {
                continue;
            }
            let rest = &text[at..];
            let Some(patterns) = head(rest).and_then(|head| self.by_head.get(&head)) else { continue };
            let whole = patterns.iter().find(|pattern| rest.starts_with(pattern.form.as_bytes()));
            // A text may have been cut in the middle of a value.
            let cut = || patterns.iter().find(|pattern| pattern.form.as_bytes().starts_with(rest));
            if let Some(found) = whole.or_else(cut) {
                return Some((at, text.len().min(at + found.form.len()), found.name));
            }
        }
        None
    }

    /// The name of a secret whose value is in the text.
    pub(super) fn name_in(&self, text: &str) -> Option<&'static str> {
        self.find(text.as_bytes(), 0).map(|(_, _, name)| name)
    }

    /// The text with `[secret NAME]` in the place of each value.
    pub(super) fn replace<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut from = 0;
        let mut replaced = String::new();
        while let Some((begin, end, name)) = self.find(text.as_bytes(), from) {
            // A pattern is a text itself, so it begins and ends at a character.
            let before = text.get(from..begin).unwrap_or_default();
            let _ = write!(replaced, "{before}[secret {name}]");
            from = end;
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        replaced.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(replaced)
    }
}

fn head(text: &[u8]) -> Option<Head> {
    text.first_chunk::<SHORTEST>().copied()
}

fn place(first: u8, second: u8) -> (usize, u64) {
    let number = usize::from(first) << 8 | usize::from(second);
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn patterns(name: &'static str, value: &str) -> Patterns {
        let mut patterns = Patterns::default();
        for form in forms(value) {
            patterns.add(name, &form);
        }
        patterns
    }

    #[test]
    fn value_is_found_in_each_encoding() {
        let value = "s3cr\"et/+ k?y=&%ü8";
        let key = patterns("key", value);
        let url = reqwest::Url::parse_with_params("https://a.test/", [("key", value)]).unwrap();
        let mut by_path = reqwest::Url::parse("https://a.test/").unwrap();
        by_path.path_segments_mut().unwrap().push(value);
        let mut by_user = reqwest::Url::parse("https://a.test/").unwrap();
        by_user.set_password(Some(value)).unwrap();
        let json = serde_json::json!({ "a": value }).to_string();
        let texts = [
            format!("the key {value}."),
            url.to_string(),
            by_path.to_string(),
            by_user.to_string(),
            json.clone(),
            serde_json::json!({ "inner": json }).to_string(),
            format!("{:?}", Some(value)),
            STANDARD.encode(value),
            URL_SAFE.encode(value),
            STANDARD_NO_PAD.encode(format!("user:{value}")),
            STANDARD.encode(format!("me:{value}:tail")),
            URL_SAFE_NO_PAD.encode(format!("a{value}b")),
            utf8_percent_encode(&STANDARD.encode(value), NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(value, COMPONENT).to_string(),
            lower_hex(&utf8_percent_encode(value, SCRIPT).to_string()),
            in_hex(value).to_uppercase(),
        ];
        for text in texts {
            assert_eq!(key.name_in(&text), Some("key"), "{text}");
            let replaced = key.replace(&text);
            assert!(replaced.contains("[secret key]") && key.name_in(&replaced).is_none(), "{replaced}");
        }
    }

    #[test]
    fn value_of_several_lines_is_found_in_json() {
        let key = patterns("key", "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n");
        let json = serde_json::json!({ "a": "-----BEGIN KEY-----\nMIIB\n-----END KEY-----" }).to_string();
        assert_eq!(key.replace(&json), r#"{"a":"[secret key]"}"#);
    }

    #[test]
    fn text_without_a_value_is_not_copied() {
        let key = patterns("key", "0123456789");
        assert!(matches!(key.replace("0123456780, 012345678."), Cow::Borrowed(_)));
        assert!(matches!(Patterns::default().replace("0123456789"), Cow::Borrowed(_)));
        assert_eq!(key.replace("a0123456789b0123456789"), "a[secret key]b[secret key]");
    }

    #[test]
    fn longest_value_wins_and_each_keeps_its_name() {
        let mut both = patterns("short", "0123456789");
        for form in forms("0123456789abc") {
            both.add("long", &form);
        }
        assert_eq!(both.replace("0123456789abc 0123456789abd"), "[secret long] [secret short]abd");
    }

    #[test]
    fn value_that_is_cut_at_the_end_of_a_text_is_found() {
        let key = patterns("key", "0123456789ä");
        assert_eq!(key.replace("a 0123456789"), "a [secret key]");
        assert_eq!(key.replace("a 01234567"), "a [secret key]");
        assert_eq!(key.replace("a 01234567 "), "a 01234567 ");
    }

    #[test]
    fn short_values_are_not_looked_for() {
        assert!(forms("1234567").is_empty());
        assert!(forms("  1234567  ").is_empty());
        assert!(!forms("12345678").is_empty());
    }

    #[test]
    fn removed_patterns_are_gone_once_each_use_is() {
        let mut used = patterns("key", "0123456789");
        let forms = forms("0123456789");
        for form in &forms {
            used.add("key", form);
            used.remove(form);
        }
        assert_eq!(used.name_in("0123456789"), Some("key"));
        for form in &forms {
            used.remove(form);
        }
        assert!(used.is_empty() && used.name_in("0123456789").is_none());
    }

    proptest! {
        #[test]
        fn any_value_is_found_between_any_texts(before in ".{0,20}", value in ".{8,40}", after in ".{0,20}") {
            prop_assume!(value.trim().len() >= SHORTEST);
            let key = patterns("key", &value);
            for text in [
                format!("{before}{value}{after}"),
                STANDARD.encode(format!("{before}{value}{after}")),
                URL_SAFE_NO_PAD.encode(format!("{before}{value}{after}")),
                serde_json::json!(format!("{before}{value}{after}")).to_string(),
                utf8_percent_encode(&format!("{before}{value}{after}"), NON_ALPHANUMERIC).to_string(),
            ] {
                prop_assert_eq!(key.name_in(&text), Some("key"), "{}", text);
                prop_assert_eq!(key.name_in(&key.replace(&text)), None);
            }
        }
    }
}
