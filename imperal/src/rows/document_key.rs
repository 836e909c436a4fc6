//! Keys of documents: bytes whose order is the order of the values.
//!
//! A key has a part for each field of its index, then the document's id. Every backend compares the bytes, so the
//! order is the same everywhere, whatever the database's collation. The order of values of different types is: absent
//! or null, false, true, numbers, texts, lists and objects.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// Most bytes of a text in a key. Longer ones end with a hash: they are still found exactly, and their order is that
/// of the first bytes.
pub(crate) const TEXT_IN_KEY: usize = 256;
/// Most fields of an index.
pub(crate) const INDEX_FIELDS: usize = 6;
/// Largest document, as JSON, in bytes.
pub(crate) const DOCUMENT_BYTES: usize = 1 << 20;
/// Longest name of a collection.
const COLLECTION_NAME: usize = 64;
/// Longest id of a document, in bytes.
pub(crate) const DOCUMENT_ID: usize = 512;

const NULL: u8 = 0x05;
const FALSE: u8 = 0x10;
const TRUE: u8 = 0x11;
const NUMBER: u8 = 0x20;
const TEXT: u8 = 0x30;
const TREE: u8 = 0x40;
const END_OF_TEXT: u8 = 0x00;
/// Before a byte 0 or 1 of a text, which is one more then: so the end of a text is no part of another text.
const ESCAPE: u8 = 0x01;

/// Whether this is a name of a collection: 1 to 64 of `a-z`, `0-9` and `_`.
pub(crate) const fn is_collection_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= COLLECTION_NAME
}

/// The key of a document in the index of these fields. A field with dots is a path into objects.
pub(crate) fn document_key(fields: &[&str], value: &Value, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(fields.len() * 16 + id.len());
    for field in fields {
        push_value(&mut key, field_of(value, field));
    }
    key.extend_from_slice(id.as_bytes());
    key
}

/// The field of a value, by its path; null if it is absent.
pub(crate) fn field_of<'v>(value: &'v Value, path: &str) -> &'v Value {
    let mut at = value;
    for name in path.split('.') {
        match at.get(name) {
            Some(found) => at = found,
            None => return &Value::Null,
        }
    }
    at
}

/// Adds the part of a key for one value.
pub(crate) fn push_value(key: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => key.push(NULL),
        Value::Bool(false) => key.push(FALSE),
        Value::Bool(true) => key.push(TRUE),
        Value::Number(number) => push_number(key, number),
        Value::String(text) => push_text(key, TEXT, text),
        Value::Array(_) | Value::Object(_) => push_text(key, TREE, &value.to_string()),
    }
}

/// A float has the order of its bits once those of negative ones are turned round. What an integer has beyond a float's
/// precision follows, so that neighbouring large numbers differ.
fn push_number(key: &mut Vec<u8>, number: &Number) {
    let float = number.as_f64().unwrap_or(f64::MAX);
    // There is no order between 0 and -0.
    let float = if float == 0.0 { 0.0 } else { float };
    let rest = number.as_i128().map_or(0, |exact| exact.saturating_sub(truncated(float)));
    let bits = float.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    key.push(NUMBER);
    key.extend_from_slice(&ordered.to_be_bytes());
    let rest = i16::try_from(rest).unwrap_or(if rest < 0 { i16::MIN } else { i16::MAX });
    key.extend_from_slice(&(rest.cast_unsigned() ^ 0x8000).to_be_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "integers of JSON fit, and others have no rest")]
fn truncated(float: f64) -> i128 {
    float as i128
}

fn push_text(key: &mut Vec<u8>, kind: u8, text: &str) {
    key.push(kind);
    let time = as_time(text);
    let text = time.as_deref().unwrap_or(text);
    let begin = key.len();
    for byte in text.bytes() {
        let room = if byte <= ESCAPE { 2 } else { 1 };
        if key.len() - begin + room > TEXT_IN_KEY {
            // The hash has no end of a text in it.
            for byte in &Sha256::digest(text)[..8] {
                key.extend_from_slice(&[0x01 | byte >> 4 << 1, 0x01 | byte << 4 >> 3]);
            }
            break;
        }
        if byte <= ESCAPE {
            key.extend_from_slice(&[ESCAPE, byte + 1]);
        } else {
            key.push(byte);
        }
    }
    key.push(END_OF_TEXT);
}

/// A time in UTC with all digits of its fraction: `:05Z` is before `:05.5Z`, which the bytes of the texts are not.
fn as_time(text: &str) -> Option<String> {
    let (whole, fraction) = (text.get(..19)?, text.get(19..)?.strip_suffix('Z')?);
    let shape = whole.bytes().zip(b"0000-00-00T00:00:00").all(|(byte, &form)| match form {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let digits = if fraction.is_empty() { "" } else { fraction.strip_prefix('.').filter(|all| !all.is_empty())? };
    (shape && digits.len() <= 9 && digits.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| format!("{whole}.{digits:0<9}Z"))
}

/// The number of an index: the same for the same fields and shape in every program. The keys are those of documents in
/// that shape.
pub(crate) fn index_number(fields: &[&str], shape: u32) -> i64 {
    let mut hash = Sha256::new();
    hash.update(shape.to_be_bytes());
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    short(&hash.finalize())
}

/// The number of a set of indexes, for documents of this shape.
pub(crate) fn index_set_number(indexes: &[&[&str]], shape: u32) -> i64 {
    let mut numbers: Vec<i64> = indexes.iter().map(|fields| index_number(fields, shape)).collect();
    numbers.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(shape.to_be_bytes());
    for number in numbers {
        hash.update(number.to_be_bytes());
    }
    short(&hash.finalize())
}

/// The number of a document's indexes after those of `added` were added to those of `stored`. Documents with the same
/// number have the same indexes.
pub(crate) fn joined_index_set(stored: i64, added: i64) -> i64 {
    if stored == 0 {
        return added;
    }
    let mut hash = Sha256::new();
    hash.update(b"joined");
    hash.update(stored.to_be_bytes());
    hash.update(added.to_be_bytes());
    short(&hash.finalize())
}

/// Never 0, which stands for a document without keys.
fn short(hash: &[u8]) -> i64 {
    let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (first >> 1 | 1).cast_signed()
}

/// The smallest bytes that are greater than every key with this beginning.
pub(crate) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0xff]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(value: &Value) -> Vec<u8> {
        let mut key = Vec::new();
        push_value(&mut key, value);
        key
    }

    #[test]
    fn keys_have_the_order_of_their_values() {
        let in_order = [
            json!(null),
            json!(false),
            json!(true),
            json!(-1e300),
            json!(i64::MIN),
            json!(i64::MIN + 1),
            json!(-2.5),
            json!(-1),
            json!(0),
            json!(5e-324),
            json!(0.5),
            json!(1),
            json!(2),
            json!(10),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(u64::MAX - 1),
            json!(u64::MAX),
            json!(1e300),
            json!(""),
            json!("\u{0}"),
            json!("\u{0}a"),
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:00.5Z"),
            json!("2026-01-01T00:00:01Z"),
            json!("A"),
            json!("a"),
            json!("a\u{0}"),
            json!("a\u{0}\u{1}"),
            json!("a\u{1}"),
            json!("a\u{1}\u{0}"),
            json!("a\u{2}"),
            json!("aa"),
            json!("b"),
            json!("ä"),
            json!("日本"),
            json!("\u{10ffff}"),
            json!([1]),
        ];
        let keys: Vec<_> = in_order.iter().map(part).collect();
        for (pair, values) in keys.windows(2).zip(in_order.windows(2)) {
            assert!(pair[0] < pair[1], "{values:?}");
        }
    }

    #[test]
    fn equal_values_have_equal_keys() {
        assert_eq!(part(&json!(1)), part(&json!(1.0)));
        assert_eq!(part(&json!(0.0)), part(&json!(-0.0)));
        assert_eq!(part(&json!("2026-01-01T00:00:00Z")), part(&json!("2026-01-01T00:00:00.000Z")));
    }

    /// No part is the beginning of another one, so the next part never changes the order.
    #[test]
    fn no_part_is_a_prefix_of_another() {
        let values = [
            json!(null),
            json!(1),
            json!(""),
            json!("a"),
            json!("ab"),
            json!("a\u{0}b"),
            json!("x".repeat(900)),
            json!("x".repeat(255)),
            json!(format!("{}\u{0}yy", "x".repeat(255))),
        ];
        for one in &values {
            for other in values.iter().filter(|other| *other != one) {
                assert!(!part(other).starts_with(&part(one)), "{one} {other}");
            }
        }
    }

    #[test]
    fn long_texts_are_cut_and_stay_different() {
        let (one, other) = (json!("x".repeat(1000)), json!(format!("{}y", "x".repeat(999))));
        assert!(part(&one).len() < TEXT_IN_KEY + 32);
        assert_ne!(part(&one), part(&other));
        assert!(part(&json!("x".repeat(10))) < part(&one) && part(&one) < part(&json!("y")));
        let zeros = part(&json!("\u{0}".repeat(1000)));
        assert!(zeros.len() < TEXT_IN_KEY + 32, "{}", zeros.len());
    }

    #[test]
    fn paths_lead_into_objects() {
        let value = json!({"owner": {"name": "Anna"}, "n": 1});
        assert_eq!(field_of(&value, "owner.name"), "Anna");
        assert!(field_of(&value, "owner.age").is_null() && field_of(&value, "n.m").is_null());
        let key = document_key(&["n", "owner.name"], &value, "id");
        assert!(key.ends_with(b"id"));
    }

    #[test]
    fn index_sets_have_the_number_of_their_content() {
        let (a, b): (&[&str], &[&str]) = (&["a"], &["b", "c"]);
        assert_eq!(index_set_number(&[a, b], 1), index_set_number(&[b, a], 1));
        assert_ne!(index_set_number(&[a, b], 1), index_set_number(&[a, b], 2));
        assert_ne!(index_number(&["bc"], 1), index_number(&["b", "c"], 1));
        assert_ne!(index_number(&["bc"], 1), index_number(&["bc"], 2));
        assert_eq!(joined_index_set(0, 5), 5);
        assert!(joined_index_set(5, 7) != joined_index_set(7, 5) && joined_index_set(5, 5) != 5);
        assert_ne!(index_set_number(&[], 0), 0);
    }

    #[test]
    fn behind_is_greater_than_every_key_with_the_prefix() {
        assert_eq!(behind(&[1, 2]), [1, 3]);
        assert_eq!(behind(&[1, 0xff]), [2]);
        assert_eq!(behind(&[0xff]), [0xff]);
    }
}
