//! Prints JSON as the reference SDK's `build` does, byte for byte.
//!
//! Owns indentation (two spaces), escapes (only what JSON must escape; no `\u` for other
//! alphabets), the look of numbers (`1e-07`, `1.0`) and the absence of a final newline. Order of
//! keys is the value's own: deciding it is the model's business.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// `value` with two spaces a level and no newline at the end.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                new_line(out, at, depth + 1);
                write_value(out, item, depth + 1);
            }
            indent(out, depth);
            out.push(']');
        }
        Value::Object(fields) if fields.is_empty() => out.push_str("{}"),
        Value::Object(fields) => {
            out.push('{');
            for (at, (key, field)) in fields.iter().enumerate() {
                new_line(out, at, depth + 1);
                write_text(out, key);
                out.push_str(": ");
                write_value(out, field, depth + 1);
            }
            indent(out, depth);
            out.push('}');
        }
    }
}

fn new_line(out: &mut String, at: usize, depth: usize) {
    if at > 0 {
        out.push(',');
    }
    indent(out, depth);
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whole numbers as they are; others with the fewest digits that read back, a point or an exponent
/// always there, the exponent signed and of two digits, used below 1e-4 and from 1e16 on.
fn write_number(out: &mut String, number: &Number) {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        let _ = write!(out, "{number}");
        return;
    };
    let shortest = format!("{float:e}");
    let Some((digits, exponent)) = shortest.split_once('e') else {
        out.push_str(&shortest);
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        let whole = !plain.contains('.');
        out.push_str(&plain);
        if whole {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_look_as_python_prints_them() {
        let cases = [
            (json!(1.0), "1.0"),
            (json!(-0.0), "-0.0"),
            (json!(0.1), "0.1"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(1.5e-7), "1.5e-07"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1.25e22), "1.25e+22"),
            (json!(1e300), "1e+300"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            (json!(-7), "-7"),
        ];
        for (value, text) in cases {
            assert_eq!(pretty(&value), text);
        }
    }

    #[test]
    fn layout_is_two_spaces_and_no_final_newline() {
        let value = json!({"a": [], "b": {}, "c": [1, {"d": "Grüße \"x\" \u{1} \u{7f} 日\n"}]});
        assert_eq!(
            pretty(&value),
            "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"Grüße \\\"x\\\" \\u0001 \u{7f} 日\\n\"\n    }\n  ]\n}"
        );
    }
}
