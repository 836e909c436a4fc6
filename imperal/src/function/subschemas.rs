//! The schemas that one value of a call's parameters has to follow.
//!
//! Owns finding them: behind references, in each alternative, in objects, lists and maps. Knows no
//! value and decides nothing.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::read::Step;

/// All schemas that one and the same value may have to follow, each once.
pub(super) struct Subschemas<'a> {
    root: &'a Value,
    schemas: Vec<&'a Value>,
    /// Those below `not` and `if`, which say nothing about what a value may be.
    conditions: Vec<&'a Value>,
}

impl<'a> Subschemas<'a> {
    /// The subschemas of the parameters themselves.
    pub(super) fn of_root(root: &'a Value) -> Self {
        Self::of(root, [root], [])
    }

    fn of(
        root: &'a Value,
        schemas: impl IntoIterator<Item = &'a Value>,
        conditions: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut subschemas = Self { root, schemas: Vec::new(), conditions: Vec::new() };
        schemas.into_iter().for_each(|schema| add(&mut subschemas.schemas, schema));
        conditions.into_iter().for_each(|schema| add(&mut subschemas.conditions, schema));
        let mut at = 0;
        while let Some(schema) = subschemas.schemas.get(at).copied() {
            for condition in ["if", "not"] {
                add(&mut subschemas.conditions, &schema[condition]);
            }
            each_alternative(root, schema, &mut |schema| add(&mut subschemas.schemas, schema));
            at += 1;
        }
        at = 0;
        while let Some(schema) = subschemas.conditions.get(at).copied() {
            for condition in ["if", "not"] {
                add(&mut subschemas.conditions, &schema[condition]);
            }
            each_alternative(root, schema, &mut |schema| add(&mut subschemas.conditions, schema));
            at += 1;
        }
        subschemas
    }

    /// The subschemas of a field of that name.
    pub(super) fn field(&self, name: &str) -> Self {
        Self::of(
            self.root,
            self.schemas.iter().flat_map(|schema| of_field(schema, name)),
            self.conditions.iter().flat_map(|schema| of_field(schema, name)),
        )
    }

    /// The subschemas of an entry of a list.
    pub(super) fn item(&self, at: usize) -> Self {
        Self::of(
            self.root,
            self.schemas.iter().flat_map(|schema| of_item(schema, at)),
            self.conditions.iter().flat_map(|schema| of_item(schema, at)),
        )
    }

    /// How many entries at the start of a list have subschemas of their own. All further ones share theirs.
    pub(super) fn own_items(&self) -> usize {
        let counts = self.schemas.iter().chain(&self.conditions).filter_map(|schema| schema["prefixItems"].as_array());
        counts.map(Vec::len).max().unwrap_or(0)
    }

    /// The subschemas of the value at the end of a path.
    pub(super) fn at<'s>(self, path: impl IntoIterator<Item = &'s Step>) -> Self {
        path.into_iter().fold(self, |subschemas, step| subschemas.at_step(step))
    }

    /// The subschemas one step further.
    pub(super) fn at_step(&self, step: &Step) -> Self {
        match step {
            Step::Field(name) => self.field(name),
            Step::Item(at) => self.item(*at),
        }
    }

    /// Each schema that the value may have to follow.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &'a Value> {
        self.schemas.iter().copied()
    }

    /// Whether any of them, a condition included, calls the value secret.
    pub(super) fn are_secret(&self) -> bool {
        self.schemas.iter().chain(&self.conditions).any(|schema| schema["writeOnly"] == true)
    }

    /// Whether any subschema allows a value of that type by its name.
    pub(super) fn allow(&self, kind: &str) -> bool {
        self.schemas().any(|schema| match &schema["type"] {
            Value::String(one) => one == kind,
            Value::Array(many) => many.iter().any(|one| one == kind),
            _ => false,
        })
    }

    /// Whether an object of these subschemas may have a field of that name that the type knows.
    pub(super) fn name_field(&self, name: &str) -> bool {
        self.schemas().any(|schema| of_field(schema, name).next().is_some())
    }

    /// Whether the value may be anything: no subschema describes its fields. With `strictly`, a subschema has to allow
    /// anything explicitly.
    pub(super) fn are_free(&self, strictly: bool) -> bool {
        let silent = || !self.schemas().any(describes_fields) && self.schemas().any(says_nothing);
        self.schemas.is_empty() || self.schemas().any(|schema| schema == &Value::Bool(true)) || (!strictly && silent())
    }

    /// Whether there is more than one alternative to choose from.
    pub(super) fn have_alternatives(&self) -> bool {
        self.schemas().any(|schema| ["anyOf", "oneOf"].iter().any(|key| schema.get(key).is_some()))
    }

    /// The first `format` of the value.
    pub(super) fn format(&self) -> Option<&'a str> {
        self.schemas().find_map(|schema| schema["format"].as_str())
    }
}

fn add<'a>(schemas: &mut Vec<&'a Value>, schema: &'a Value) {
    if !schema.is_null() && !schemas.iter().any(|known| std::ptr::eq(*known, schema)) {
        schemas.push(schema);
    }
}

/// The schemas that stand for the same value as this one.
fn each_alternative<'a>(root: &'a Value, schema: &'a Value, see: &mut impl FnMut(&'a Value)) {
    for to in ["$ref", "$dynamicRef"] {
        let target = schema[to].as_str().and_then(|to| to.strip_prefix('#'));
        if let Some(referred) = target.and_then(|target| root.pointer(&decoded(target))) {
            see(referred);
        }
    }
    for one in ["then", "else"] {
        see(&schema[one]);
    }
    for many in ["allOf", "anyOf", "oneOf"] {
        schema[many].as_array().into_iter().flatten().for_each(&mut *see);
    }
    schema["dependentSchemas"].as_object().into_iter().for_each(|of| of.values().for_each(&mut *see));
}

/// The subschemas for a field. Any pattern may match it. `additionalProperties: true` is a subschema too.
fn of_field<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let named = schema["properties"].get(name);
    let patterns = schema["patternProperties"].as_object().into_iter().flat_map(serde_json::Map::values);
    let others = ["additionalProperties", "unevaluatedProperties"].into_iter().filter_map(|other| schema.get(other));
    let others = others.filter(|other| **other != false);
    named.into_iter().chain(patterns).chain(others.filter(move |_| named.is_none()))
}

/// The subschemas for an item of a list.
fn of_item(schema: &Value, at: usize) -> impl Iterator<Item = &Value> {
    let first = schema["prefixItems"].get(at);
    let others = ["items", "unevaluatedItems"].into_iter().filter_map(|other| schema.get(other));
    first.into_iter().chain(others.filter(move |_| first.is_none())).chain(schema.get("contains"))
}

/// Whether a schema says which fields an object has.
fn describes_fields(schema: &Value) -> bool {
    ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties"]
        .iter()
        .any(|key| schema.get(key).is_some())
}

/// Whether a schema allows an object and says nothing about it, by itself or by reference.
fn says_nothing(schema: &Value) -> bool {
    let allows_object = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
        kind => kind == "object",
    };
    let refers =
        ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas", "enum", "const"];
    allows_object && !refers.iter().any(|key| schema.get(key).is_some())
}

/// A reference without its percent signs: names of types may hold anything.
fn decoded(reference: &str) -> Cow<'_, str> {
    percent_decode_str(reference).decode_utf8_lossy()
}
