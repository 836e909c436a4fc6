//! Secrets: their states, and entering, replacing and removing values. No route returns a value.
//!
//! An operator names another user in the query: `?user=anna`, with `tenant` if it is another one.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::api_error::ApiError;
use super::body::{self, Query};
use super::json;
use crate::ledger::Owner;
use crate::platform::{Access, SecretAccess, SecretState};

/// The owner of the secrets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfUser {
    user: Option<String>,
    tenant: Option<String>,
}

/// The secrets that the extensions declare, without their values.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Secrets {
    secrets: Vec<SecretState>,
}

/// A value to store.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    /// The value.
    #[schemars(extend("writeOnly" = true))]
    value: String,
}

/// Whether a value was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RemovedSecret {
    /// Whether there was one.
    was_set: bool,
}

pub(super) async fn list(access: Access, Query(of): Query<OfUser>) -> Result<Response, ApiError> {
    let secrets = of_user(&access, of).await?;
    Ok(json(StatusCode::OK, &Secrets { secrets: secrets.list().await? }))
}

pub(super) async fn one(
    access: Access,
    Path((app_id, name)): Path<(String, String)>,
    Query(of): Query<OfUser>,
) -> Result<Response, ApiError> {
    let secrets = of_user(&access, of).await?;
    Ok(json(StatusCode::OK, &secrets.find(&app_id, &name).await?))
}

pub(super) async fn set(
    access: Access,
    Path((app_id, name)): Path<(String, String)>,
    Query(of): Query<OfUser>,
    request: Request,
) -> Result<Response, ApiError> {
    let secrets = of_user(&access, of).await?;
    let bytes = Zeroizing::new(body::json_bytes(request).await?);
    let SecretBody { value } = body::parse(&bytes)?;
    let value = Zeroizing::new(value);
    Ok(json(StatusCode::OK, &secrets.set(&app_id, &name, &value).await?))
}

pub(super) async fn remove(
    access: Access,
    Path((app_id, name)): Path<(String, String)>,
    Query(of): Query<OfUser>,
) -> Result<Response, ApiError> {
    let secrets = of_user(&access, of).await?;
    Ok(json(StatusCode::OK, &RemovedSecret { was_set: secrets.remove(&app_id, &name).await? }))
}

pub(super) async fn rotate(access: Access) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.rotate_secrets().await?))
}

async fn of_user(access: &Access, OfUser { user, tenant }: OfUser) -> Result<SecretAccess, ApiError> {
    if user.is_none() && tenant.is_none() {
        return Ok(access.secrets());
    }
    let own = access.user();
    let owner = Owner::new(tenant.as_deref().unwrap_or(&own.tenant_id), user.as_deref().unwrap_or(&own.id));
    Ok(access.secrets_of(owner).await?)
}
