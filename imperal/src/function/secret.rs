//! Which parts of a call's parameters the schema calls `writeOnly`: keys and passwords.
//!
//! Owns taking them out, at any depth: in objects, lists and maps, behind references and in whichever
//! form of an enum. A part that one form calls secret is taken out whatever the others say.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Whether the schema calls anything secret.
pub(super) fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| (name == "writeOnly" && value == true) || any(value))
        }
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

/// Takes out of a value what its schema calls secret. Takes at most as many steps as the value has parts
/// times the schema: values come from strangers.
pub(super) fn strip(schema: &Value, value: &mut Value) {
    let forms = Forms::of(schema, [schema]);
    if forms.are_secret() {
        *value = Value::Object(serde_json::Map::new());
    } else {
        forms.strip(value);
    }
}

/// All schemas that one and the same value may have to follow, each once.
struct Forms<'a> {
    root: &'a Value,
    schemas: Vec<&'a Value>,
}

impl<'a> Forms<'a> {
    fn of(root: &'a Value, schemas: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut forms = Self { root, schemas: Vec::new() };
        schemas.into_iter().for_each(|schema| forms.add(schema));
        let mut at = 0;
        while let Some(schema) = forms.schemas.get(at).copied() {
            for to in ["$ref", "$dynamicRef"] {
                if let Some(referred) = schema[to].as_str().and_then(|to| root.pointer(&decoded(to.strip_prefix('#')?)))
                {
                    forms.add(referred);
                }
            }
            for one in ["if", "then", "else", "not"] {
                forms.add(&schema[one]);
            }
            for many in ["allOf", "anyOf", "oneOf"] {
                schema[many].as_array().into_iter().flatten().for_each(|schema| forms.add(schema));
            }
            schema["dependentSchemas"].as_object().into_iter().for_each(|of| of.values().for_each(|of| forms.add(of)));
            at += 1;
        }
        forms
    }

    fn add(&mut self, schema: &'a Value) {
        if schema.is_object() && !self.schemas.iter().any(|known| std::ptr::eq(*known, schema)) {
            self.schemas.push(schema);
        }
    }

    fn are_secret(&self) -> bool {
        self.schemas.iter().any(|schema| schema["writeOnly"] == true)
    }

    fn strip(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| {
                    let field = Self::of(self.root, self.schemas.iter().flat_map(|schema| of_field(schema, name)));
                    let secret = field.are_secret();
                    if !secret {
                        field.strip(value);
                    }
                    !secret
                });
            }
            Value::Array(items) => {
                for (at, value) in items.iter_mut().enumerate() {
                    let item = Self::of(self.root, self.schemas.iter().flat_map(|schema| of_item(schema, at)));
                    if item.are_secret() {
                        *value = Value::Null;
                    } else {
                        item.strip(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What a schema says of a field. Any pattern may mean it: to take out too much harms nobody.
fn of_field<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let named = schema["properties"].get(name);
    let patterns = schema["patternProperties"].as_object().into_iter().flat_map(serde_json::Map::values);
    let others = ["additionalProperties", "unevaluatedProperties"].into_iter().filter_map(|other| schema.get(other));
    named.into_iter().chain(patterns).chain(others.filter(move |_| named.is_none()))
}

/// What a schema says of an item of a list.
fn of_item(schema: &Value, at: usize) -> impl Iterator<Item = &Value> {
    let first = schema["prefixItems"].get(at);
    let others = ["items", "unevaluatedItems"].into_iter().filter_map(|other| schema.get(other));
    first.into_iter().chain(others.filter(move |_| first.is_none())).chain(schema.get("contains"))
}

/// A reference without its percent signs: names of types may hold anything.
fn decoded(reference: &str) -> Cow<'_, str> {
    percent_decode_str(reference).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;
    use serde_json::json;

    #[derive(JsonSchema, Serialize)]
    #[schemars(rename = "Anmeldung für API/x")]
    struct Login {
        user: String,
        #[schemars(extend("writeOnly" = true))]
        password: String,
    }

    #[derive(JsonSchema, Serialize)]
    #[serde(tag = "by")]
    enum Way {
        Key {
            #[schemars(extend("writeOnly" = true))]
            key: String,
        },
        Login(Login),
    }

    #[derive(JsonSchema, Serialize)]
    struct Tree {
        login: Option<Login>,
        children: Vec<Tree>,
    }

    #[derive(JsonSchema, Serialize)]
    struct Params {
        #[schemars(extend("writeOnly" = true))]
        token: Option<String>,
        hosts: std::collections::BTreeMap<String, Login>,
        pair: (String, Login),
        way: Way,
        tree: Tree,
    }

    #[test]
    fn secrets_are_taken_out_at_any_depth() {
        let login = || Login { user: "anna".to_owned(), password: "secret".to_owned() };
        let schema = serde_json::to_value(schema_for!(Params)).unwrap();
        for way in [Way::Key { key: "secret".to_owned() }, Way::Login(login())] {
            let params = Params {
                token: Some("secret".to_owned()),
                hosts: [("one".to_owned(), login())].into(),
                pair: ("plain".to_owned(), login()),
                way,
                tree: Tree { login: None, children: vec![Tree { login: Some(login()), children: Vec::new() }] },
            };
            let mut kept = serde_json::to_value(params).unwrap();
            strip(&schema, &mut kept);
            assert!(!kept.to_string().contains("secret"), "{kept}");
            assert_eq!(kept["hosts"]["one"], json!({"user": "anna"}));
            assert_eq!(kept["pair"], json!(["plain", {"user": "anna"}]));
            assert_eq!(kept["tree"]["children"][0]["login"], json!({"user": "anna"}));
        }
        assert!(any(&schema));
        assert!(!any(&json!({"properties": {"writeOnly": {"type": "boolean"}}})));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}});
        let mut value = json!({"a": [1]});
        strip(&schema, &mut value);
        assert_eq!(value, json!({"a": [1]}));
    }

    #[test]
    fn what_refers_to_itself_in_many_forms_takes_no_longer_for_it() {
        let form = |kind: &str| {
            let this = json!({"$ref": "#/$defs/expr"});
            json!({"properties": {"kind": {"const": kind}, "left": this, "right": this, "key": {"writeOnly": true}}})
        };
        let forms: Vec<_> = ["add", "sub", "mul", "div"].map(form).into();
        let schema = json!({"$ref": "#/$defs/expr", "$defs": {"expr": {"oneOf": forms}}});
        let mut value = json!({"kind": "add", "key": "secret"});
        for _ in 0..200 {
            value = json!({"kind": "mul", "left": value, "key": "secret"});
        }
        strip(&schema, &mut value);
        assert!(!value.to_string().contains("secret"));
    }

    #[test]
    fn a_secret_is_found_wherever_a_schema_may_say_so() {
        let secret = json!({"properties": {"pin": {"writeOnly": true}}});
        let schemas = [
            json!({"if": {}, "then": secret}),
            json!({"dependentSchemas": {"name": secret}}),
            json!({"patternProperties": {"^n": {}, "^p": {"writeOnly": true}}}),
            json!({"properties": {"name": {}}, "unevaluatedProperties": {"writeOnly": true}}),
            json!({"anyOf": [{"allOf": [secret]}]}),
        ];
        for schema in schemas {
            let mut value = json!({"name": "anna", "pin": "4711"});
            strip(&schema, &mut value);
            assert!(value.get("pin").is_none(), "{schema}");
        }
        let mut value = json!({"pin": "4711"});
        strip(&json!({"writeOnly": true}), &mut value);
        assert_eq!(value, json!({}));
    }
}
