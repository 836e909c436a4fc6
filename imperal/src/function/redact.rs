//! Removes from a call's parameters everything that the chat must not keep: secrets and unknown fields.
//!
//! Works at any depth: in objects, lists and maps, through references, and in each variant of an enum. If a
//! value has several schemas and one of them marks it `writeOnly` (a key or a password), the value is
//! removed. A field that no schema names is removed too: the type ignores it, and it may be a secret under a
//! misspelt name or a serde alias.

use serde_json::Value;

use super::subschemas::Subschemas;

/// Whether the schema marks anything as secret.
pub(crate) fn has_secrets(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| (name == "writeOnly" && value == true) || has_secrets(value))
        }
        Value::Array(items) => items.iter().any(has_secrets),
        _ => false,
    }
}

/// Removes secrets and unknown fields from the parameters. The number of steps is at most the number of
/// parts of the value times that of the schema, because values come from untrusted callers.
pub(super) fn strip(schema: &Value, params: &mut Value) {
    let forms = Subschemas::of_root(schema);
    if forms.are_secret() {
        *params = Value::Object(serde_json::Map::new());
    } else {
        // The root never allows unknown fields, even if its schema names no field.
        strip_value(&forms, params, has_secrets(schema), true);
    }
}

/// Whether the parameters certainly have no unknown field. Looks at their first level only, so a nested value
/// that could have fields makes it `false`. Does not look for secrets.
pub(super) fn is_plain(schema: &Value, params: &Value) -> bool {
    let (Some(named), Some(given)) = (schema["properties"].as_object(), params.as_object()) else { return false };
    let plain = |value: &Value| match value {
        Value::Object(_) => false,
        Value::Array(items) => !items.iter().any(|item| item.is_object() || item.is_array()),
        _ => true,
    };
    given.iter().all(|(name, value)| named.contains_key(name) && plain(value))
}

fn strip_value(forms: &Subschemas<'_>, value: &mut Value, strict: bool, is_root: bool) {
    match value {
        Value::Object(fields) => {
            let free = !is_root && forms.are_free(strict);
            fields.retain(|name, value| {
                if !free && !forms.name_field(name) {
                    return false;
                }
                let field = forms.field(name);
                let keep = !field.are_secret();
                if keep {
                    strip_value(&field, value, strict, false);
                }
                keep
            });
        }
        Value::Array(items) => {
            let own = forms.own_items();
            let further = forms.item(own);
            for (at, value) in items.iter_mut().enumerate() {
                let first = (at < own).then(|| forms.item(at));
                let item = first.as_ref().unwrap_or(&further);
                if item.are_secret() {
                    *value = Value::Null;
                } else {
                    strip_value(item, value, strict, false);
                }
            }
        }
        _ => {}
    }
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
        assert!(has_secrets(&schema));
        assert!(!has_secrets(&json!({"properties": {"writeOnly": {"type": "boolean"}}})));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}});
        let mut value = json!({"a": [1]});
        strip(&schema, &mut value);
        assert_eq!(value, json!({}));
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
