//! Properties of any text: reading and writing lose nothing, and nothing panics.

use imperal::manifest::{Manifest, validate_text};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::WHOLE;

/// Keys with a meaning in a manifest or a schema, and one unknown key.
const KEYS: &[&str] = &[
    "name",
    "type",
    "props",
    "properties",
    "$ref",
    "$defs",
    "items",
    "anyOf",
    "oneOf",
    "enum",
    "const",
    "default",
    "required",
    "title",
    "pattern",
    "minimum",
    "additionalProperties",
    "tools",
    "path",
    "x",
];

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z_]{0,6}",
        Just("object".to_owned()),
        Just("#/$defs/x".to_owned()),
        Just("#".to_owned()),
        Just("Input".to_owned()),
        Just("0 9 * * *".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(KEYS), inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

/// The places of all values in a manifest, as JSON pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn whole() -> Value {
    serde_json::from_str(WHOLE).unwrap()
}

/// The complete manifest with some values replaced by any JSON, and with unknown keys.
fn near_manifest() -> impl Strategy<Value = Value> {
    let mut places = Vec::new();
    pointers(&whole(), "", &mut places);
    places.remove(0);
    let change = (prop::sample::select(places), any_json());
    (prop::collection::vec(change, 0..4), prop::option::of(any_json())).prop_map(|(changes, unknown)| {
        let mut manifest = whole();
        for (place, value) in changes {
            if let Some(slot) = manifest.pointer_mut(&place) {
                *slot = value;
            }
        }
        if let Some(value) = unknown {
            manifest["x_unknown"] = value;
        }
        manifest
    })
}

/// Everything in `before` is in `after`, except nulls and keys that are reported as unknown.
fn kept(before: &Value, after: &Value, at: &str, unknown: &[String]) -> Result<(), String> {
    if unknown.iter().any(|path| path == at) {
        return Ok(());
    }
    let join = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before.iter().filter(|(_, value)| !value.is_null()) {
                let path = join(key);
                if !unknown.contains(&path) {
                    kept(value, after.get(key).ok_or_else(|| format!("{path} is lost"))?, &path, unknown)?;
                }
            }
            Ok(())
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).enumerate().try_for_each(|(i, (b, a))| kept(b, a, &join(&i.to_string()), unknown))
        }
        (before, after) if before == after => Ok(()),
        (before, after) => Err(format!("{at} was {before} and is {after}")),
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = Manifest::read(&text);
        prop_assert!(!validate_text(&text, "imperal.json").is_empty());
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        let text = value.to_string();
        let _ = Manifest::read(&text);
        prop_assert!(!validate_text(&text, "imperal.json").is_empty(), "no such text is a manifest without a finding");
    }

    #[test]
    fn reading_and_writing_keep_every_value(value in near_manifest()) {
        let text = value.to_string();
        let findings = validate_text(&text, "imperal.json");
        if let Ok(first) = Manifest::read(&text) {
            let written = first.manifest.to_json();
            let second = Manifest::read(&written).unwrap();
            prop_assert_eq!(&second.manifest, &first.manifest);
            // A panel's tree is kept unchanged, with its faults.
            prop_assert!(second.unknown.iter().all(|path| path.contains(".tree.")), "{:?}", second.unknown);
            prop_assert_eq!(second.manifest.to_json(), written);
            kept(&value, &first.manifest.to_value(), "", &first.unknown).map_err(TestCaseError::fail)?;
        } else {
            prop_assert!(findings.iter().any(imperal::manifest::Finding::is_error), "what cannot be read has an error: {text}");
        }
    }

    #[test]
    fn any_schema_is_checked_without_a_panic(params in any_json(), data in any_json()) {
        let object = |value: Value| if value.is_object() { value } else { Value::Object(Map::new()) };
        let mut manifest = whole();
        manifest["tools"][1]["params_schema"] = object(params);
        manifest["tools"][1]["return_schema"] = object(data);
        let _ = validate_text(&manifest.to_string(), "imperal.json");
    }
}

#[test]
fn complete_manifest_is_read_without_loss() {
    let read = Manifest::read(WHOLE).unwrap();
    assert!(read.unknown.is_empty());
    kept(&whole(), &read.manifest.to_value(), "", &[]).unwrap();
}

#[test]
fn list_is_never_read_as_an_object() {
    for place in ["lifecycle", "lifecycle/health_check", "events", "tools/0", "webhooks/0", "panels/0"] {
        let mut manifest = whole();
        *manifest.pointer_mut(&format!("/{place}")).unwrap() = json!([]);
        let error = Manifest::read(&manifest.to_string()).unwrap_err().to_string();
        assert!(error.contains("must be an object, but is a list"), "{place}: {error}");
    }
    assert!(Manifest::read("[3, \"6.3.7\", \"ab\", \"1.0.0\"]").is_err());
}

#[test]
fn unknown_keys_are_named_everywhere() {
    let mut manifest = whole();
    manifest["schedule"] = json!([]);
    manifest["tools"][0]["ui_builder"] = json!(true);
    manifest["events"]["emits"][0]["x"] = json!(1);
    manifest["panels"][0]["anything"] = json!("is allowed");
    let read = Manifest::read(&manifest.to_string()).unwrap();
    assert_eq!(read.unknown, ["tools.0.ui_builder", "events.emits.0.x", "schedule"]);
    assert_eq!(read.manifest.panels.unwrap()[0].more["anything"], "is allowed");
}
