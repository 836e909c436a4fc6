//! Secrets: the methods of the contract, and their reads.

use rusqlite::params;

use super::SqliteLedger;
use super::job::Weight;
use super::rows::{all, one};
use crate::ledger::contract::{LedgerResult, Secrets};
use crate::ledger::{NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret, decode};

macro_rules! select_secret {
    ($rest:literal) => {
        concat!(
            "SELECT tenant_id, user_id, app_id, name, version, key_id, salt, nonce, ciphertext, set_at, set_by
            FROM secret ",
            $rest
        )
    };
}

pub(super) const ONE: &str = select_secret!("WHERE tenant_id = ?1 AND user_id = ?2 AND app_id = ?3 AND name = ?4");

pub(super) const OF_OWNER: &str = select_secret!("WHERE tenant_id = ?1 AND user_id = ?2 ORDER BY app_id, name");

/// In the order of places, from the one after.
pub(super) const UNDER_OTHER_KEYS: &str = select_secret!(
    "WHERE key_id <> ?1 AND (?2 IS NULL OR (tenant_id, user_id, app_id, name) > (?2, ?3, ?4, ?5))
    ORDER BY tenant_id, user_id, app_id, name LIMIT ?6"
);

impl Secrets for SqliteLedger {
    async fn put_secret(&self, write: SecretWrite, secret: NewSecret) -> LedgerResult<bool> {
        self.writer.write(Weight::Durable, move |tx| tx.put_secret(&write, &secret)).await
    }

    async fn remove_secret(&self, write: SecretWrite, place: SecretPlace) -> LedgerResult<bool> {
        self.writer.write(Weight::Durable, move |tx| tx.remove_secret(&write, &place)).await
    }

    async fn find_secret(&self, place: &SecretPlace) -> LedgerResult<Option<StoredSecret>> {
        let place = place.clone();
        self.readers
            .read(move |reading| {
                let params = params![place.tenant_id, place.user_id, place.app_id, place.name];
                one(reading.conn, ONE, params, |row| Ok(decode::secret(row, reading.unreadable)))
            })
            .await
    }

    async fn secrets_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSecret>> {
        let owner = owner.clone();
        self.readers
            .read(move |reading| {
                let params = params![&*owner.tenant_id, &*owner.user_id];
                all(reading.conn, OF_OWNER, params, |row| Ok(decode::secret(row, reading.unreadable)))
            })
            .await
    }

    async fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<SecretPlace>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredSecret>> {
        let key_id = key_id.to_owned();
        self.readers
            .read(move |reading| {
                let at = after.as_ref();
                let params = params![
                    key_id,
                    at.map(|at| &at.tenant_id),
                    at.map(|at| &at.user_id),
                    at.map(|at| &at.app_id),
                    at.map(|at| &at.name),
                    limit
                ];
                all(reading.conn, UNDER_OTHER_KEYS, params, |row| Ok(decode::secret(row, reading.unreadable)))
            })
            .await
    }

    async fn note_fact(&self, name: &str, value: &[u8]) -> LedgerResult<Vec<u8>> {
        let (name, value) = (name.to_owned(), value.to_vec());
        self.writer.write(Weight::Durable, move |tx| tx.note_fact(&name, &value)).await
    }
}
