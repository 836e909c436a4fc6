//! What an operator relies on: metrics, limits, the files in `deploy/`, the page that explains them.

pub(crate) mod backup;
mod docs;
mod limits;
mod metrics;
pub(crate) mod nginx;
mod proxy;

use std::path::PathBuf;

/// A file of the repository.
fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of metrics in a text that is not one of ours.
fn metric_names(text: &str) -> std::collections::BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("imperal_") && !word.ends_with('_')).collect()
}
