//! Forms of text: what an app id, a version, a scope or a cron line looks like.
//!
//! Owns one function a form. ASCII only and no final newline, where Python's regular expressions
//! let both through.

fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// `^[a-z0-9][a-z0-9-]*[a-z0-9]$`
pub(super) fn app_id(text: &str) -> bool {
    match text.as_bytes() {
        [first, middle @ .., last] => {
            lower_or_digit(*first) && lower_or_digit(*last) && middle.iter().all(|&b| lower_or_digit(b) || b == b'-')
        }
        _ => false,
    }
}

/// Three numbers, then nothing or `.` or `-` with letters, digits, `.` and `-`.
pub(super) fn version(text: &str) -> bool {
    let Some(rest) = after_three_numbers(text) else { return false };
    match rest.as_bytes() {
        [] => true,
        [b'.' | b'-', more @ ..] => {
            !more.is_empty() && more.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        }
        _ => false,
    }
}

/// What follows `1.2.3`.
pub(super) fn after_three_numbers(text: &str) -> Option<&str> {
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

/// `*`, or a namespace and at least one part after `:` or `.`.
pub(super) fn scope(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let name = text.bytes().take_while(|&b| lower_or_digit(b) || matches!(b, b'_' | b'-')).count();
    let (namespace, rest) = text.split_at(name);
    namespace.starts_with(|c: char| c.is_ascii_lowercase())
        && rest.starts_with([':', '.'])
        && rest
            .get(1..)
            .is_some_and(|rest| rest.split([':', '.']).all(|part| !part.is_empty() && part.bytes().all(scope_byte)))
}

fn scope_byte(b: u8) -> bool {
    lower_or_digit(b) || matches!(b, b'_' | b'*' | b'-')
}

/// A letter or `_`, then letters, digits and `_`.
pub(super) fn identifier(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// A slash, then at least one of lower-case letters, digits, `_`, `/` and `-`.
pub(super) fn webhook_path(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|path| {
        !path.is_empty() && path.bytes().all(|b| lower_or_digit(b) || matches!(b, b'_' | b'/' | b'-'))
    })
}

/// A lower-case letter, then lower-case letters, digits and `_`.
pub(super) fn snake(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(|b| lower_or_digit(b) || b == b'_')
}

/// The same, 63 characters at most.
pub(super) fn short_snake(text: &str) -> bool {
    snake(text) && text.len() <= 63
}

/// A lower-case letter, then at least one of lower-case letters, digits, `_` and `-`.
pub(super) fn item_id(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| lower_or_digit(b) || matches!(b, b'_' | b'-'))
}

/// 1 to 64 of lower-case letters, digits and `_`.
pub(super) fn search_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| lower_or_digit(b) || b == b'_')
}

/// An environment variable set aside for secrets.
pub(super) fn secret_variable(text: &str) -> bool {
    text.starts_with("IMPERAL_APPSECRET_")
}

/// At least one character.
pub(super) fn not_empty(text: &str) -> bool {
    !text.is_empty()
}

/// 200 characters at most.
pub(super) fn at_most_200(text: &str) -> bool {
    text.chars().count() <= 200
}

/// Five fields with blanks between them, or one of the keywords.
pub(super) fn cron(text: &str) -> bool {
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

    fn agrees(form: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(form(text), "{text:?} is good");
        }
        for text in bad {
            assert!(!form(text), "{text:?} is bad");
        }
    }

    #[test]
    fn each_form_takes_what_it_should_and_nothing_else() {
        agrees(app_id, &["ab", "a-b", "0a", "a--b"], &["", "a", "-a", "a-", "A1", "a_b", "ab\n", "ä1"]);
        agrees(
            version,
            &["1.0.0", "0.10.2-rc.1", "1.2.3.4", "1.2.3--"],
            &["1.0", "1.0.0rc1", "1.0.0+b", "1.0.0-", "v1.0.0", "1.0.0\n", "١.٠.٠"],
        );
        agrees(
            scope,
            &["*", "ns:*", "ns:a", "ns.a", "ns:a:b", "ns:*:x", "n-s:a_b"],
            &["ns", "ns:", ":a", "NS:a", "ns:A", "1ns:a", "ns::a", "ns:a ", "", "**"],
        );
        agrees(identifier, &["a", "_x", "A1_"], &["", "1a", "a-b", "a\n", "ä"]);
        agrees(webhook_path, &["/a", "/a/b-c_1", "//"], &["", "/", "a", "/A", "/a b"]);
        agrees(item_id, &["ab", "a-", "a_1"], &["a", "", "1a", "Ab"]);
        agrees(short_snake, &["a", "a_1"], &["", "_a", "a-b", &"a".repeat(64)]);
        agrees(
            cron,
            &["0 9 * * *", "* * * * *", "@daily", "0  9 * * *"],
            &["0 9 * *", "@midnight", " 0 9 * * *", "0 9 * * * *", ""],
        );
    }
}
