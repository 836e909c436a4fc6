//! Manifests from outside: export, reading and writing, build, check.
//!
//! The comparison with the reference SDK itself is the suite `reference`; this one needs nothing
//! but the crate.

mod files;
mod hostile;
mod ledger;
mod properties;
mod rules;

use imperal::function::Registry;
use imperal::manifest::export;
use imperal_tests::golden;

/// A whole manifest in which every section is there and right.
pub(crate) const WHOLE: &str = include_str!("../reference/base.json");

#[test]
fn an_extension_exports_the_manifest_that_the_reference_writes() {
    let registry = Registry::collect().unwrap();
    let manifest = export(registry.extension("tiny-ledger").unwrap());
    golden("manifest/tiny-ledger.json", &manifest.to_json());
}
