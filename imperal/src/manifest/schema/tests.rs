//! Forms that need no second language to judge; the comparison with the reference is the suite
//! `tests/reference`.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Use, shape};

fn shaped(schema: Value) -> Value {
    Value::Object(shape(schema, Use::Written))
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.untagged_enum_variant_titles = true);
    shaped(settings.into_generator().into_root_schema_for::<T>().to_value())
}

#[test]
fn a_field_has_a_title_and_no_width() {
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
fn a_variant_takes_the_place_of_the_struct_it_holds_unless_that_is_used_elsewhere() {
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
fn a_value_is_not_taken_for_a_schema() {
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
fn a_name_with_other_characters_stays_a_title() {
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
fn anything_that_is_no_schema_is_shaped_without_a_panic() {
    for odd in [json!(true), json!(false), json!(null), json!({"type": [], "properties": 3, "anyOf": {}, "oneOf": []})]
    {
        let _ = shaped(odd);
    }
}

#[test]
fn a_required_field_that_may_be_null_stays_required_in_parameters() {
    let schema = json!({
        "title": "T", "type": "object", "required": ["value"],
        "properties": {"value": {"anyOf": [{"type": "null"}, {"type": "string"}]}}
    });
    let read = Value::Object(shape(schema.clone(), Use::Read));
    assert_eq!(read["required"], json!(["value"]));
    assert_eq!(read["properties"]["value"].get("default"), None);
    let written = Value::Object(shape(schema, Use::Written));
    assert_eq!(written.get("required"), None);
}

#[test]
fn a_key_of_another_program_stays_on_an_optional_field() {
    let schema = json!({
        "title": "T", "type": "object",
        "properties": {"role": {"type": ["string", "null"], "x-sdl-role": "title", "minLength": 1}}
    });
    let shaped = shaped(schema);
    assert_eq!(shaped["properties"]["role"]["x-sdl-role"], "title");
    assert_eq!(shaped["properties"]["role"]["anyOf"], json!([{"minLength": 1, "type": "string"}, {"type": "null"}]));
}
