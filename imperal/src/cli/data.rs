//! A result's data for people: one field per line, lists of flat objects as tables.
//!
//! Owns how JSON looks on a terminal and in a pipe. `--json` prints the document itself instead.

use console::measure_text_width;
use serde_json::{Map, Value};

use super::out::{OutputStyle, Paint};
use super::table::{Cell, Table};

/// The lines of a value. Null has none.
pub(super) fn lines(value: &Value, style: OutputStyle) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(fields) => field_lines(fields, style),
        Value::Array(items) => item_lines(items, style),
        scalar => style.sanitize(&scalar_text(scalar)).lines().map(str::to_owned).collect(),
    }
}

fn field_lines(fields: &Map<String, Value>, style: OutputStyle) -> Vec<String> {
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

fn item_lines(items: &[Value], style: OutputStyle) -> Vec<String> {
    if let Some(table) = as_table(items) {
        return table.lines(style);
    }
    let mut lines = Vec::new();
    for item in items {
        for (at, line) in self::lines(item, narrower(style, 2)).into_iter().enumerate() {
            lines.push(format!("{} {line}", if at == 0 { "-" } else { " " }));
        }
    }
    lines
}

/// A table with a column for each key, if all items are flat objects.
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
    let cell = |row: &Map<String, Value>, key: &str| row.get(key).map_or_else(String::new, scalar_text);
    let mut table = Table::new(&keys);
    for row in rows {
        table.add_row(keys.iter().map(|key| Cell::plain(cell(row, key))));
    }
    Some(table)
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn scalar_text(value: &Value) -> String {
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
    fn lays_out_objects_lists_and_tables() {
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
