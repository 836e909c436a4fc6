//! A result's data for people: fields one below the other, lists as tables.
//!
//! Owns how any JSON looks on a terminal and in a pipe. Programs ask for `--json` and get the
//! document as it is.

use console::measure_text_width;
use serde_json::{Map, Value};

use super::out::{OutputStyle, Paint};
use super::table::Table;

/// Lines for a value; none where there is nothing to show.
pub(super) fn lines(value: &Value, style: OutputStyle) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(fields) => of_fields(fields, style),
        Value::Array(items) => of_items(items, style),
        scalar => style.sanitize(&word(scalar)).lines().map(str::to_owned).collect(),
    }
}

fn of_fields(fields: &Map<String, Value>, style: OutputStyle) -> Vec<String> {
    let widest = fields.keys().map(|key| measure_text_width(&style.sanitize_line(key))).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (key, value) in fields {
        let key = style.sanitize_line(key);
        let name = style.paint(Paint::Cyan, &key);
        let inner = narrower(style, 2);
        let value_lines = self::lines(value, inner);
        let pad = " ".repeat(widest.saturating_sub(measure_text_width(&key)) + 2);
        match value_lines.as_slice() {
            [] => lines.push(format!("{name}{pad}{}", style.paint(Paint::Dim, "-"))),
            [one] if is_scalar(value) => lines.push(format!("{name}{pad}{one}")),
            several => {
                lines.push(name);
                lines.extend(several.iter().map(|line| format!("  {line}")));
            }
        }
    }
    lines
}

fn of_items(items: &[Value], style: OutputStyle) -> Vec<String> {
    if let Some(table) = as_table(items) {
        return table.lines(style, |_, _| None);
    }
    let mut lines = Vec::new();
    for item in items {
        for (at, line) in self::lines(item, narrower(style, 2)).into_iter().enumerate() {
            lines.push(format!("{} {line}", if at == 0 { "-" } else { " " }));
        }
    }
    lines
}

/// Items that are all flat objects make a table of every key that one of them has.
fn as_table(items: &[Value]) -> Option<Table> {
    let rows: Vec<&Map<String, Value>> = items.iter().map(Value::as_object).collect::<Option<_>>()?;
    if rows.is_empty() || rows.iter().any(|row| row.is_empty() || row.values().any(|value| !is_scalar(value))) {
        return None;
    }
    let mut keys: Vec<&str> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let cell = |row: &Map<String, Value>, key: &str| row.get(key).map_or_else(String::new, word);
    let mut table = Table::new(&keys);
    table.rows = rows.iter().map(|row| keys.iter().map(|key| cell(row, key)).collect()).collect();
    Some(table)
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

fn narrower(style: OutputStyle, by: usize) -> OutputStyle {
    OutputStyle { width: style.width.map(|width| width.saturating_sub(by).max(1)), ..style }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_shape_has_its_layout() {
        let value = json!({
            "words": 7,
            "ok": true,
            "none": null,
            "text": "one\ntwo",
            "findings": [{"kind": "spacing", "count": 2}, {"kind": "case"}],
            "tags": ["a", "b"],
        });
        let shown = lines(&value, OutputStyle::default()).join("\n");
        let expected = "\
words     7
ok        yes
none      -
text
  one
  two
findings
  kind     count
  spacing  2
  case
tags
  - a
  - b";
        assert_eq!(shown, expected);
    }
}
