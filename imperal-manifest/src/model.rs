//! The manifest's root and its tools, typed, and how they are read and written.
//!
//! Fields are in the order in which the reference SDK writes them. Reading is strict about types.
//! Unknown keys are reported next to the manifest, so that none is lost silently.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sections::{
    Events, Exposed, FileSink, Lifecycle, MenuItem, OAuth, Panel, Schedule, SearchProvider, Secret, Signal, Tray,
    Webhook,
};
use crate::tool_schema::ToolSchema;
use crate::{json, pretty, structure};

/// Name of a manifest's file.
pub const FILE: &str = "imperal.json";

/// `manifest_schema_version` of every manifest written here.
pub const SCHEMA_VERSION: u8 = 3;

/// `sdk_version` of every manifest written here: the compatible version of the reference SDK, which the
/// platform's loader compares. Not the version of this crate.
pub const SDK_VERSION: &str = "6.3.7";

/// An extension's manifest, `imperal.json`, schema version 3.
///
/// [`Manifest::read`] reads it from a file, [`Manifest::to_json`] writes it as the reference SDK does. A
/// field that is `null` in a file is read as absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// 3; older files have 1, 2 or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_schema_version: Option<u8>,
    /// At least 5.0.0, or the platform refuses to load it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<String>,
    /// `^[a-z0-9][a-z0-9-]*[a-z0-9]$`.
    pub app_id: String,
    /// `1.2.3`, with an optional `-` or `.` suffix.
    pub version: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Path of an SVG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Whether functions are called by name with typed parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions_explicit: Option<bool>,
    /// A first-party extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<bool>,
    /// `app:action` scopes.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Functions and plain tools.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Signals it handles.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// Timetables.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// Scopes of its plain tools, sorted.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// Size of the icon's file, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_size_bytes: Option<u64>,
    /// Paths that other services call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<Webhook>>,
    /// Accounts at other services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<Vec<OAuth>>,
    /// Events received and emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// Functions that other extensions may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed: Option<Vec<Exposed>>,
    /// Lifecycle events that it handles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Arguments of each lifecycle hook, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_hooks: Option<Map<String, Value>>,
    /// Icons in the top bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tray: Option<Vec<Tray>>,
    /// Entries of the user's menu.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub menu: Option<Vec<MenuItem>>,
    /// Folder of its migrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations_dir: Option<String>,
    /// Default settings, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_defaults: Option<Map<String, Value>>,
    /// Credentials that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<Secret>>,
    /// Tools that take an uploaded file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_sinks: Option<Vec<FileSink>>,
    /// Kinds of objects that the platform's search finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_providers: Option<Vec<SearchProvider>>,
    /// Its panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panels: Option<Vec<Panel>>,
    /// Author. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Free text, resolved by the marketplace. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// No icon in the sidebar; first-party only. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_in_sidebar: Option<bool>,
    /// Website. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Its licence. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Presentation in the marketplace, in any form. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketplace: Option<Map<String, Value>>,
    /// Prices, in any form. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Map<String, Value>>,
    /// For the marketplace's search. Only in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// A chat function, or a plain tool of a Python extension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tool {
    /// An identifier, unique within the extension.
    pub name: String,
    /// Description for the language model that picks functions.
    #[serde(default)]
    pub description: String,
    /// `read`, `write` or `destructive`; absent for a plain tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_type: Option<String>,
    /// Whether a chain may call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_callable: Option<bool>,
    /// Changes it makes, `update:thing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<String>>,
    /// Parameter with the id of the object it acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_projection: Option<String>,
    /// JSON Schema of the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params_schema: Option<ToolSchema>,
    /// JSON Schema of the result's data; empty if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_schema: Option<ToolSchema>,
    /// Event after a success; empty if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Advisory: it starts a background task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<bool>,
    /// Advisory: its task may run for half an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_running: Option<bool>,
    /// Scopes that a caller needs.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Parameters of a plain tool by name, each `{type, required, ..}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Map<String, Value>>,
    /// The group of chat functions it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_chat_tool: Option<String>,
    /// Created by the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<bool>,
}

/// The result of [`Manifest::read`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reading {
    /// The manifest.
    pub manifest: Manifest,
    /// Paths of unknown keys, `tools.0.ui_builder` for example.
    pub unknown: Vec<String>,
}

impl Manifest {
    /// Reads a manifest file's text.
    ///
    /// # Errors
    /// When the text is not a JSON object, lacks `app_id` or `version`, or has a value of another type.
    /// [`validate_text`](crate::validate_text) names all such faults at once.
    ///
    /// ```
    /// use imperal_manifest::Manifest;
    ///
    /// let read = Manifest::read(r#"{"app_id": "notes", "version": "1.0.0", "schedule": []}"#)?;
    /// assert_eq!(read.manifest.app_id, "notes");
    /// assert_eq!(read.unknown, ["schedule"]);
    ///
    /// let error = Manifest::read(r#"{"app_id": "notes"}"#).unwrap_err();
    /// assert!(error.to_string().contains("version"));
    /// # Ok::<(), imperal_manifest::ReadError>(())
    /// ```
    pub fn read(text: &str) -> Result<Reading, ReadError> {
        let value: Value = json::read(text.as_bytes()).map_err(|error| ReadError::new(&error))?;
        if let Some(place) = structure::list_for_object(&value) {
            return Err(ReadError { message: format!("{place} must be an object, but is a list"), line: 0 });
        }
        let unknown = structure::unknown_keys(&value);
        let manifest = serde_json::from_value(value).map_err(|error| ReadError::new(&error))?;
        Ok(Reading { manifest, unknown })
    }

    /// The file's text: the reference SDK's order and indentation, no newline at the end.
    pub fn to_json(&self) -> String {
        pretty::pretty(self)
    }

    /// The manifest as a JSON object, in the same order.
    pub fn to_value(&self) -> Value {
        // Cannot fail: all keys are strings.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Why a text is not a manifest.
#[derive(Debug, Clone)]
pub struct ReadError {
    message: String,
    line: usize,
}

impl ReadError {
    fn new(error: &serde_json::Error) -> Self {
        let line = error.line();
        Self { message: error.to_string(), line }
    }

    /// Line of the text, from 1; 0 if unknown.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid manifest: {}", self.message)
    }
}

impl std::error::Error for ReadError {}
