//! The manifest `imperal.json` of an extension of this binary.
//!
//! Exports it from the extension's types, with schemas in the reference SDK's form, merges it with the
//! file on disk, and tells whether the file is up to date. The model, the rules and the checks of any
//! manifest are in the crate `imperal_manifest`, re-exported here. Prints nothing and parses no command
//! line: see `cli`.

mod build;
mod difference;
mod export;
mod freshness_test;
mod merge;
mod schema;
mod source;
mod validate;

pub use build::{BuildError, BuildReport, Freshness, build, check_freshness};
pub use difference::Difference;
pub use export::export;
#[doc(hidden)]
pub use freshness_test::assert_manifest_is_fresh;
pub use imperal_manifest::{
    EventEmit, EventSubscription, Events, Exposed, FILE, FileSink, Finding, HealthCheck, Level, Lifecycle, Manifest,
    MenuItem, OAuth, Panel, ReadError, Reading, ReportStyle, SCHEMA_VERSION, SDK_VERSION, Schedule, SearchProvider,
    Secret, Signal, Tool, ToolSchema, Tray, Webhook, findings_to_json, is_rule, render_findings, validate_file,
    validate_text,
};
pub use validate::validate_extension;
