//! The manifest of an imperal extension: `imperal.json`.
//!
//! Two layers. The rules at the bottom have no dependency, so that the macros can apply them at compile
//! time: [`grammar`], [`limits`], [`svg`], [`did_you_mean`]. The feature `check` adds the model
//! ([`Manifest`]), every rule with its code, and the report. This crate knows no Rust types of an
//! extension: `imperal::manifest` exports a manifest from them.
//!
//! ```
//! # #[cfg(feature = "check")] {
//! use imperal_manifest::validate_text;
//!
//! let findings = validate_text(r#"{"app_id": "notes", "version": "1.0"}"#, "imperal.json");
//! let version = findings.iter().find(|finding| finding.path == "version").unwrap();
//! assert_eq!(version.rule, "M4");
//! # }
//! ```

// A field or variant that is added later must not break another crate; where it should, the type says why.
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod cron;
pub mod grammar;
pub mod limits;
mod plain_cron;
mod suggestion;
pub mod svg;
pub mod visible;
mod xml;

#[cfg(feature = "json")]
pub mod json;

#[cfg(feature = "check")]
mod check;
#[cfg(feature = "check")]
mod fields;
#[cfg(feature = "check")]
pub mod files;
#[cfg(feature = "check")]
mod finding;
#[cfg(feature = "check")]
mod line_numbers;
#[cfg(feature = "check")]
mod model;
#[cfg(feature = "check")]
mod pretty;
#[cfg(feature = "check")]
mod repeated_keys;
#[cfg(feature = "check")]
mod report;
#[cfg(feature = "check")]
mod sections;
#[cfg(feature = "check")]
mod structure;
#[cfg(feature = "check")]
mod tool_schema;
#[cfg(feature = "check")]
mod trail;
#[cfg(feature = "check")]
mod validate;

pub use plain_cron::check_plain_cron;
pub use suggestion::did_you_mean;

#[cfg(feature = "check")]
pub use {
    check::is_rule,
    fields::root_keys,
    finding::{Finding, Level},
    model::{FILE, Manifest, ReadError, Reading, SCHEMA_VERSION, SDK_VERSION, Tool},
    pretty::pretty,
    repeated_keys::repeated_keys,
    report::{ReportStyle, find_source, findings_to_json, render_findings},
    sections::{
        EventEmit, EventSubscription, Events, Exposed, FileSink, HealthCheck, Lifecycle, MenuItem, OAuth, Panel,
        Schedule, SearchProvider, Secret, Signal, Tray, Webhook,
    },
    tool_schema::ToolSchema,
    validate::{validate_declared, validate_file, validate_text},
};
