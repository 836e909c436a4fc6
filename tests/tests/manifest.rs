//! Manifests from outside: export, reading and writing, build, check.
//!
//! The comparison with the reference SDK itself is the suite `reference`; this one needs nothing
//! but the crate.

#[path = "manifest/ledger.rs"]
mod ledger;

use imperal::function::Registry;
use imperal::manifest::Manifest;

#[test]
fn an_extension_exports_the_manifest_that_the_reference_writes() {
    let registry = Registry::collect().unwrap();
    let manifest = Manifest::export(registry.extension("tiny-ledger").unwrap());
    assert_eq!(manifest.to_json(), include_str!("manifest/tiny-ledger.json"));
}
