//! Which parts of a call's parameters the schema calls `writeOnly`: keys and passwords.
//!
//! Owns taking them out, at any depth: in objects, lists and maps, behind references and in whichever
//! form of an enum. A part that one form calls secret is taken out whatever the others say.

use serde_json::Value;

/// References and forms that follow one another without going deeper into the value: a schema may refer
/// to itself.
const MOST_FORMS: u8 = 32;

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

/// Takes out of a value what its schema calls secret.
pub(super) fn strip(schema: &Value, value: &mut Value) {
    Schemas { root: schema }.strip(schema, value, MOST_FORMS);
}

struct Schemas<'a> {
    root: &'a Value,
}

impl<'a> Schemas<'a> {
    fn strip(&self, schema: &'a Value, value: &mut Value, forms: u8) {
        for form in self.forms(schema, forms) {
            self.strip(form, value, forms - 1);
        }
        match value {
            Value::Object(fields) => {
                let of = |name: &str| field(schema, name);
                fields.retain(|name, _| of(name).is_none_or(|field| !self.is_secret(field, MOST_FORMS)));
                for (name, value) in fields.iter_mut() {
                    if let Some(field) = of(name) {
                        self.strip(field, value, MOST_FORMS);
                    }
                }
            }
            Value::Array(items) => {
                let first = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
                for (at, item) in items.iter_mut().enumerate() {
                    let of = first.get(at).unwrap_or(&schema["items"]);
                    if self.is_secret(of, MOST_FORMS) {
                        *item = Value::Null;
                    } else {
                        self.strip(of, item, MOST_FORMS);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_secret(&self, schema: &'a Value, forms: u8) -> bool {
        schema["writeOnly"] == true || self.forms(schema, forms).any(|form| self.is_secret(form, forms - 1))
    }

    /// What else the same value may be.
    fn forms(&self, schema: &'a Value, left: u8) -> impl Iterator<Item = &'a Value> + use<'a> {
        let referred = schema["$ref"].as_str().and_then(|to| self.root.pointer(to.strip_prefix('#')?));
        let forms = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|all| schema[all].as_array()).flatten();
        referred.into_iter().chain(forms).filter(move |_| left > 0)
    }
}

fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = schema["properties"].get(name);
    let by_pattern = || schema["patternProperties"].as_object()?.values().next();
    named.or_else(by_pattern).or_else(|| schema.get("additionalProperties"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;
    use serde_json::json;

    #[derive(JsonSchema, Serialize)]
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
}
