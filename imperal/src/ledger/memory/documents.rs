//! Documents: the methods of the contract.

use super::MemoryLedger;
use crate::ledger::contract::{Documents, LedgerResult};
use crate::ledger::{
    Attempt, CollectionUse, DocumentKeys, DocumentQuery, DocumentSource, DocumentSpace, DocumentWrites, Fence,
    FoundDocuments, Incarnation, NewStep, Owner, Page, PageLimit, StoredDocument, WrittenDocument,
};

impl Documents for MemoryLedger {
    async fn write_documents(
        &self,
        owner: &Owner,
        source: DocumentSource,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.with(|state, now| state.write_documents(owner, source, &writes, now))
    }

    async fn store_step_with_documents(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        writes: DocumentWrites,
    ) -> LedgerResult<Vec<WrittenDocument>> {
        self.with(|state, now| state.store_step_with_documents(incarnation, attempt, step, &writes, now))
    }

    async fn rekey_documents(
        &self,
        space: &DocumentSpace,
        fence: Fence,
        index_set: i64,
        keys: Vec<DocumentKeys>,
    ) -> LedgerResult<u64> {
        self.with(|state, now| state.rekey_documents(space, &fence, index_set, keys, now))
    }

    async fn documents(&self, space: &DocumentSpace, ids: &[String]) -> LedgerResult<Vec<StoredDocument>> {
        Ok(self.with(|state, now| state.documents(space, ids, now)))
    }

    async fn find_documents(
        &self,
        space: &DocumentSpace,
        query: DocumentQuery,
        limit: PageLimit,
        others: PageLimit,
    ) -> LedgerResult<FoundDocuments> {
        Ok(self.with(|state, now| {
            let keyed = Page::take(state.keyed_documents(space, &query, now), limit, StoredDocument::bytes);
            let others = Page::take(state.other_documents(space, &query, now), others, StoredDocument::bytes);
            FoundDocuments::new(keyed.rows, keyed.more, others.rows, others.more)
        }))
    }

    async fn count_documents(&self, space: &DocumentSpace, query: DocumentQuery) -> LedgerResult<u64> {
        Ok(self.with(|state, now| state.keyed_documents(space, &query, now).len() as u64))
    }

    async fn collections(&self, owner: &Owner, app_id: Option<&str>) -> LedgerResult<Vec<CollectionUse>> {
        Ok(self.read(|state| state.collections(owner, app_id)))
    }
}
