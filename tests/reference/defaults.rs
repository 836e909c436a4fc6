//! Default values of the corpus, named by `#[serde(default = "..")]`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) fn some_five() -> Option<i32> {
    Some(5)
}

pub(crate) fn seven() -> i32 {
    7
}

pub(crate) fn negative() -> i64 {
    -40
}

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn greeting() -> String {
    "Grüße, 日本\n\"q\"".to_owned()
}

pub(crate) fn half() -> f64 {
    0.5
}

pub(crate) fn whole() -> f64 {
    2.0
}

pub(crate) fn tiny() -> f64 {
    1.5e-7
}

pub(crate) fn huge() -> f64 {
    1e22
}

pub(crate) fn colors() -> Vec<String> {
    vec!["red".to_owned(), "green".to_owned()]
}

pub(crate) fn weights() -> BTreeMap<String, f64> {
    [("b".to_owned(), 1.0), ("a".to_owned(), 0.25)].into()
}

pub(crate) fn anything() -> Value {
    json!({"z": [1, null], "a": {"y": 1, "b": 2}})
}

pub(crate) fn pair() -> (i32, String) {
    (1, "a".to_owned())
}

pub(crate) fn opt_pair() -> Option<Vec<i32>> {
    Some(vec![1, 2])
}
