//! Escaped characters that an endpoint splits over two pieces.
//!
//! An emoji is two escapes in JSON, `\ud83d\ude00`. Endpoints that cut a text between them send two pieces that no JSON
//! reader takes. The first half is taken out of its piece and put before the second half in the next one.

/// Joins halves over pieces.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// The first half that waits for its second.
    waiting: Option<String>,
}

impl Halves {
    /// The piece with whole escapes only. A half that never finds its other one becomes `\ufffd`.
    pub(super) fn join(&mut self, piece: &str) -> String {
        let mut joined = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(at) = rest.find('\\') {
            joined.push_str(&rest[..at]);
            rest = &rest[at..];
            let Some(unit) = unit(rest) else {
                // Another escape: its second character is no backslash of its own.
                let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
                joined.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            };
            let escape = &rest[..6];
            rest = &rest[6..];
            let next = self::unit(rest).filter(|unit| is_second(*unit));
            match (is_first(unit), is_second(unit), next) {
                (true, _, Some(_)) => {
                    joined.push_str(escape);
                    joined.push_str(&rest[..6]);
                    rest = &rest[6..];
                }
                // It waits for the next piece only at the end of its text.
                (true, _, None) if rest.starts_with('"') && self.waiting.is_none() => {
                    self.waiting = Some(escape.to_owned());
                }
                (false, true, _) => match self.waiting.take() {
                    Some(first) => {
                        joined.push_str(&first);
                        joined.push_str(escape);
                    }
                    None => joined.push_str("\\ufffd"),
                },
                (true, ..) => joined.push_str("\\ufffd"),
                (false, false, _) => joined.push_str(escape),
            }
        }
        joined.push_str(rest);
        joined
    }
}

/// The number of the escape `\uXXXX` at the start of a text.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

const fn is_first(unit: u32) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

const fn is_second(unit: u32) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_joined_over_pieces() {
        let mut halves = Halves::default();
        assert_eq!(halves.join(r#"{"a":"x\ud83d"}"#), r#"{"a":"x"}"#);
        assert_eq!(halves.join(r#"{"a":"\ude00y"}"#), r#"{"a":"\ud83d\ude00y"}"#);
        assert_eq!(halves.join(r#"{"a":"\ud83d\ude00 \u00e9 \\ud83d"}"#), r#"{"a":"\ud83d\ude00 \u00e9 \\ud83d"}"#);
    }

    #[test]
    fn a_half_without_its_other_is_replaced() {
        let mut halves = Halves::default();
        assert_eq!(halves.join(r#"{"a":"\ude00"}"#), r#"{"a":"\ufffd"}"#);
        assert_eq!(halves.join(r#"{"a":"\ud83d and on"}"#), r#"{"a":"\ufffd and on"}"#);
        assert_eq!(halves.join("\\"), "\\");
        assert_eq!(halves.join("\\u12"), "\\u12");
        assert_eq!(halves.join("\\é\\u00"), "\\é\\u00");
    }
}
