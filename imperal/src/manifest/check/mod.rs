//! The check of a manifest against every rule it must obey.
//!
//! Owns the rules and their order. `table` says which fields there are and what form each has.

mod form;
mod table;

use serde_json::Value;

/// Where a manifest has keys that no manifest has, as paths.
pub(super) fn unknown_keys(manifest: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    table::walk(manifest, &mut |fault| {
        if matches!(fault.what, table::What::Unknown) {
            unknown.push(fault.path);
        }
    });
    unknown
}
