//! Validates an extension of this binary.
//!
//! The rules are in `imperal_manifest`. This file hands them the exported manifest, the way from a path
//! to the Rust source, and the difference to the file on disk.

use std::path::Path;

use imperal_manifest::files::ManifestFile;
use imperal_manifest::{Finding, validate_declared};

use super::build::{Freshness, compare};
use super::export::export;
use super::source;
use crate::function::Extension;

/// Checks an extension of this binary and the `imperal.json` in its folder, if there is one.
///
/// Findings have file and line of the Rust source, or of the file. Errors come first.
pub fn validate_extension(extension: &Extension, folder: &Path) -> Vec<Finding> {
    let exported = export(extension);
    let manifest = exported.to_value();
    let file = ManifestFile::read(folder);
    let locate = |path: &str| source::locate(extension, &manifest, path);
    let difference = match compare(extension, exported, folder, &file) {
        Ok(Freshness::Stale(difference)) => Some(difference.headline()),
        Ok(Freshness::Fresh) | Err(_) => None,
    };
    validate_declared(&manifest, folder, &file, &locate, difference.as_deref())
}
