//! The manifest `imperal.json`: what an extension says of itself to the platform.
//!
//! Owns the typed model of schema version 3, its export from a linked extension with schemas in the
//! reference SDK's form, the merge with what the file on disk owns, and the check of all its rules.
//! Prints nothing and parses no command line: see `cli/`.

mod build;
mod check;
mod difference;
mod export;
mod fresh;
mod json;
mod merge;
mod model;
mod schema;
mod section;

pub use build::{BuildError, BuildReport, FILE, Freshness, build, check};
pub(crate) use check::is_rule;
pub use check::{Finding, Level, Look, check_text, render, to_json, validate_extension, validate_file};
pub use difference::Difference;
#[doc(hidden)]
pub use fresh::assert_manifest_is_fresh;
pub use model::{Manifest, ReadError, Reading, SCHEMA_VERSION, SDK_VERSION, Tool};
pub use section::{
    EventEmit, EventSubscription, Events, Exposed, FileSink, HealthCheck, Lifecycle, MenuItem, OAuth, Panel, Schedule,
    SearchProvider, Secret, Signal, Tray, Webhook,
};
