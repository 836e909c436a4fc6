//! Prints JSON byte for byte as the reference SDK's `build` does.
//!
//! Two spaces of indentation, only the escapes that JSON requires, numbers as Python prints them
//! (`1e-07`, `1.0`), no newline at the end. Keys stay in the order of the value.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The value as the text of a manifest file: two spaces a level, no newline at the end.
pub fn pretty(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let layout = PythonFormatter(PrettyFormatter::with_indent(b"  "));
    // Cannot fail: writing to a vector never does, and the keys of all maps are strings.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, layout));
    String::from_utf8(out).unwrap_or_default()
}

/// `serde_json`'s layout with another look of floats.
struct PythonFormatter(PrettyFormatter<'static>);

macro_rules! delegate {
    ($($name:ident($($argument:ident: $ty:ty)?);)*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $ty)?) -> io::Result<()> {
            self.0.$name(writer $(, $argument)?)
        }
    )*};
}

impl Formatter for PythonFormatter {
    delegate! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    /// The fewest digits that read back as the same float, always with a point or an exponent. The
    /// exponent has a sign and at least two digits; it is used below 1e-4 and from 1e16 on.
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, float: f64) -> io::Result<()> {
        let shortest = format!("{float:e}");
        let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        if !(-4..16).contains(&exponent) {
            let sign = if exponent < 0 { '-' } else { '+' };
            return write!(writer, "{digits}e{sign}{:02}", exponent.unsigned_abs());
        }
        let plain = format!("{float}");
        let point = if plain.contains('.') { "" } else { ".0" };
        write!(writer, "{plain}{point}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prints_numbers_as_python_does() {
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
    fn indents_with_two_spaces_and_adds_no_newline() {
        let value = json!({"a": [], "b": {}, "c": [1, {"d": "Grüße \"x\" \u{1} \u{7f} 日\n"}]});
        assert_eq!(
            pretty(&value),
            "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"Grüße \\\"x\\\" \\u0001 \u{7f} 日\\n\"\n    }\n  ]\n}"
        );
    }
}
