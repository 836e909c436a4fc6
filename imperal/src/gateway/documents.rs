//! Documents of users for operators: collections, pages, imports, deletes.
//!
//! The caller needs the scope `documents:operate` or `documents:operate:all`;
//! [`DocumentOperator`](crate::platform::DocumentOperator) checks it and audits what it does.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{self, Query};
use super::json;
use crate::ledger::{DocumentSpace, Owner};
use crate::platform::{Access, OperatorCollection, OperatorDocument, OperatorDocuments};

/// Largest import: a document of the largest size, and its names.
const IMPORT_LIMIT: usize = 2 * body::BODY_LIMIT;

/// Whose collections to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionsQuery {
    tenant: String,
    user: String,
    app: Option<String>,
}

/// The collections of a user that have documents.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Collections {
    collections: Vec<OperatorCollection>,
}

/// Which documents to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    tenant: String,
    user: String,
    app: String,
    collection: String,
    id: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Documents to write for a user: all of them or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportBody {
    /// The user's tenant.
    tenant: String,
    /// The user.
    user: String,
    /// The extension.
    app: String,
    /// The documents, at most 100, as a page returns them.
    documents: Vec<OperatorDocument>,
    /// Replace documents that exist. Without it the first of them refuses the import.
    #[serde(default)]
    replace: bool,
}

/// Documents to delete.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteBody {
    /// The user's tenant.
    tenant: String,
    /// The user.
    user: String,
    /// The extension.
    app: String,
    /// The collection.
    collection: String,
    /// The ids, at most 100.
    ids: Vec<String>,
}

/// How many documents were written or deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChangedDocuments {
    /// Those that were written, or were there and are deleted.
    documents: u64,
}

pub(super) async fn collections(access: Access, Query(query): Query<CollectionsQuery>) -> Result<Response, ApiError> {
    let operator = access.document_operator().await?;
    let owner = Owner::new(&query.tenant, &query.user);
    let collections = operator.collections(&owner, query.app.as_deref()).await?;
    Ok(json(StatusCode::OK, &Collections { collections }))
}

pub(super) async fn page(access: Access, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let operator = access.document_operator().await?;
    let PageQuery { tenant, user, app, collection, id, after, limit } = query;
    let space = DocumentSpace::new(Owner::new(&tenant, &user), app, collection);
    let Some(id) = id else {
        return Ok(json(StatusCode::OK, &operator.page(&space, after.as_deref(), limit.unwrap_or(100)).await?));
    };
    let documents = operator.document(&space, &id).await?.into_iter().collect();
    Ok(json(StatusCode::OK, &OperatorDocuments::last(documents)))
}

pub(super) async fn import(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.document_operator().await?;
    let body: ImportBody = body::parse(&body::json_bytes_up_to(request, IMPORT_LIMIT).await?)?;
    let owner = Owner::new(&body.tenant, &body.user);
    let documents = operator.import(&owner, &body.app, body.documents, body.replace).await?;
    Ok(json(StatusCode::OK, &ChangedDocuments { documents }))
}

pub(super) async fn delete(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.document_operator().await?;
    let DeleteBody { tenant, user, app, collection, ids } = body::parse(&body::json_bytes(request).await?)?;
    let space = DocumentSpace::new(Owner::new(&tenant, &user), app, collection);
    let documents = operator.delete(&space, &ids).await?;
    Ok(json(StatusCode::OK, &ChangedDocuments { documents }))
}
