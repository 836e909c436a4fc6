//! Finds syntax faults in regular expressions.
//!
//! Owns the faults that make a pattern unusable in every engine: groups and classes that do not close, a
//! repetition of nothing, a range in the wrong order, a lone backslash at the end. It reads the text and
//! compiles nothing, because a pattern may come from anyone. The platform's engine may still refuse a pattern
//! that passes here; it does so when the extension starts.

use std::iter::Peekable;
use std::str::Chars;

/// Largest number of repetitions that engines accept.
const MAX_REPETITIONS: u32 = 100_000;

/// Most characters that are read as the bounds of a repetition: two numbers of 20 digits and a comma.
const LONGEST_BOUNDS: usize = 41;

/// The first fault of a pattern; `None` if it has none.
pub(super) fn regex_fault(pattern: &str) -> Option<String> {
    let mut rest = pattern.chars().peekable();
    let mut open_groups = 0_usize;
    let mut can_repeat = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                if rest.next().is_none() {
                    return Some("it ends with a lone `\\`".to_owned());
                }
                can_repeat = true;
            }
            '[' => {
                if let Some(fault) = class_fault(&mut rest) {
                    return Some(fault);
                }
                can_repeat = true;
            }
            '(' => {
                open_groups += 1;
                if rest.next_if_eq(&'?').is_some() && !skip_group_head(&mut rest) {
                    return Some("a group `(?` has an unknown kind".to_owned());
                }
                can_repeat = false;
            }
            ')' => {
                let Some(left) = open_groups.checked_sub(1) else {
                    return Some("a `)` closes no group".to_owned());
                };
                open_groups = left;
                can_repeat = true;
            }
            '*' | '+' | '?' => {
                if !can_repeat {
                    return Some(format!("a `{c}` repeats nothing"));
                }
                rest.next_if(|next| matches!(next, '?' | '+'));
                can_repeat = false;
            }
            '{' => match repetition(&mut rest) {
                Repetition::Text => can_repeat = true,
                Repetition::Bounds(..) if !can_repeat => return Some("a `{` repeats nothing".to_owned()),
                Repetition::Bounds(from, to) if to.is_some_and(|to| to < from) => {
                    return Some(format!(
                        "the repetition {{{from},{}}} has its bounds reversed",
                        to.unwrap_or_default()
                    ));
                }
                Repetition::Bounds(from, to) if from.max(to.unwrap_or_default()) > MAX_REPETITIONS => {
                    return Some("a repetition has too large bounds".to_owned());
                }
                Repetition::Bounds(..) => {
                    rest.next_if_eq(&'?');
                    can_repeat = false;
                }
            },
            '|' => can_repeat = false,
            _ => can_repeat = true,
        }
    }
    (open_groups > 0).then(|| "a `(` is not closed".to_owned())
}

/// Skips the text after `(?` that names the kind of a group. Returns `false` for an unknown kind.
fn skip_group_head(rest: &mut Peekable<Chars<'_>>) -> bool {
    match rest.next() {
        Some(':' | '=' | '!' | '>') => true,
        Some('<') => match rest.next() {
            Some('=' | '!') => true,
            Some(c) if c.is_alphabetic() || c == '_' => rest.by_ref().any(|c| c == '>'),
            _ => false,
        },
        Some('P') => rest.next_if_eq(&'<').is_some() && rest.by_ref().any(|c| c == '>'),
        // Flags: `(?i)` and `(?i:`. The `)` closes the group as usual.
        Some(c) if c.is_ascii_alphabetic() || c == '-' => {
            while rest.next_if(|c| c.is_ascii_alphabetic() || *c == '-').is_some() {}
            rest.next_if_eq(&':').is_some() || rest.peek() == Some(&')')
        }
        _ => false,
    }
}

/// Reads a class after its `[`, up to its `]`. Returns its fault.
fn class_fault(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    const OPEN: &str = "a `[` is not closed";
    rest.next_if_eq(&'^');
    let mut before: Option<char> = None;
    loop {
        let Some(c) = rest.next() else { return Some(OPEN.to_owned()) };
        match c {
            ']' => return None,
            // An escape such as `\d` cannot begin a range.
            '\\' => match rest.next() {
                Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P' | 'b' | 'x' | 'u' | 'c') => before = None,
                Some(c) => before = Some(c),
                None => return Some(OPEN.to_owned()),
            },
            '-' if before.is_some() && !matches!(rest.peek(), None | Some(']' | '\\' | '[')) => {
                if let (Some(from), Some(to)) = (before.take(), rest.next())
                    && to < from
                {
                    return Some(format!("the range {from}-{to} is reversed"));
                }
            }
            c => before = Some(c),
        }
    }
}

/// The text after a `{`.
enum Repetition {
    /// Not a repetition: the brace is an ordinary character.
    Text,
    /// The lower bound, and the upper bound if there is one.
    Bounds(u32, Option<u32>),
}

fn repetition(rest: &mut Peekable<Chars<'_>>) -> Repetition {
    // Looks ahead a limited number of characters, so that a pattern of many braces costs linear time.
    let ahead = rest.clone().take(LONGEST_BOUNDS);
    let inside: String = ahead.take_while(|c| c.is_ascii_digit() || *c == ',').collect();
    let is_closed = rest.clone().nth(inside.len()) == Some('}');
    let number = |text: &str| text.parse::<u32>().ok();
    let bounds = match inside.split_once(',') {
        None => number(&inside).map(|exactly| (exactly, Some(exactly))),
        Some((from, "")) => number(from).map(|from| (from, None)),
        Some((from, to)) => number(from).zip(number(to)).map(|(from, to)| (from, Some(to))),
    };
    match bounds.filter(|_| is_closed) {
        None => Repetition::Text,
        Some((from, to)) => {
            // Skips the bounds and the closing brace.
            let _ = rest.nth(inside.len());
            Repetition::Bounds(from, to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_regular_expressions() {
        for pattern in [
            "",
            "^[a-z][a-z0-9-]{1,39}$",
            r"^\d{4}-\d{2}-\d{2}$",
            "(?i)yes|no",
            "(?:a|b)+?",
            "(?<year>[0-9]{4})",
            "(?=.*[A-Z]).{8,}",
            "(?!x)y",
            "(?<=a)b",
            r"[\]\-a]",
            "[^]a-z]?",
            r"\p{L}+",
            "a{2}",
            "[a-]",
            "x*+",
            "(?P<name>a)",
            "(?i:a)b",
        ] {
            assert_eq!(regex_fault(pattern), None, "{pattern}");
        }
    }

    /// Reading on to a closing brace from each of these would take days.
    #[test]
    fn many_open_braces_cost_linear_time() {
        assert_eq!(regex_fault(&"{".repeat(4_000_000)), None);
        assert_eq!(regex_fault(&format!("{}}}", "{1".repeat(2_000_000))), None);
    }

    #[test]
    fn names_the_fault() {
        for (pattern, fault) in [
            ("(", "a `(` is not closed"),
            ("a)", "a `)` closes no group"),
            ("[a-z", "a `[` is not closed"),
            ("*a", "a `*` repeats nothing"),
            ("a|+", "a `+` repeats nothing"),
            ("[z-a]", "the range z-a is reversed"),
            ("a{3,1}", "the repetition {3,1} has its bounds reversed"),
            ("a\\", "it ends with a lone `\\`"),
            ("(?", "a group `(?` has an unknown kind"),
        ] {
            assert_eq!(regex_fault(pattern).as_deref(), Some(fault), "{pattern}");
        }
    }
}
