//! Whole numbers that were sent with a decimal point: `5.0`, `1e2`, `-0.0`.
//!
//! JSON has one kind of number and language models send such ones; serde's integers refuse them. Where
//! the schema says integer they become integers before anything looks at them.

use serde_json::{Number, Value};

use super::subschemas::Subschemas;

/// Up to here each whole number has a float of its own: above, the float may not be what was sent.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Makes integers of whole floats where the schema says integer.
pub(super) fn coerce(schema: &Value, params: &mut Value) {
    if has_whole_float(params) {
        rewrite(&Subschemas::of_root(schema), params);
    }
}

fn has_whole_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && whole(number).is_some(),
        Value::Array(items) => items.iter().any(has_whole_float),
        Value::Object(fields) => fields.values().any(has_whole_float),
        _ => false,
    }
}

fn may_hold_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        value => value.is_array() || value.is_object(),
    }
}

fn rewrite(forms: &Subschemas<'_>, value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() && forms.allow("integer") => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        Value::Array(items) => {
            let own = forms.own_items();
            let further = forms.item(own);
            for (at, item) in items.iter_mut().enumerate().filter(|(_, item)| may_hold_float(item)) {
                if at < own { rewrite(&forms.item(at), item) } else { rewrite(&further, item) }
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut().filter(|(_, field)| may_hold_float(field)) {
                rewrite(&forms.field(name), field);
            }
        }
        _ => {}
    }
}

/// The integer that a float stands for exactly.
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole, and within 53 bits")]
    let integer = float as i64;
    Some(Number::from(integer))
}
