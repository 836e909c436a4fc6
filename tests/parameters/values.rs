//! Random parameters that are often nearly valid.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// An object with the fields of the suite's types, sometimes with an unknown field.
pub(crate) fn params() -> BoxedStrategy<Value> {
    let name = select(vec!["v", "v", "v", "o", "l", "m", "p", "x", "y", "kind", "other"]);
    prop::collection::vec((name, value()), 0..5).prop_map(object).boxed()
}

fn object(fields: Vec<(&'static str, Value)>) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn value() -> impl Strategy<Value = Value> {
    let name = select(vec!["x", "y", "v", "kind", "a", "b", "c", "d", "secs", "nanos", "1", "300", "-7", "true"]);
    scalar().prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..4).prop_map(object),
        ]
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => select(numbers()),
        4 => select(texts()),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => "\\PC{0,4}".prop_map(Value::from),
    ]
}

fn numbers() -> Vec<Value> {
    let whole = [0, 1, 2, 3, 7, -1, -7, 127, 128, -128, -129, 255, 256, 32_767, 65_535, 65_536];
    let large = [i64::from(i32::MAX), i64::from(u32::MAX), i64::from(u32::MAX) + 1, i64::MAX, i64::MIN, 1 << 53];
    let floats = [5.0, 100.0, -0.0, 1.5, 1e17, 1e19, 1.844_674_407_370_955_2e19, -1e30, 1e300, 3.5e38, 0.1, 9e15, 1e16];
    let mut numbers: Vec<Value> = whole.into_iter().chain(large).map(Value::from).collect();
    numbers.push(json!(u64::MAX));
    numbers.push(json!(i64::MAX as u64 + 1));
    numbers.extend(floats.map(Value::from));
    numbers
}

fn texts() -> Vec<Value> {
    let texts = [
        "",
        "a",
        "b",
        "c",
        "ab",
        "abc",
        "abcd",
        "🦀",
        "1",
        "1.50",
        "-3",
        "1e2",
        "true",
        "null",
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "urn:uuid:6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "{6F9619FF-8B86-4011-B42D-00CF4FC964FF}",
        "6f9619ff8b864011b42d00cf4fc964ff",
        "6f9619ff",
        "192.0.2.1",
        "192.0.2.256",
        "::1",
        "2001:db8::1",
        "fe80::1%eth0",
        "2026-11-28",
        "20261128",
        "2026-02-30",
        "08:30:00",
        "083000",
        "24:00:00",
        "2026-11-28T08:30:00",
        "2026-11-28T08:30:00Z",
        "2026-11-28 08:30:00+01",
        "2026-11-28T08:30:00+01:00[Europe/Berlin]",
        "PT1H30M",
        "1h 30m",
        "P1D",
        "P1Y",
        "-PT5S",
        "anna@example.com",
        "anna@",
        "https://example.com/a",
        "example.com",
    ];
    texts.map(Value::from).to_vec()
}
