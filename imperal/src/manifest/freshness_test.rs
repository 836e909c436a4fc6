//! `assert_manifest_is_fresh!`: an author's test that `imperal.json` is up to date.

use std::path::Path;

use super::build::{Freshness, check_freshness};
use crate::function::Registry;

/// Fails if the `imperal.json` next to this crate's Cargo.toml differs from the result of `build`.
///
/// ```text
/// #[test]
/// fn manifest_is_fresh() {
///     imperal::assert_manifest_is_fresh!();
/// }
/// ```
///
/// In a file under `tests/`, link the extension's crate: `use my_extension as _;`.
///
/// # Panics
/// If the file differs, with the difference, or if the crate registers no extension.
#[macro_export]
macro_rules! assert_manifest_is_fresh {
    () => {
        $crate::__private::assert_manifest_is_fresh(::core::env!("CARGO_MANIFEST_DIR"))
    };
}

/// The function behind [`assert_manifest_is_fresh!`](crate::assert_manifest_is_fresh).
///
/// # Panics
/// See the macro.
#[doc(hidden)]
#[track_caller]
pub fn assert_manifest_is_fresh(folder: &str) {
    if let Err(fault) = check_folder(folder) {
        panic!("{fault}");
    }
}

fn check_folder(folder: &str) -> Result<(), String> {
    let registry = Registry::collect().map_err(|error| error.to_string())?;
    let extension = registry
        .extensions()
        .find(|extension| extension.def().manifest_dir == folder)
        .ok_or_else(|| format!("this test links no extension of {folder}: add `use my_extension as _;`"))?;
    match check_freshness(extension, Path::new(folder)).map_err(|error| error.to_string())? {
        Freshness::Fresh => Ok(()),
        Freshness::Stale(difference) => Err(format!(
            "imperal.json is out of date: {difference}\n\nrun `cargo run -- build` in {folder} and commit the file"
        )),
    }
}
