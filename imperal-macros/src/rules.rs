//! The forms of names and texts, by the reference SDK's rule codes.
//!
//! Plain functions over text; each answers with what is wrong in words, or nothing. Stricter than
//! the reference in two places, where its regular expressions let through what nobody means: a
//! final newline, and digits outside ASCII.

/// V1: `^[a-z0-9][a-z0-9-]*[a-z0-9]$`
pub(crate) fn app_id(text: &str) -> Result<(), String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = text.len() >= 2
        && text.bytes().all(|b| inner(b) || b == b'-')
        && text.bytes().next().is_some_and(inner)
        && text.bytes().next_back().is_some_and(inner);
    if fits {
        return Ok(());
    }
    let rule = "an app_id is at least 2 of `a-z`, `0-9` and `-`, no `-` first or last (V1)";
    let mended: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .trim_matches('-')
        .to_owned();
    Err(if mended.len() >= 2 && mended != text { format!("{rule}; try `{mended}`") } else { rule.to_owned() })
}

/// V2 and M4: `^\d+\.\d+\.\d+(?:[.-][A-Za-z0-9.-]+)?$`
pub(crate) fn version(text: &str) -> bool {
    let mut rest = text;
    for end in [Some('.'), Some('.'), None] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &rest[digits..];
        if let Some(dot) = end {
            let Some(after) = rest.strip_prefix(dot) else { return false };
            rest = after;
        }
    }
    rest.is_empty()
        || rest.len() > 1
            && rest.starts_with(['.', '-'])
            && rest[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// A capability: `^(?:\*|[a-z][a-z0-9_-]*(?:[.:][a-z0-9_*-]+)+)$`
pub(crate) fn scope(text: &str) -> bool {
    text == "*" || segmented(text, 2, |b| b == b'*' || b == b'-')
}

/// An effect: `verb:thing`, or `thing.verb` as one published extension has it.
pub(crate) fn effect(text: &str) -> bool {
    segmented(text, 2, |b| b == b'*' || b == b'-')
}

/// An event: `note_added`, `notes.added`, `my-notes.added`. The reference's own payload check
/// refuses `-`, its manifest check demands the `app_id` in front, which may have one: both are let
/// through here.
pub(crate) fn event(text: &str) -> bool {
    segmented(text, 1, |b| b == b'-')
}

/// Segments of `a-z0-9_` between `.` or `:`, a letter first; `inner` allows more characters, in
/// the first segment only `-`.
fn segmented(text: &str, least: usize, inner: fn(u8) -> bool) -> bool {
    let mut segments = 0;
    for segment in text.split(['.', ':']) {
        let first = segments == 0;
        let fits = |b: u8| {
            b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || b == b'_'
                || if first { b == b'-' && inner(b) } else { inner(b) }
        };
        if segment.is_empty() || !segment.bytes().all(fits) {
            return false;
        }
        segments += 1;
    }
    segments >= least && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A function's name: its form, and the names that mean something else (V16, V25).
pub(crate) fn function_name(name: &str) -> Result<(), String> {
    let form = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !form {
        return Err("a function's name is `A-Z`, `a-z`, `0-9` and `_`, no digit first: give one with `name = \"..\"`"
            .to_owned());
    }
    if name.starts_with("__") {
        return Err("names that start with `__` are the platform's own (panels, webhooks): choose another".to_owned());
    }
    if name.strip_prefix("tool_").and_then(|rest| rest.strip_suffix("_chat")).is_some_and(|inner| !inner.is_empty()) {
        return Err("`tool_.._chat` is the name of a whole extension's chat tool: choose another (V25)".to_owned());
    }
    if name.starts_with("skeleton_refresh_") {
        return Err("`skeleton_refresh_..` names the platform's periodic facts, which no user calls: choose another (MANIFEST-SKELETON-1)".to_owned());
    }
    Ok(())
}

/// What a language model's name for a tool may have, `{app_id}__{function}`.
pub(crate) const LLM_NAME: usize = 64;

/// The longest function name that fits behind the shortest `app_id` (V33).
pub(crate) const LONGEST_NAME: usize = LLM_NAME - "xx__".len();

/// Characters without white space at the ends, as the reference counts them.
pub(crate) fn length(text: &str) -> usize {
    text.trim().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids() {
        for good in ["ab", "a1", "1a", "my-app", "a--b"] {
            assert!(app_id(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-ab", "ab-", "a_b", "Ab", "a.b", "ab\n", "aé"] {
            assert!(app_id(bad).is_err(), "{bad:?}");
        }
        assert!(app_id("My_App").unwrap_err().contains("try `my-app`"));
    }

    #[test]
    fn versions() {
        for good in ["0.1.0", "10.20.30", "1.0.0-rc.1", "1.0.0.post1"] {
            assert!(version(good), "{good}");
        }
        for bad in ["1", "1.0", "1.0.0rc1", "1.0.0+build", "1.0.0-", "v1.0.0", "1.0.0\n", "1..0", "١.0.0", ""] {
            assert!(!version(bad), "{bad:?}");
        }
    }

    #[test]
    fn scopes_effects_and_events() {
        for good in ["*", "ns:*", "ns:a", "ns.a", "ns:a:b", "ns:*:x", "n-s:a_b"] {
            assert!(scope(good), "{good}");
        }
        for bad in ["ns", "ns:", ":a", "NS:a", "ns:A", "1ns:a", "", "n*:a"] {
            assert!(!scope(bad), "{bad:?}");
        }
        for good in ["update:text", "note.update"] {
            assert!(effect(good), "{good}");
        }
        for bad in ["update", "update:", "Update:text", "update text", "*"] {
            assert!(!effect(bad), "{bad:?}");
        }
        for good in ["text_refined", "notes.added", "my-notes.added", "a:b.c"] {
            assert!(event(good), "{good}");
        }
        for bad in ["", "Text", "a..b", ".a", "a b", "a*", "1a.b"] {
            assert!(!event(bad), "{bad:?}");
        }
    }

    #[test]
    fn names() {
        for good in ["refine", "_x", "tool_chat", "tool__chat", "a1"] {
            assert!(function_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "é", "a-b", "__panel__x", "tool_x_chat", "skeleton_refresh_x"] {
            assert!(function_name(bad).is_err(), "{bad:?}");
        }
    }
}
