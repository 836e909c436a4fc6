//! Names of definitions: letters, digits, `-` and `_` only, as in the reference SDK.
//!
//! A type with another name keeps that name as its title: `#[schemars(rename = "Page[{T}]")]` gives the
//! title `Page[Row]` and the name `Page_Row_`.

use serde_json::{Map, Value};

use super::{DEFS, edit_refs, edit_refs_in};

/// Renames definitions with other characters, and the references to them.
pub(super) fn restrict_names(root: &mut Map<String, Value>, defs: &mut Map<String, Value>) {
    if !defs.keys().any(|name| key(name) != *name) {
        return;
    }
    let mut renamed: Vec<(String, String)> = Vec::new();
    for (name, def) in std::mem::take(defs) {
        let mut wanted = key(&name);
        while defs.contains_key(&wanted) {
            wanted.push('_');
        }
        defs.insert(wanted.clone(), def);
        renamed.push((name, wanted));
    }
    let mut point = |target: &mut String| {
        let Some(to) = target.strip_prefix(DEFS).map(decode) else { return };
        if let Some((_, wanted)) = renamed.iter().find(|(name, _)| *name == to) {
            *target = format!("{DEFS}{wanted}");
        }
    };
    edit_refs_in(root, &mut point);
    defs.values_mut().for_each(|def| edit_refs(def, &mut point));
}

fn key(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(plain).collect::<String>().replace('.', "__")
}

/// Decodes a reference, which is a URL fragment: `%5B` is `[`, `~1` is `/`.
fn decode(target: &str) -> String {
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = (*first == b'%').then(|| more.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { more.get(2..).unwrap_or_default() } else { more };
    }
    String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~")
}
