//! The one-line test that `imperal.json` is up to date.
//!
//! Owns the macro and what it calls.

use std::path::Path;

use super::build::{Freshness, check_freshness};
use crate::function::Registry;

/// Fails when the `imperal.json` beside this crate's Cargo.toml is not what `build` would write.
///
/// ```text
/// #[test]
/// fn the_manifest_is_fresh() {
///     imperal::assert_manifest_is_fresh!();
/// }
/// ```
///
/// In a file under `tests/` the extension's crate must be linked: `use my_extension as _;`.
///
/// # Panics
/// With the difference, or when the crate registers no extension.
#[macro_export]
macro_rules! assert_manifest_is_fresh {
    () => {
        $crate::__private::assert_manifest_is_fresh(::core::env!("CARGO_MANIFEST_DIR"))
    };
}

/// See the macro of that name.
///
/// # Panics
/// As the macro says.
#[doc(hidden)]
#[track_caller]
pub fn assert_manifest_is_fresh(folder: &str) {
    if let Err(fault) = fault(folder) {
        panic!("{fault}");
    }
}

fn fault(folder: &str) -> Result<(), String> {
    let registry = Registry::collect().map_err(|error| error.to_string())?;
    let extension =
        registry.extensions().find(|extension| extension.def().manifest_dir == folder).ok_or_else(|| {
            format!("no extension of {folder} is linked into this test: name its crate, `use my_extension as _;`")
        })?;
    match check_freshness(extension, Path::new(folder)).map_err(|error| error.to_string())? {
        Freshness::Fresh => Ok(()),
        Freshness::Stale(difference) => Err(format!(
            "imperal.json is out of date: {difference}\n\nrun `cargo run -- build` in {folder} and commit the file"
        )),
    }
}
