//! Rules that need no comparison with the reference SDK. `tests/reference` has the comparison.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Use, to_reference_form};

fn shaped(schema: Value) -> Value {
    Value::Object(to_reference_form(schema, Use::Written))
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.untagged_enum_variant_titles = true);
    shaped(settings.into_generator().into_root_schema_for::<T>().to_value())
}

#[test]
fn fields_have_titles_and_no_bounds_of_their_type() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Params {
        row_id: u32,
        label: Option<String>,
    }
    assert_eq!(
        of::<Params>().to_string(),
        r#"{"properties":{"row_id":{"title":"Row Id","type":"integer"},"label":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null,"title":"Label"}},"required":["row_id"],"title":"Params","type":"object"}"#
    );
}

#[test]
fn a_variant_replaces_its_struct_unless_the_struct_has_another_use() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Cat {
        lives: u8,
    }
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    #[schemars(tag = "kind")]
    enum Pet {
        Cat(Cat),
        None,
    }
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct One {
        pet: Pet,
    }
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Both {
        pet: Pet,
        cat: Cat,
    }
    let names = |schema: &Value| schema["$defs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let one = of::<One>();
    assert_eq!(names(&one), ["Cat", "None", "Pet"]);
    assert_eq!(one["$defs"]["Cat"]["required"], json!(["kind", "lives"]));
    let both = of::<Both>();
    assert_eq!(names(&both), ["Cat", "None", "Pet", "PetCat"]);
    assert_eq!(both["$defs"]["Cat"]["required"], json!(["lives"]), "the struct itself has no tag");
    assert_eq!(both["$defs"]["Pet"]["discriminator"]["mapping"]["Cat"], "#/$defs/PetCat");
}

#[test]
fn values_are_not_rewritten_as_schemas() {
    let schema = json!({
        "title": "T", "type": "object",
        "properties": {"a": {"default": {"$ref": "#/$defs/Gone", "type": ["x", "null"]}, "examples": [{"properties": {"b": {}}}]}},
        "$defs": {"Gone": {"type": "string"}}
    });
    assert_eq!(
        shaped(schema),
        json!({
            "properties": {"a": {
                "default": {"$ref": "#/$defs/Gone", "type": ["x", "null"]},
                "examples": [{"properties": {"b": {}}}],
                "title": "A"
            }},
            "title": "T", "type": "object"
        })
    );
}

#[test]
fn a_name_with_other_characters_becomes_the_title() {
    let schema = json!({
        "title": "T", "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Page%5BRow%5D"}},
        "$defs": {"Page[Row]": {"type": "object", "properties": {}}}
    });
    let shaped = shaped(schema);
    assert_eq!(shaped["properties"]["a"]["$ref"], "#/$defs/Page_Row_");
    assert_eq!(shaped["$defs"]["Page_Row_"]["title"], "Page[Row]");
}

#[test]
fn invalid_schemas_do_not_panic() {
    for odd in [json!(true), json!(false), json!(null), json!({"type": [], "properties": 3, "anyOf": {}, "oneOf": []})]
    {
        let _ = shaped(odd);
    }
}

#[test]
fn nullable_required_fields_stay_required_in_parameters_only() {
    let schema = json!({
        "title": "T", "type": "object", "required": ["value"],
        "properties": {"value": {"anyOf": [{"type": "null"}, {"type": "string"}]}}
    });
    let read = Value::Object(to_reference_form(schema.clone(), Use::Read));
    assert_eq!(read["required"], json!(["value"]));
    assert_eq!(read["properties"]["value"].get("default"), None);
    let written = Value::Object(to_reference_form(schema, Use::Written));
    assert_eq!(written.get("required"), None);
}

#[test]
fn extension_keys_stay_on_an_optional_field() {
    let schema = json!({
        "title": "T", "type": "object",
        "properties": {"role": {"type": ["string", "null"], "x-sdl-role": "title", "minLength": 1}}
    });
    let shaped = shaped(schema);
    assert_eq!(shaped["properties"]["role"]["x-sdl-role"], "title");
    assert_eq!(shaped["properties"]["role"]["anyOf"], json!([{"minLength": 1, "type": "string"}, {"type": "null"}]));
}
