//! Random inputs: texts, JSON, and valid texts with one change.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Short texts of any characters, with NUL and characters beyond the first plane.
pub fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "\\PC{0,12}", 1 => "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{feff}]{0,6}", 1 => any::<String>()]
}

/// Any JSON, a few levels deep.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_text(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// A text with one character changed, removed or added.
pub fn mutated(good: String) -> impl Strategy<Value = String> {
    (0..good.len(), "[A-Za-z0-9._-]", 0..3_u8).prop_map(move |(at, other, how)| {
        let (before, after) = good.split_at(at);
        match how {
            0 => format!("{before}{other}{}", &after[1..]),
            1 => format!("{before}{}", &after[1..]),
            _ => format!("{before}{other}{after}"),
        }
    })
}
