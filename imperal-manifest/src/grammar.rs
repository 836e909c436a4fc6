//! The grammar of ids, names, versions, scopes and other short texts in a manifest.
//!
//! One predicate per kind of text. ASCII only and no final newline, where the reference's regular
//! expressions accept both. Messages are the caller's business.

fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// An app id: `^[a-z0-9][a-z0-9-]*[a-z0-9]$` (V1).
#[must_use]
pub fn is_app_id(text: &str) -> bool {
    match text.as_bytes() {
        [first, middle @ .., last] => {
            lower_or_digit(*first) && lower_or_digit(*last) && middle.iter().all(|&b| lower_or_digit(b) || b == b'-')
        }
        _ => false,
    }
}

/// The app id closest to a text that is none.
///
/// ```
/// use imperal_manifest::grammar::{is_app_id, suggest_app_id};
///
/// assert_eq!(suggest_app_id("My_App").as_deref(), Some("my-app"));
/// assert_eq!(suggest_app_id("-"), None);
/// ```
#[must_use]
pub fn suggest_app_id(text: &str) -> Option<String> {
    let dashed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let id: String = text.to_ascii_lowercase().chars().map(dashed).collect();
    let id = id.trim_matches('-');
    (is_app_id(id) && id != text).then(|| id.to_owned())
}

/// A version: `^\d+\.\d+\.\d+(?:[.-][A-Za-z0-9.-]+)?$` (V2).
#[must_use]
pub fn is_version(text: &str) -> bool {
    let Some(rest) = after_three_numbers(text) else { return false };
    match rest.as_bytes() {
        [] => true,
        [b'.' | b'-', more @ ..] => {
            !more.is_empty() && more.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        }
        _ => false,
    }
}

/// Whether a text begins with three numbers, `1.2.3`. A version that does not is V2 in the reference,
/// another fault in a version M4.
#[must_use]
pub fn begins_with_three_numbers(text: &str) -> bool {
    after_three_numbers(text).is_some()
}

fn after_three_numbers(text: &str) -> Option<&str> {
    let mut rest = text;
    for at in 0..3 {
        if at > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest = rest.get(digits..).filter(|_| digits > 0)?;
    }
    Some(rest)
}

/// A scope or capability: `^(?:\*|[a-z][a-z0-9_-]*(?:[.:][a-z0-9_*-]+)+)$`.
#[must_use]
pub fn is_scope(text: &str) -> bool {
    text == "*" || has_segments(text, 2, |b| matches!(b, b'*' | b'-'))
}

/// An effect: `verb:thing` or `thing.verb`.
#[must_use]
pub fn is_effect(text: &str) -> bool {
    has_segments(text, 2, |b| matches!(b, b'*' | b'-'))
}

/// An event: `note_added`, `notes.added`, `my-notes.added`.
///
/// The reference's check of payloads refuses `-`, its check of manifests demands the app id in front,
/// which may have one. This accepts both.
#[must_use]
pub fn is_event(text: &str) -> bool {
    has_segments(text, 1, |b| b == b'-')
}

/// At least `least` segments of `a-z0-9_` between `.` or `:`, a letter first. The first segment may also
/// have `-` where `also` accepts it, the others everything that `also` accepts.
fn has_segments(text: &str, least: usize, also: fn(u8) -> bool) -> bool {
    let mut segments = 0;
    for segment in text.split(['.', ':']) {
        let first = segments == 0;
        let fits = |b: u8| lower_or_digit(b) || b == b'_' || ((!first || b == b'-') && also(b));
        if segment.is_empty() || !segment.bytes().all(fits) {
            return false;
        }
        segments += 1;
    }
    segments >= least && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// An identifier, which a function's name must be: a letter or `_`, then letters, digits and `_`.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// `tool_NAME_chat`: the tool that an extension built before release 5.0.0 of the reference SDK had for
/// all of its functions (V25).
#[must_use]
pub fn is_old_chat_tool(name: &str) -> bool {
    name.strip_prefix("tool_").and_then(|rest| rest.strip_suffix("_chat")).is_some_and(|middle| !middle.is_empty())
}

/// A webhook's path: a slash, then at least one of lower-case letters, digits, `_`, `/` and `-`.
#[must_use]
pub fn is_webhook_path(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|path| {
        !path.is_empty() && path.bytes().all(|b| lower_or_digit(b) || matches!(b, b'_' | b'/' | b'-'))
    })
}

/// Snake case: a lower-case letter, then lower-case letters, digits and `_`.
#[must_use]
pub fn is_snake_case(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(|b| lower_or_digit(b) || b == b'_')
}

/// The id of a tray icon or menu item: a lower-case letter, then at least one of lower-case letters, digits, `_` and `-`.
#[must_use]
pub fn is_item_id(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| lower_or_digit(b) || matches!(b, b'_' | b'-'))
}

/// The entity type or handler of a search provider: 1 to 64 of lower-case letters, digits and `_`.
#[must_use]
pub fn is_search_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| lower_or_digit(b) || b == b'_')
}

/// A cron line: five fields separated by white space, or one of the keywords.
#[must_use]
pub fn is_cron_line(text: &str) -> bool {
    if matches!(text, "@hourly" | "@daily" | "@weekly" | "@monthly" | "@yearly" | "@annually" | "@reboot") {
        return true;
    }
    !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && text.split_whitespace().count() == 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_accepts(predicate: fn(&str) -> bool, accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert!(predicate(text), "{text:?} is refused");
        }
        for text in refused {
            assert!(!predicate(text), "{text:?} is accepted");
        }
    }

    #[test]
    fn accepts_app_ids_and_versions() {
        assert_accepts(
            is_app_id,
            &["ab", "a1", "0a", "1a", "my-app", "a--b"],
            &["", "a", "-a", "-ab", "a-", "ab-", "A1", "Ab", "a_b", "a.b", "ab\n", "ä1"],
        );
        assert_accepts(
            is_version,
            &["0.1.0", "1.0.0", "10.20.30", "0.10.2-rc.1", "1.0.0.post1", "1.2.3.4", "1.2.3--"],
            &["", "1", "1.0", "1..0", "1.0.0rc1", "1.0.0+b", "1.0.0-", "v1.0.0", "1.0.0\n", "١.٠.٠"],
        );
    }

    #[test]
    fn accepts_scopes_effects_and_events() {
        assert_accepts(
            is_scope,
            &["*", "ns:*", "ns:a", "ns.a", "ns:a:b", "ns:*:x", "n-s:a_b"],
            &["ns", "ns:", ":a", "NS:a", "ns:A", "1ns:a", "ns::a", "ns:a ", "", "**", "n*:a"],
        );
        assert_accepts(
            is_effect,
            &["update:text", "note.update"],
            &["update", "update:", "Update:text", "update text", "*"],
        );
        assert_accepts(
            is_event,
            &["text_refined", "notes.added", "my-notes.added", "a:b.c"],
            &["", "Text", "a..b", ".a", "a b", "a*", "1a.b"],
        );
    }

    #[test]
    fn accepts_names_of_tools_and_sections() {
        assert_accepts(is_identifier, &["a", "_x", "A1_"], &["", "1a", "a-b", "a\n", "ä"]);
        assert_accepts(is_old_chat_tool, &["tool_x_chat"], &["tool_chat", "tool__chat", "x_chat"]);
        assert_accepts(is_webhook_path, &["/a", "/a/b-c_1", "//"], &["", "/", "a", "/A", "/a b"]);
        assert_accepts(is_item_id, &["ab", "a-", "a_1"], &["a", "", "1a", "Ab"]);
        assert_accepts(is_snake_case, &["a", "a_1"], &["", "_a", "a-b"]);
        assert_accepts(
            is_cron_line,
            &["0 9 * * *", "* * * * *", "@daily", "0  9 * * *"],
            &["0 9 * *", "@midnight", " 0 9 * * *", "0 9 * * * *", ""],
        );
    }
}
