//! Locates a path of the manifest in the Rust source.
//!
//! A tool is located at its function, a field of its parameters at that field if it is in the same file,
//! everything else at `extension!`.

use std::path::Path;

use imperal_manifest::find_source;
use serde_json::Value;

use crate::function::Extension;

/// File and line of a path in an extension's manifest.
pub(super) fn locate(extension: &Extension, manifest: &Value, path: &str) -> (String, u32) {
    let def = extension.def();
    let mut parts = path.split('.');
    let tool = (parts.next() == Some("tools")).then(|| parts.next()?.parse::<usize>().ok()).flatten();
    let Some(function) = tool.and_then(|index| extension.functions().get(index)) else {
        return (def.file.to_owned(), def.line);
    };
    let field = field_of(manifest, &path.split('.').collect::<Vec<_>>());
    let line = field.and_then(|(type_name, field)| {
        let text = std::fs::read_to_string(find_source(function.file, Path::new(def.manifest_dir))?).ok()?;
        line_of_field(&text, &type_name, &field)
    });
    (function.file.to_owned(), line.unwrap_or(function.line))
}

/// The type and the field at a path: the innermost `properties.x` and the title above it.
fn field_of(manifest: &Value, parts: &[&str]) -> Option<(String, String)> {
    let at = parts.iter().rposition(|part| *part == "properties")?;
    let field = parts.get(at + 1)?;
    let mut owner = manifest;
    for part in &parts[..at] {
        owner = match owner {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    Some((owner.get("title")?.as_str()?.to_owned(), (*field).to_owned()))
}

fn line_of_field(text: &str, type_name: &str, field: &str) -> Option<u32> {
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        if !line.starts_with("//") && words.clone().any(|word| word == "struct") {
            inside = words.clone().any(|word| word == type_name);
        }
        if inside {
            let bare = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches("(crate)").trim_start());
            if bare
                .strip_prefix("r#")
                .unwrap_or(bare)
                .strip_prefix(field)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
            {
                return Some(number);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_field_in_its_own_struct() {
        let text = "struct A {\n  text: u8,\n}\n// struct B\npub struct B<T> {\n  /// text: no\n  pub(crate) text: T,\n  r#type: u8,\n}\n";
        assert_eq!(line_of_field(text, "A", "text"), Some(2));
        assert_eq!(line_of_field(text, "B", "text"), Some(7));
        assert_eq!(line_of_field(text, "B", "type"), Some(8));
        assert_eq!(line_of_field(text, "C", "text"), None);
    }
}
