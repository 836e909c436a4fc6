//! Names of generic types: `Page_for_Row` is `Page[Row]` to people and `Page_Row_` as a key.
//!
//! Owns the translation of the names that `schemars` derives for a generic type's arguments into
//! those of the reference. A name that an author gave is left alone.

use serde_json::{Map, Value};

use super::{DEFS, each_ref, each_ref_in};

/// Renames the root's title and every definition of a generic type.
pub(super) fn rename(root: &mut Map<String, Value>, defs: &mut Map<String, Value>) {
    if let Some(Value::String(title)) = root.get_mut("title")
        && let Some(name) = readable(title)
    {
        *title = name;
    }
    if !defs.keys().any(|name| name.contains("_for_")) {
        return;
    }
    let mut renamed: Vec<(String, String)> = Vec::new();
    for (old, mut def) in std::mem::take(defs) {
        let Some(name) = readable(&old) else {
            defs.insert(old, def);
            continue;
        };
        let key: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        if let Some(title) = def.get_mut("title").filter(|title| *title == &Value::from(old.as_str())) {
            *title = Value::from(name);
        }
        renamed.push((format!("{DEFS}{old}"), format!("{DEFS}{key}")));
        defs.insert(key, def);
    }
    let mut point = |target: &mut String| {
        if let Some((_, new)) = renamed.iter().find(|(old, _)| old == target) {
            target.clone_from(new);
        }
    };
    each_ref_in(root, &mut point);
    defs.values_mut().for_each(|def| each_ref(def, &mut point));
}

/// `Page_for_Row` as `Page[Row]`; nothing for a name without arguments.
fn readable(name: &str) -> Option<String> {
    let (generic, arguments) = name.split_once("_for_")?;
    let arguments: Vec<String> = arguments.split("_and_").map(argument).collect();
    Some(format!("{generic}[{}]", arguments.join(", ")))
}

fn argument(name: &str) -> String {
    if let Some(item) = name.strip_prefix("Array_of_") {
        return format!("list[{}]", argument(item));
    }
    if let Some(value) = name.strip_prefix("Map_of_") {
        return format!("dict[str, {}]", argument(value));
    }
    match name {
        "string" => "str".to_owned(),
        "boolean" => "bool".to_owned(),
        "float" | "double" => "float".to_owned(),
        "int" | "int8" | "int16" | "int32" | "int64" | "int128" | "uint" | "uint8" | "uint16" | "uint32" | "uint64"
        | "uint128" => "int".to_owned(),
        other => readable(other).unwrap_or_else(|| other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_get_the_names_of_the_reference() {
        let cases = [
            ("Page_for_Row", Some("Page[Row]")),
            ("Pair_for_string_and_uint32", Some("Pair[str, int]")),
            ("Page_for_Array_of_double", Some("Page[list[float]]")),
            ("Page_for_Page_for_Row", Some("Page[Page[Row]]")),
            ("Plain", None),
        ];
        for (name, expected) in cases {
            assert_eq!(readable(name).as_deref(), expected);
        }
    }
}
