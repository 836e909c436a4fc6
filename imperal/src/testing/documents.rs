//! A user's documents as a test sees them: put before a call, looked at after it.

use std::fmt;
use std::sync::Arc;

use super::TestUser;
use crate::context::{Collection, Document, DocumentValue};
use crate::ledger::{
    AuditOutcome, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites, Ledger, NewAudit,
    PageLimit,
};

/// The documents of a user in a collection. Made by [`TestUser::documents`].
pub struct TestDocuments<'c, T> {
    ledger: Arc<dyn Ledger>,
    space: DocumentSpace,
    collection: &'c Collection<T>,
}

impl<T> fmt::Debug for TestDocuments<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDocuments").field("space", &self.space).finish_non_exhaustive()
    }
}

impl TestUser {
    /// The user's documents in a collection of the extension under test.
    ///
    /// ```
    /// # use imperal::{prelude::*, documents::Collection, testing::TestPlatform};
    /// # #[derive(Serialize, Deserialize, Clone)] struct Package { name: String }
    /// const PACKAGES: Collection<Package> = Collection::new("packages");
    ///
    /// # async fn example(platform: TestPlatform) {
    /// let anna = platform.user("anna");
    /// anna.documents(&PACKAGES).put("spring", &Package { name: "Spring".into() }).await;
    /// // .. a call ..
    /// assert_eq!(anna.documents(&PACKAGES).all().await.len(), 1);
    /// # }
    /// ```
    pub fn documents<'c, T: DocumentValue>(&self, collection: &'c Collection<T>) -> TestDocuments<'c, T> {
        let (ledger, owner, app_id) = self.for_documents();
        TestDocuments { ledger, space: DocumentSpace::new(owner, app_id, collection.name()), collection }
    }
}

impl<T: DocumentValue> TestDocuments<'_, T> {
    /// Writes a document, whatever is stored under the id.
    ///
    /// # Panics
    /// When the value is no JSON or the ledger cannot write.
    pub async fn put(&self, id: &str, value: &T) {
        let write = self.collection.to_write(id, value).unwrap_or_else(|error| panic!("{error}"));
        self.write(write).await;
    }

    /// Deletes a document, if there is one.
    ///
    /// # Panics
    /// When the ledger cannot write.
    pub async fn delete(&self, id: &str) {
        self.write(DocumentWrite::delete(self.collection.name(), id)).await;
    }

    /// The document with this id.
    ///
    /// # Panics
    /// When it does not fit its type, or the ledger cannot be read.
    pub async fn get(&self, id: &str) -> Option<Document<T>> {
        let found = self.ledger.documents(&self.space, &[id.to_owned()]).await;
        let stored = found.unwrap_or_else(|error| panic!("{error}")).pop()?;
        Some(self.collection.read(stored).unwrap_or_else(|(id, why)| panic!("document {id}: {why}")))
    }

    /// All documents, in the order of their ids.
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub async fn all(&self) -> Vec<Document<T>> {
        let limit = PageLimit::rows(u32::MAX).bytes(u64::MAX);
        let found = self.ledger.find_documents(&self.space, DocumentQuery::by_id(), limit, limit).await;
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        let read = |stored| self.collection.read(stored).unwrap_or_else(|(id, why)| panic!("document {id}: {why}"));
        found.keyed.into_iter().map(read).collect()
    }

    async fn write(&self, write: DocumentWrite) {
        let DocumentSpace { owner, app_id, .. } = &self.space;
        let audit = NewAudit {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            actor: "test".to_owned(),
            app_id: Some(app_id.clone()),
            action: "documents.write".to_owned(),
            target: Some(write.id.clone()),
            outcome: AuditOutcome::Done,
            detail: None,
        };
        let request = uuid::Uuid::new_v4().as_u64_pair().0.cast_signed();
        let writes = DocumentWrites::new(app_id, request, vec![write]);
        let written = self.ledger.write_documents(owner, DocumentSource::Operator(audit), writes).await;
        written.unwrap_or_else(|error| panic!("{error}"));
    }
}
