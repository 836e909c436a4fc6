//! The loaded extensions: their functions, manifests and icons.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::api_error::ApiError;
use super::{Gateway, json};
use crate::codes;
use crate::error::Error;
use crate::function::Extension;
use crate::platform::Access;

/// A loaded extension, with what a client needs to show it and fill in its functions.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExtensionInfo {
    app_id: &'static str,
    name: &'static str,
    version: &'static str,
    description: &'static str,
    /// Whether it declares secrets: see `/v1/secrets`.
    has_secrets: bool,
    functions: Vec<FunctionInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FunctionInfo {
    name: &'static str,
    description: &'static str,
    action_type: &'static str,
    background: bool,
    long_running: bool,
    params_schema: Value,
}

/// The loaded extensions.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Extensions {
    extensions: Vec<ExtensionInfo>,
}

/// Every loaded extension with its functions.
pub(super) fn describe_extensions(gateway: &Gateway) -> Vec<ExtensionInfo> {
    let functions = |extension: &Extension| {
        extension
            .functions()
            .iter()
            .map(|function| FunctionInfo {
                name: function.name,
                description: function.description,
                action_type: function.action_type.as_str(),
                background: function.background,
                long_running: function.long_running,
                params_schema: gateway
                    .platform
                    .params_schema(extension.app_id(), function)
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect()
    };
    gateway
        .platform
        .registry()
        .extensions()
        .map(|extension| {
            let def = extension.def();
            ExtensionInfo {
                app_id: def.app_id,
                name: def.name,
                version: def.version,
                description: def.description,
                has_secrets: !def.secrets.is_empty(),
                functions: functions(extension),
            }
        })
        .collect()
}

fn find_extension<'a>(gateway: &'a Gateway, app_id: &str) -> Result<&'a Extension, ApiError> {
    gateway
        .platform
        .registry()
        .extension(app_id)
        .ok_or_else(|| Error::user(codes::UNKNOWN_TOOL, format!("There is no extension `{app_id}` here.")).into())
}

pub(super) async fn extensions(_: Access, State(gateway): State<Gateway>) -> Response {
    json(StatusCode::OK, &Extensions { extensions: describe_extensions(&gateway) })
}

pub(super) async fn manifest(
    _: Access,
    State(gateway): State<Gateway>,
    Path(app_id): Path<String>,
) -> Result<Response, ApiError> {
    let manifest = crate::manifest::export(find_extension(&gateway, &app_id)?);
    Ok(([(header::CONTENT_TYPE, "application/json")], manifest.to_json()).into_response())
}

pub(super) async fn icon(
    _: Access,
    State(gateway): State<Gateway>,
    Path(app_id): Path<String>,
) -> Result<Response, ApiError> {
    let svg = find_extension(&gateway, &app_id)?.def().icon_svg;
    if svg.is_empty() {
        return Err(ApiError::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, "This extension has no icon."));
    }
    // An SVG that is opened as a document of its own must not run scripts or load anything.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    // The page draws it next to each turn: browsers keep it instead of asking once per turn.
    let kept = "private, max-age=3600";
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, kept),
    ];
    Ok((headers, svg).into_response())
}
