//! The functions that the user allowed the assistant in the conversation: reading them, and taking one back.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Access;
use crate::assistant::{self, Allowed};
use crate::ledger::{
    AuditOutcome, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, NewAudit, PageLimit,
};
use crate::platform::documents::{document_error, request_number};
use crate::result::Result;

/// Functions that are listed.
const MOST: u32 = 100;

/// A function that the assistant may run in the conversation without asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AllowedFunction {
    /// Its extension.
    pub app_id: String,
    /// Its name.
    pub function: String,
    /// When it was allowed.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When that ends by itself.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Access {
    fn allowed_space(&self) -> DocumentSpace {
        DocumentSpace::new(self.owner.clone(), assistant::APP_ID, assistant::ALLOWED_COLLECTION)
    }

    /// The functions that the user allowed the assistant in the conversation, at most 100.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read.
    pub async fn allowed_functions(&self) -> Result<Vec<AllowedFunction>> {
        let limit = PageLimit::rows(MOST);
        let all = DocumentQuery::by_id().within(Vec::new(), DocumentQuery::END.to_vec());
        let space = self.allowed_space();
        let found = self.read(self.ledger().find_documents(&space, all, limit, limit)).await?;
        let read = |body: &str| serde_json::from_str::<Allowed>(body).ok();
        let functions = found.keyed.into_iter().filter_map(|stored| {
            let Allowed { app_id, function, .. } = read(&stored.body)?;
            Some(AllowedFunction { app_id, function, since: stored.updated_at, until: stored.expires_at })
        });
        Ok(functions.collect())
    }

    /// The assistant asks again for this function. Returns whether it was allowed.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be written.
    pub async fn take_back_allowed(&self, app_id: &str, function: &str) -> Result<bool> {
        let id = assistant::allowed_id(app_id, function);
        let writes = vec![DocumentWrite::delete(assistant::ALLOWED_COLLECTION, id.as_str())];
        let row = self.audit_row("assistant.take_back", id, AuditOutcome::Done);
        let source = DocumentSource::Operator(NewAudit { app_id: Some(app_id.to_owned()), ..row });
        let limits = self.platform.node.document_limits();
        let request = DocumentWrites::new(assistant::APP_ID, request_number(), writes).limits(limits);
        let written = self.ledger().write_documents(&self.owner, source, request).await;
        let written = written.map_err(|error| document_error(&error))?;
        Ok(written.first().is_some_and(|one| one.existed))
    }
}
