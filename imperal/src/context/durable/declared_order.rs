//! The order in which an enum declares its variants, for the choices of a question.
//!
//! schemars lists the variants without a doc comment first. The derived `Deserialize` has the order of declaration: it
//! names all variants when it asks for an enum.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::{Value, json};

/// Puts the choices of a schema into the order in which `T` declares them. Other schemas stay as they are.
pub(super) fn declared_order<T: DeserializeOwned>(schema: &mut Value) {
    let Some(branches) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let mut choices = Vec::new();
    for branch in branches.iter() {
        match (branch.get("const"), branch.get("enum").and_then(Value::as_array)) {
            (Some(_), _) => choices.push(branch.clone()),
            (None, Some(values)) => {
                choices.extend(values.iter().map(|value| json!({ "type": "string", "const": value })));
            }
            // A variant with data is a form.
            (None, None) => return,
        }
    }
    let mut variants: &[&str] = &[];
    // It ends with an error in any case: there is nothing to read.
    let _ = T::deserialize(Probe(&mut variants));
    choices.sort_by_key(|choice| variants.iter().position(|name| choice["const"] == *name).unwrap_or(usize::MAX));
    *branches = choices;
}

/// A deserializer that has no value, and notes the variants of the enum that is asked of it.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("there is no value"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(Error::custom("there is no value"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Mixed {
        /// Until it is there.
        WaitForIt,
        Skip,
        /// Another one.
        Buy,
        Ask,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(transparent)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Wrapped(Mixed);

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum WithData {
        /// A text.
        Other(String),
        None,
    }

    fn schema<T: JsonSchema>() -> Value {
        schemars::generate::SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<T>()
            .to_value()
    }

    fn choices(schema: &Value) -> Vec<&str> {
        schema["oneOf"].as_array().unwrap().iter().filter_map(|choice| choice["const"].as_str()).collect()
    }

    #[test]
    fn choices_are_in_the_order_of_declaration_with_their_comments() {
        let mut mixed = schema::<Mixed>();
        assert_eq!(mixed["oneOf"][0]["enum"], json!(["skip", "ask"]), "schemars puts them first");
        declared_order::<Mixed>(&mut mixed);
        assert_eq!(choices(&mixed), ["wait_for_it", "skip", "buy", "ask"]);
        assert_eq!(mixed["oneOf"][2]["description"], "Another one.");
        let mut wrapped = schema::<Wrapped>();
        declared_order::<Wrapped>(&mut wrapped);
        assert_eq!(choices(&wrapped), choices(&mixed));
    }

    #[test]
    fn other_schemas_stay_as_they_are() {
        let before = schema::<WithData>();
        let mut after = before.clone();
        declared_order::<WithData>(&mut after);
        assert_eq!(after, before);
        let mut text = json!({ "type": "string" });
        declared_order::<String>(&mut text);
        assert_eq!(text, json!({ "type": "string" }));
    }
}
