//! Secrets: the statement of each method of the contract.

use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::pool::{Param, int, text};
use super::rows::{audit, get, number};
use super::stored_text::stored;
use super::writes::one;
use crate::keyed_semaphore::Permit;
use crate::ledger::contract::{LedgerResult, Secrets};
use crate::ledger::{Fence, NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret, Work, decode};

const COLUMNS: &str = "SELECT s.tenant_id, s.user_id, s.app_id, s.name, s.version, s.key_id, s.salt, s.nonce, \
    s.ciphertext, s.set_at, s.set_by FROM @.secret s WHERE";

/// A place as the database stores it.
struct PlaceTexts([String; 4]);

impl From<&SecretPlace> for PlaceTexts {
    fn from(place: &SecretPlace) -> Self {
        Self([&place.tenant_id, &place.user_id, &place.app_id, &place.name].map(|part| stored(part).into_owned()))
    }
}

impl PlaceTexts {
    fn params(&self) -> [Param<'_>; 4] {
        let [tenant, user, app, name] = &self.0;
        [text(tenant), text(user), text(app), text(name)]
    }
}

/// The work of a fence, and an audit row, as the functions in the database take them.
struct WriteTexts<'a> {
    node: Option<String>,
    incarnation: Option<i64>,
    call_id: Option<String>,
    task_id: Option<String>,
    attempt: Option<i64>,
    audit: Option<Vec<Option<std::borrow::Cow<'a, str>>>>,
}

impl<'a> From<&'a SecretWrite> for WriteTexts<'a> {
    fn from(write: &'a SecretWrite) -> Self {
        let (mut call_id, mut task_id, mut attempt) = (None, None, None);
        match write.fence {
            Some(Fence { work: Work::Call(id), .. }) => call_id = Some(id.to_string()),
            Some(Fence { work: Work::Task(of), .. }) => {
                (task_id, attempt) = (Some(of.task_id.to_string()), Some(i64::from(of.number)));
            }
            None => {}
        }
        let of_fence = write.fence.as_ref().map(|fence| &fence.incarnation);
        Self {
            node: of_fence.map(|incarnation| stored(&incarnation.node).into_owned()),
            incarnation: of_fence.map(|incarnation| incarnation.number),
            call_id,
            task_id,
            attempt,
            audit: write.audit.as_ref().map(audit),
        }
    }
}

impl WriteTexts<'_> {
    fn params(&self) -> [Param<'_>; 6] {
        [
            (&self.node, Type::TEXT),
            (&self.incarnation, Type::INT8),
            (&self.call_id, Type::TEXT),
            (&self.task_id, Type::TEXT),
            (&self.attempt, Type::INT8),
            (&self.audit, Type::TEXT_ARRAY),
        ]
    }
}

impl Secrets for PostgresLedger {
    async fn put_secret(&self, write: SecretWrite, secret: NewSecret) -> LedgerResult<bool> {
        let sql =
            "SELECT @.put_secret($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
        let (of, place) = (WriteTexts::from(&write), PlaceTexts::from(&secret.place));
        let (version, key_id) = (number(secret.version), stored(&secret.sealed.key_id));
        let set_by = secret.set_by.as_deref().map(stored);
        let sealed = &secret.sealed;
        let value: [Param<'_>; 6] = [
            int(&version),
            text(&key_id),
            (&sealed.salt, Type::BYTEA),
            (&sealed.nonce, Type::BYTEA),
            (&sealed.ciphertext, Type::BYTEA),
            (&set_by, Type::TEXT),
        ];
        let _permit = self.permit_for(&write).await?;
        let row = self.one(sql, &[&of.params()[..], &place.params()[..], &value[..]].concat()).await?;
        Ok(get(&row, 0)?)
    }

    async fn remove_secret(&self, write: SecretWrite, place: SecretPlace) -> LedgerResult<bool> {
        let sql = "SELECT @.remove_secret($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10)";
        let (of, place) = (WriteTexts::from(&write), PlaceTexts::from(&place));
        let _permit = self.permit_for(&write).await?;
        let row = self.one(sql, &[&of.params()[..], &place.params()[..]].concat()).await?;
        Ok(get(&row, 0)?)
    }

    async fn find_secret(&self, place: &SecretPlace) -> LedgerResult<Option<StoredSecret>> {
        let sql = format!("{COLUMNS} s.tenant_id = $1 AND s.user_id = $2 AND s.app_id = $3 AND s.name = $4");
        let rows = self.store.repeatable(&sql, &PlaceTexts::from(place).params()).await?;
        Ok(rows.first().map(|row| decode::secret(row, self.store.unreadable())))
    }

    async fn secrets_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSecret>> {
        let sql = format!("{COLUMNS} s.tenant_id = $1 AND s.user_id = $2 ORDER BY s.app_id, s.name");
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let rows = self.store.repeatable(&sql, &[text(&tenant), text(&user)]).await?;
        Ok(rows.iter().map(|row| decode::secret(row, self.store.unreadable())).collect())
    }

    async fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<SecretPlace>,
        limit: u32,
    ) -> LedgerResult<Vec<StoredSecret>> {
        let sql = format!(
            "{COLUMNS} s.key_id <> $1
                AND ($2::text IS NULL OR (s.tenant_id, s.user_id, s.app_id, s.name) > ($2, $3, $4, $5))
             ORDER BY s.tenant_id, s.user_id, s.app_id, s.name LIMIT $6"
        );
        let (key_id, limit) = (stored(key_id), i64::from(limit));
        let parts = after.as_ref().map(PlaceTexts::from).map_or([const { None }; 4], |place| place.0.map(Some));
        let [tenant, user, app, name] = &parts;
        let place: [Param<'_>; 4] = [(tenant, Type::TEXT), (user, Type::TEXT), (app, Type::TEXT), (name, Type::TEXT)];
        let rows =
            self.store.repeatable(&sql, &[&[text(&key_id)][..], &place[..], &[int(&limit)][..]].concat()).await?;
        Ok(rows.iter().map(|row| decode::secret(row, self.store.unreadable())).collect())
    }

    async fn note_fact(&self, name: &str, value: &[u8]) -> LedgerResult<Vec<u8>> {
        let name = stored(name);
        // Running twice stores it once.
        let params = [text(&name), (&value, Type::BYTEA)];
        let rows = self.counted(self.store.repeatable("SELECT @.note_fact($1, $2)", &params)).await?;
        Ok(get(&one(rows)?, 0)?)
    }
}

impl PostgresLedger {
    /// The place in the queue of the owner whose audit trail is written.
    async fn permit_for(&self, write: &SecretWrite) -> LedgerResult<Option<Permit<'_, Owner>>> {
        match &write.audit {
            Some(row) => Ok(Some(self.permits.acquire_for_audit(row).await?)),
            None => Ok(None),
        }
    }
}
