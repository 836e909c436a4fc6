//! The documents of all users, as operators see and change them: lists, pages, imports, deletes.
//!
//! The scope `documents:operate` gives them for the operator's own tenant, `documents:operate:all` for all tenants.
//! Documents are private, so reading them is audited too. The rows are in the trail of the documents' user, with the
//! operator as the actor.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::function::Extension;
use crate::ledger::{
    AuditOutcome, CollectionUse, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Expected,
    Expiry, LedgerError, NewAudit, NewDocument, Owner, PageLimit, StoredDocument,
};
use crate::platform::documents::{document_error, request_number};
use crate::result::Result;
use crate::rows::document_key::{DOCUMENT_BYTES, DOCUMENT_ID, is_collection_name};

/// Most documents of a page, an import and a delete.
const MOST: usize = 100;
/// Most bytes of a page.
const PAGE_BYTES: u64 = 2 << 20;

/// A collection of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorCollection {
    /// The extension.
    pub app_id: String,
    /// The collection.
    pub collection: String,
    /// Its documents. Expired ones count until retention removes them.
    pub documents: u64,
    /// Bytes of their ids and JSON.
    pub bytes: u64,
}

impl From<CollectionUse> for OperatorCollection {
    fn from(CollectionUse { app_id, collection, documents, bytes }: CollectionUse) -> Self {
        Self { app_id, collection, documents, bytes }
    }
}

/// A document of a user. An import takes the same form, and ignores `version`, `created_at` and `updated_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorDocument {
    /// The collection.
    pub collection: String,
    /// The id.
    pub id: String,
    /// The version of the type that wrote it; 1 if it is absent.
    #[serde(default = "first_shape")]
    pub shape: u32,
    /// Grows with each write.
    #[serde(default)]
    pub version: u64,
    /// When it was first written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created_at: Option<Timestamp>,
    /// When it was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub updated_at: Option<Timestamp>,
    /// From when on it is no longer there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    /// Its JSON.
    #[serde(default)]
    pub value: Value,
    /// Why the stored JSON cannot be read; its `value` is null then, and an import refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

fn first_shape() -> u32 {
    1
}

impl OperatorDocument {
    fn of(collection: &str, stored: StoredDocument) -> Self {
        let StoredDocument { id, version, shape, created_at, updated_at, expires_at, body, .. } = stored;
        let (value, unreadable) = match crate::json::read(body.as_bytes()) {
            Ok(value) => (value, None),
            Err(error) => (Value::Null, Some(error.to_string())),
        };
        let (created_at, updated_at, collection) = (Some(created_at), Some(updated_at), collection.to_owned());
        Self { collection, id, shape, version, created_at, updated_at, expires_at, value, unreadable }
    }
}

/// Documents in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorDocuments {
    /// The documents.
    pub documents: Vec<OperatorDocument>,
    /// There are more: ask again with this id as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl OperatorDocuments {
    /// The last page.
    #[cfg(feature = "platform")]
    pub(crate) fn last(documents: Vec<OperatorDocument>) -> Self {
        Self { documents, next: None }
    }
}

/// The documents of all users as an operator can see and change them. Made by [`Access::document_operator`].
#[derive(Debug, Clone)]
pub struct DocumentOperator {
    access: Access,
    /// The tenant that the operator is limited to.
    tenant: Option<String>,
}

impl Access {
    /// The rights of an operator of documents, if the user's scopes give them.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, without the scope `documents:operate` or `documents:operate:all`.
    pub async fn document_operator(&self) -> Result<DocumentOperator> {
        let tenant = if self.user.has_scope("documents:operate:all") {
            None
        } else if self.user.has_scope("documents:operate") {
            Some(self.owner.tenant_id.to_string())
        } else {
            let why = "This needs the scope `documents:operate` or `documents:operate:all`.";
            return Err(self.refuse("documents.operate", &self.owner.user_id, why).await);
        };
        Ok(DocumentOperator { access: self.clone(), tenant })
    }
}

impl DocumentOperator {
    /// The collections of a user that have documents; of one extension or of all.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for a user of another tenant; `UNAVAILABLE` when the ledger cannot read.
    pub async fn collections(&self, owner: &Owner, app_id: Option<&str>) -> Result<Vec<OperatorCollection>> {
        self.check_tenant(owner, "documents.read").await?;
        let found = self.access.read(self.access.ledger().collections(owner, app_id)).await?;
        Ok(found.into_iter().map(OperatorCollection::from).collect())
    }

    /// The document with this id, if there is one.
    ///
    /// # Errors
    /// As [`collections`](Self::collections), and `UNAVAILABLE` when the audit row cannot be written.
    pub async fn document(&self, space: &DocumentSpace, id: &str) -> Result<Option<OperatorDocument>> {
        self.check_tenant(&space.owner, "documents.read").await?;
        let ids = [id.to_owned()];
        let found = self.access.read(self.access.ledger().documents(space, &ids)).await?.pop();
        if found.is_some() {
            self.note_read(space, format!("document {id}")).await?;
        }
        Ok(found.map(|stored| OperatorDocument::of(&space.collection, stored)))
    }

    /// Documents after an id: at most 100, and 2 MiB.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    pub async fn page(&self, space: &DocumentSpace, after: Option<&str>, limit: usize) -> Result<OperatorDocuments> {
        self.check_tenant(&space.owner, "documents.read").await?;
        let rows = u32::try_from(limit.clamp(1, MOST)).unwrap_or(1);
        let low = after.map_or(Vec::new(), |after| [after.as_bytes(), &[0]].concat());
        let query = DocumentQuery::by_id().within(low, DocumentQuery::END.to_vec());
        let limit = PageLimit::rows(rows).bytes(PAGE_BYTES);
        let found = self.access.read(self.access.ledger().find_documents(space, query, limit, limit)).await?;
        if !found.keyed.is_empty() {
            self.note_read(space, format!("{} documents", found.keyed.len())).await?;
        }
        let next = found.keyed.last().filter(|_| found.more).map(|last| last.id.clone());
        let documents = found.keyed.into_iter().map(|one| OperatorDocument::of(&space.collection, one)).collect();
        Ok(OperatorDocuments { documents, next })
    }

    /// Writes documents under their ids: all or none, at most 100. One that exists is refused unless `replace` is set.
    /// Programs key them when a query meets them.
    ///
    /// # Errors
    /// `VALIDATION_TYPE_ERROR` for an invalid name, id or content; `DOCUMENT_TOO_LARGE`; `DOCUMENT_EXISTS`;
    /// `DOCUMENTS_EXCEEDED` over the user's limits; as [`collections`](Self::collections).
    pub async fn import(
        &self,
        owner: &Owner,
        app_id: &str,
        documents: Vec<OperatorDocument>,
        replace: bool,
    ) -> Result<u64> {
        self.check_tenant(owner, "documents.import").await?;
        self.check_app(app_id)?;
        check_count(documents.len())?;
        let now = Timestamp::now();
        let mut writes = Vec::with_capacity(documents.len());
        for document in documents {
            if document.expires_at.is_none_or(|until| until > now) {
                writes.push(write_of(document, now, replace)?);
            }
        }
        let names: Vec<String> = writes.iter().map(|one| format!("{}/{}", one.collection, one.id)).collect();
        let count = writes.len() as u64;
        self.write(owner, app_id, "documents.import", writes).await.map_err(|error| match error {
            LedgerError::DocumentConflict(conflict) => Error::user(
                codes::DOCUMENT_EXISTS,
                format!(
                    "The document `{}` exists already. Import into a user without it, or replace what exists.",
                    names.get(conflict.place).map_or("", String::as_str)
                ),
            ),
            error => document_error(&error),
        })?;
        Ok(count)
    }

    /// Deletes documents; how many there were of them, at most 100.
    ///
    /// # Errors
    /// As [`collections`](Self::collections), and `UNAVAILABLE` when the ledger cannot write.
    pub async fn delete(&self, space: &DocumentSpace, ids: &[String]) -> Result<u64> {
        self.check_tenant(&space.owner, "documents.delete").await?;
        check_count(ids.len())?;
        let writes = ids.iter().map(|id| DocumentWrite::delete(&*space.collection, &**id)).collect();
        self.write(&space.owner, &space.app_id, "documents.delete", writes)
            .await
            .map_err(|error| document_error(&error))
    }

    /// Writes with an audit row in the same transaction. Returns how many of the documents were there before.
    async fn write(
        &self,
        owner: &Owner,
        app_id: &str,
        action: &str,
        writes: Vec<DocumentWrite>,
    ) -> std::result::Result<u64, LedgerError> {
        let Some(first) = writes.first() else { return Ok(0) };
        let what = match writes.len() {
            1 => format!("{}/{}", first.collection, first.id),
            more => format!("{}/{} and {} more", first.collection, first.id, more - 1),
        };
        let source = DocumentSource::Operator(self.audit_of(owner, app_id, action, what));
        let limits = self.access.platform.node.document_limits();
        let request = DocumentWrites::new(app_id, request_number(), writes).limits(limits);
        let written = self.access.ledger().write_documents(owner, source, request).await?;
        Ok(written.iter().filter(|one| one.existed).count() as u64)
    }

    async fn note_read(&self, space: &DocumentSpace, what: String) -> Result<()> {
        let target = format!("{}: {what}", space.collection);
        let row = self.audit_of(&space.owner, &space.app_id, "documents.read", target);
        self.access.ledger().write_audit(row).await.map_err(|error| document_error(&error))
    }

    fn audit_of(&self, owner: &Owner, app_id: &str, action: &str, target: String) -> NewAudit {
        let operator = &self.access.owner;
        NewAudit {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            actor: format!("operator:{}/{}", operator.tenant_id, operator.user_id),
            app_id: Some(app_id.to_owned()),
            ..self.access.audit_row(action, target, AuditOutcome::Done)
        }
    }

    async fn check_tenant(&self, owner: &Owner, action: &str) -> Result<()> {
        if self.tenant.as_deref().is_none_or(|tenant| *tenant == *owner.tenant_id) {
            return Ok(());
        }
        let target = format!("{}/{}", owner.tenant_id, owner.user_id);
        let why = "A user of another tenant: this needs the scope `documents:operate:all`.";
        Err(self.access.refuse(action, &target, why).await)
    }

    fn check_app(&self, app_id: &str) -> Result<()> {
        let registry = self.access.platform.registry();
        if registry.extension(app_id).is_some() {
            return Ok(());
        }
        let known: Vec<_> = registry.extensions().map(Extension::app_id).collect();
        let text = format!("This program has no extension `{app_id}`; it has {}.", known.join(", "));
        Err(Error::user(codes::NOT_FOUND, text))
    }
}

fn write_of(document: OperatorDocument, now: Timestamp, replace: bool) -> Result<DocumentWrite> {
    let OperatorDocument { collection, id, shape, expires_at, value, unreadable, .. } = document;
    let invalid = |text: String| Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("documents"));
    if !is_collection_name(&collection) {
        return invalid(format!("`{collection}` is no name of a collection: it has 1 to 64 of a-z, 0-9 and _."));
    }
    if id.is_empty() || id.len() > DOCUMENT_ID {
        return invalid(format!("The id of a document has 1 to {DOCUMENT_ID} bytes, not {}.", id.len()));
    }
    if shape == 0 || unreadable.is_some() {
        return invalid(format!("The document `{collection}/{id}` has no readable content or no shape."));
    }
    let body = value.to_string();
    if body.len() > DOCUMENT_BYTES {
        let text = format!("The document `{collection}/{id}` has {} bytes, more than {DOCUMENT_BYTES}.", body.len());
        return Err(Error::user(codes::DOCUMENT_TOO_LARGE, text));
    }
    let kept = expires_at.and_then(|until| until.duration_since(now).try_into().ok());
    let new = NewDocument::new(body).shape(shape).expiry(kept.map_or(Expiry::Never, Expiry::In));
    let expected = if replace { Expected::Any } else { Expected::Absent };
    Ok(DocumentWrite::put(collection, id, new).expecting(expected))
}

fn check_count(count: usize) -> Result<()> {
    if count <= MOST {
        return Ok(());
    }
    let text = format!("One request changes at most {MOST} documents, not {count}.");
    Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("documents"))
}
