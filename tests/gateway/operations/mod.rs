//! Operations: metrics, limits, the files in `deploy/`, and docs/operations.md.

pub(crate) mod backup;
mod docs;
mod limits;
mod metrics;
pub(crate) mod nginx;
mod proxy;

use std::path::PathBuf;

/// The text of a file of the repository.
pub(crate) fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of metrics in another program's file.
fn metric_names(text: &str) -> std::collections::BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("imperal_") && !word.ends_with('_')).collect()
}
