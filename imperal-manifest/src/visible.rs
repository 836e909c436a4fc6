//! Makes foreign text harmless on a terminal, in a log line and in a line of JSON.
//!
//! Replaces hidden characters: those that move the cursor, break a line, reorder the text around them, or
//! are invisible.

use std::borrow::Cow;
use std::fmt::Write;

/// Replaces a hidden character on a terminal.
const MARK: char = '\u{fffd}';

/// For a terminal: hidden characters become U+FFFD; line breaks and tabs stay.
pub fn on_terminal(text: &str) -> Cow<'_, str> {
    let keep = |c| c == '\n' || c == '\t';
    if text.contains("\r\n") {
        return Cow::Owned(shown(&text.replace("\r\n", "\n"), keep, |_, shown| shown.push(MARK)).into_owned());
    }
    shown(text, keep, |_, shown| shown.push(MARK))
}

/// For one line of a file: hidden characters and line breaks become `<U+0000>`.
pub fn by_number(text: &str) -> Cow<'_, str> {
    let number = |c, shown: &mut String| {
        let _ = write!(shown, "<U+{:04X}>", u32::from(c));
    };
    shown(text, |c| c == '\t', number)
}

/// For one line of a log: hidden characters and line breaks become escapes.
pub fn in_log(text: &str) -> Cow<'_, str> {
    shown(text, |_| false, |c, shown| shown.extend(c.escape_default()))
}

/// For a line of JSON: hidden characters become `\u` escapes. They are only in strings, so the document stays
/// the same.
pub fn in_json(line: &str) -> Cow<'_, str> {
    shown(
        line,
        |_| false,
        |c, shown| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        },
    )
}

/// Puts each line with right-to-left letters between FSI and PDI, so that it keeps its direction and the text
/// around it keeps its place. Other text stays unchanged.
///
/// Expects text without hidden characters, so that the isolates are balanced.
pub fn isolated(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_right_to_left) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        if line.chars().any(is_right_to_left) { format!("\u{2068}{line}\u{2069}") } else { line.to_owned() }
    };
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

fn shown(text: &str, keep: impl Fn(char) -> bool, mark: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut changed: Option<String> = None;
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, after)| *after);
        if is_hidden(c) && !keep(c) && !is_needed(c, before, after) {
            mark(c, changed.get_or_insert_with(|| text[..at].to_owned()));
        } else if let Some(changed) = &mut changed {
            changed.push(c);
        }
        before = Some(c);
    }
    changed.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Control characters, and characters that Unicode defines as invisible (`Default_Ignorable_Code_Point`, the
/// interlinear marks, the line and paragraph separators).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a hidden character is needed in its place: a joiner between letters or parts of an emoji, or a
/// variation selector after its character.
fn is_needed(c: char, before: Option<char>, after: Option<char>) -> bool {
    let is_form = |c| matches!(c, '\u{fe0e}' | '\u{fe0f}');
    let stands = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && (!is_hidden(c) || is_form(c)));
    match c {
        '\u{200c}' | '\u{200d}' => stands(before) && stands(after),
        c if is_form(c) => {
            before.is_some_and(|c| matches!(c, '0'..='9' | '#' | '*') || (!c.is_ascii() && !is_hidden(c)))
        }
        _ => false,
    }
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_hidden_characters() {
        for hidden in [
            "\x1b",
            "\x07",
            "\r",
            "\u{7f}",
            "\u{9b}",
            "\u{85}",
            "\u{202e}",
            "\u{202a}",
            "\u{2066}",
            "\u{2069}",
            "\u{200e}",
            "\u{200f}",
            "\u{61c}",
            "\u{200b}",
            "\u{feff}",
            "\u{2060}",
            "\u{ad}",
            "\u{2028}",
            "\u{e0041}",
            "\u{e0101}",
            "\u{3164}",
            "\u{200d}",
            "\u{fe0f}",
        ] {
            let text = format!("a{hidden}b");
            assert_eq!(on_terminal(&text), "a\u{fffd}b", "{}", hidden.escape_unicode());
            let c = hidden.chars().next().unwrap();
            assert_eq!(in_log(&text), format!("a{}b", c.escape_default()));
        }
        assert_eq!(on_terminal("a\x1b[2Jb\x07\r\nc\td"), "a\u{fffd}[2Jb\u{fffd}\nc\td");
        assert_eq!(in_log("anna\n ERROR forged"), "anna\\n ERROR forged");
        assert_eq!(by_number("a\tb\n\u{202e}"), "a\tb<U+000A><U+202E>");
    }

    #[test]
    fn keeps_ordinary_text_of_any_script() {
        for text in ["plain", "Grüße, 日本語", "שלום עולם", "می‌خواهم", "क्‍ष", "👩‍❤️‍👨 ☎️ 1️⃣ 👍🏽", "é = e\u{301}"]
        {
            assert_eq!(on_terminal(text), text);
            assert_eq!(in_log(text), text);
        }
    }

    #[test]
    fn isolates_right_to_left_text_line_by_line() {
        assert_eq!(isolated("left"), "left");
        assert_eq!(isolated("שלום\nleft\nab عربي"), "\u{2068}שלום\u{2069}\nleft\n\u{2068}ab عربي\u{2069}");
    }

    #[test]
    fn keeps_the_json_document() {
        let value = serde_json::json!({"a\u{202e}b": "c\u{9b}d\u{e0041}\x1b\u{200b}e\n"});
        let line = value.to_string();
        let line = in_json(&line);
        assert!(line.is_ascii(), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}
