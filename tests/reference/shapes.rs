//! Compares the schemas of types that are written in both languages.

use std::collections::BTreeSet;

use imperal::function::Registry;
use imperal::manifest::export;
use serde_json::{Map, Value};

use crate::{Row, python};

const GENERIC: &str = "the name of a generic type has no arguments in Rust; `#[schemars(rename = \"Page[{T}]\")]` adds them (`generic_named`)";
const EXTERNAL: &str = "Python has no enum whose variant is the one key of an object; the shape says the same in place";
const BOUND: &str = "a bound that is the type's own says nothing the type did not say, and is left out";

/// Types whose schemas differ, with the reason.
const EXPLAINED: &[(&str, &str)] = &[
    ("at_least_zero_unsigned", BOUND),
    ("at_most_a_byte", BOUND),
    ("field_named_default", "below a key named `default` the reference keeps the order in which it found the keys"),
    ("generic", GENERIC),
    ("generic_list", GENERIC),
    ("generic_nested", GENERIC),
    ("generic_number", GENERIC),
    ("generic_primitive", GENERIC),
    ("generic_root", GENERIC),
    ("generic_two", GENERIC),
    ("map_enum_key", "which keys a map may have is said by listing them, not by a reference to their enum"),
    ("non_zero_signed", "Python has no type for a number that is not zero, and the rule is kept"),
    ("root_enum", "an enum is no model in Python: its wrapper adds a definition and a title of its own"),
    ("union_external", EXTERNAL),
    ("union_external_list", EXTERNAL),
];

/// Types whose schema as a result differs from their schema as parameters.
const EXPLAINED_RESULTS: &[(&str, &str)] = &[
    ("opt_any", "a result always has the field, and what may be anything may be null"),
    ("read_only", "a result has a field that is written and never read; the reference describes what is read"),
    ("renamed_twice", "a result has the name it is written with; the reference describes what is read"),
];

pub(crate) fn prove() -> Vec<Row> {
    let registry = Registry::collect().unwrap();
    let manifest = export(registry.extension("corpus").unwrap());
    let reference = python::run("schemas.py", "");
    let reference = reference.as_object().unwrap();
    let ours: BTreeSet<&str> = manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    let theirs: BTreeSet<&str> = reference.keys().map(String::as_str).collect();
    assert_eq!(ours, theirs, "both halves of the corpus have the same shapes");
    let mut params = Row { what: "schemas of parameters", equal: 0, explained: vec![], unexplained: vec![] };
    let mut results = Row { what: "schemas of results", equal: 0, explained: vec![], unexplained: vec![] };
    for tool in &manifest.tools {
        let expected = reference[&tool.name].as_str().unwrap();
        let (params_schema, return_schema) = (tool.params_schema.as_ref(), tool.return_schema.as_ref());
        compare(&tool.name, params_schema.unwrap(), expected, EXPLAINED, &mut params);
        let also: Vec<_> = EXPLAINED.iter().chain(EXPLAINED_RESULTS).copied().collect();
        compare(&tool.name, return_schema.unwrap(), expected, &also, &mut results);
    }
    vec![params, results]
}

fn compare(name: &str, ours: &Map<String, Value>, theirs: &str, explained: &[(&str, &str)], row: &mut Row) {
    let ours = serde_json::to_string_pretty(ours).unwrap();
    let parsed: Value = serde_json::from_str(theirs).unwrap();
    let theirs = serde_json::to_string_pretty(&parsed).unwrap();
    let reason = explained.iter().find(|(shape, _)| *shape == name);
    match (ours == theirs, reason) {
        (true, None) => row.equal += 1,
        (false, Some((_, reason))) => row.explained.push((name.to_owned(), (*reason).to_owned())),
        (true, Some(_)) => {
            row.unexplained.push((name.to_owned(), "is explained, and there is no difference".to_owned()));
        }
        (false, None) => {
            row.unexplained.push((name.to_owned(), format!("--- ours\n{ours}\n--- theirs\n{theirs}")));
        }
    }
}
