//! Manifests: export, reading and writing, build, check.
//!
//! The suite `reference` compares with the reference SDK itself; this suite needs the crate only.

mod files;
mod hostile;
mod ledger;
mod properties;
mod rules;
mod secrets;

use imperal::function::Registry;
use imperal::manifest::export;
use imperal_tests::golden;

/// A complete manifest with every section, all of them valid.
pub(crate) const WHOLE: &str = include_str!("../reference/base.json");

#[test]
fn extension_exports_the_manifest_of_the_reference() {
    let registry = Registry::collect().unwrap();
    let manifest = export(registry.extension("tiny-ledger").unwrap());
    golden("manifest/tiny-ledger.json", &manifest.to_json());
}

#[test]
fn durable_tasks_are_not_in_the_manifest() {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("tiny-ledger").unwrap();
    assert_eq!(extension.durable_tasks().iter().map(|task| task.name).collect::<Vec<_>>(), ["recount_rows"]);
    let manifest = export(extension).to_json();
    for trace in ["recount", "Recount", "durable"] {
        assert!(!manifest.contains(trace), "{trace} is in the manifest");
    }
}
