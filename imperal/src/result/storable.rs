//! JSON that is stored and read again: documents, values of steps and effects, inputs of tasks.
//!
//! `serde_json` writes NaN as `null` and takes a value of any depth. Both would be stored and then not be read, or be
//! read as another value.

use serde::Serialize;
use serde_json::Value;

use super::data::{self, Size, Unfit};
use crate::json::DATA_DEPTH;

/// A value as JSON that can be read again.
///
/// # Errors
/// Why it cannot, and the way out.
pub(crate) fn storable<T: Serialize + ?Sized>(value: &T) -> Result<Value, String> {
    write(value, &Size::unlimited()).map_err(|(_, why)| why)
}

/// A value as JSON text that can be read again. The text has forms that a [`Value`] lacks, for example a number of 128
/// bits.
///
/// # Errors
/// As [`storable`].
pub(crate) fn storable_text<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    match write(value, &Size::default()) {
        Err((Unfit::NotFinite(_) | Unfit::TooDeep, why)) => Err(why),
        Ok(_) | Err((Unfit::Other(_), _)) => serde_json::to_string(value).map_err(|error| error.to_string()),
    }
}

fn write<T: Serialize + ?Sized>(value: &T, size: &Size) -> Result<Value, (Unfit, String)> {
    data::write(value, size).map_err(|error| {
        let path = error.path();
        let place = if path.is_empty() { "it".to_owned() } else { format!("its `{path}`") };
        let why = match &error.unfit {
            Unfit::NotFinite(number) => {
                format!("{place} is {number}, and JSON has no such number; write a number, or `None` of an `Option`")
            }
            Unfit::TooDeep => format!("it is nested deeper than {DATA_DEPTH} levels; store it flatter, or as text"),
            Unfit::Other(text) if path.is_empty() => text.clone(),
            Unfit::Other(text) => format!("{place}: {text}"),
        };
        (error.unfit, why)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn a_value_that_cannot_be_read_again_is_named() {
        let why = storable(&json!({"a": 1})).map(|value| value.to_string());
        assert_eq!(why.as_deref(), Ok(r#"{"a":1}"#));
        let rows =
            [("ratio", vec![Some(1.0), Some(f64::NAN)])].into_iter().collect::<std::collections::BTreeMap<_, _>>();
        for refused in [storable(&rows).map(drop), storable_text(&rows).map(drop)] {
            let why = refused.unwrap_err();
            assert_eq!(
                why,
                "its `ratio[1]` is NaN, and JSON has no such number; write a number, or `None` of an `Option`"
            );
        }
        assert!(storable(&f32::INFINITY).unwrap_err().starts_with("it is inf"));
        let (deepest, deeper) = (nested(DATA_DEPTH), nested(DATA_DEPTH + 1));
        assert!(storable(&deepest).is_ok() && storable_text(&deepest).is_ok());
        assert!(storable(&deeper).unwrap_err().contains("deeper than 120 levels"));
        assert!(storable_text(&deeper).is_err());
    }

    /// 18 bytes are counted for each float, which would make this one too large for a result.
    #[test]
    fn a_large_value_is_whole() {
        let many = vec![0.5; 100_000];
        assert_eq!(storable(&many).unwrap().as_array().map(Vec::len), Some(many.len()));
    }

    #[test]
    fn numbers_of_128_bits_are_text_only() {
        assert!(storable(&u128::MAX).is_err());
        assert_eq!(storable_text(&u128::MAX), Ok(u128::MAX.to_string()));
    }
}
