//! Turns whole numbers that were sent as `5.0`, `1e2` or `-0.0` into integers.
//!
//! JSON has one kind of number, so language models send such forms, but serde's integer types refuse them.
//! Where the schema allows an integer, they become integers before the parameters are checked and read.

use serde_json::{Number, Value};

use super::subschemas::Subschemas;

/// Up to 2^53, each whole number has its own float. Above, the float may differ from the number that was sent.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Turns whole floats into integers where the schema allows an integer.
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

/// The integer that equals the float; `None` for a fraction, or above [`MAX_EXACT`].
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() > MAX_EXACT {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole, and within 53 bits")]
    let integer = float as i64;
    Some(Number::from(integer))
}
