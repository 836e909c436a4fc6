//! Secrets: the methods of the contract.

use super::MemoryLedger;
use crate::ledger::contract::{LedgerResult, Secrets};
use crate::ledger::{NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret};

impl Secrets for MemoryLedger {
    async fn put_secret(&self, write: SecretWrite, secret: NewSecret) -> LedgerResult<bool> {
        self.with(|state, now| state.put_secret(write, secret, now))
    }

    async fn remove_secret(&self, write: SecretWrite, place: SecretPlace) -> LedgerResult<bool> {
        self.with(|state, now| state.remove_secret(write, &place, now))
    }

    async fn find_secret(&self, place: &SecretPlace) -> LedgerResult<Option<StoredSecret>> {
        Ok(self.read(|state| state.find_secret(place)))
    }

    async fn secrets_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSecret>> {
        Ok(self.read(|state| state.secrets_of(owner)))
    }

    async fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<SecretPlace>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredSecret>> {
        Ok(self.read(|state| state.secrets_under_other_keys(key_id, after.as_ref(), limit as usize)))
    }

    async fn note_fact(&self, name: &str, value: &[u8]) -> LedgerResult<Vec<u8>> {
        Ok(self.with(|state, _| state.note_fact(name, value)))
    }
}
