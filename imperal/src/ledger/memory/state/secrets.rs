//! Secrets and facts.

use std::ops::Bound;

use jiff::Timestamp;

use super::State;
use crate::ledger::{LedgerError, NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret};

impl State {
    pub(in crate::ledger::memory) fn put_secret(
        &mut self,
        write: SecretWrite,
        secret: NewSecret,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_secret(&write, &secret.place)?;
        let NewSecret { place, version, sealed, set_by } = secret;
        let stored = self.secrets.get(&place);
        if version != stored.map_or(0, |stored| stored.version) + 1 {
            return Ok(false);
        }
        let (set_at, set_by) = match (set_by, stored) {
            (None, Some(stored)) => (stored.set_at, stored.set_by.clone()),
            (set_by, _) => (now, set_by.unwrap_or_default()),
        };
        self.secrets.insert(place.clone(), StoredSecret { place, version, set_at, set_by, sealed });
        self.note_write(write, now);
        Ok(true)
    }

    pub(in crate::ledger::memory) fn remove_secret(
        &mut self,
        write: SecretWrite,
        place: &SecretPlace,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_secret(&write, place)?;
        let existed = self.secrets.remove(place).is_some();
        if existed {
            self.note_write(write, now);
        }
        Ok(existed)
    }

    fn may_write_secret(&self, write: &SecretWrite, place: &SecretPlace) -> Result<(), LedgerError> {
        let Some(fence) = &write.fence else { return Ok(()) };
        self.may_write_for(&Owner::new(&place.tenant_id, &place.user_id), fence)
    }

    fn note_write(&mut self, write: SecretWrite, now: Timestamp) {
        if let Some(audit) = write.audit {
            self.audit(audit, now);
        }
    }

    pub(in crate::ledger::memory) fn find_secret(&self, place: &SecretPlace) -> Option<StoredSecret> {
        self.secrets.get(place).cloned()
    }

    pub(in crate::ledger::memory) fn secrets_of(&self, owner: &Owner) -> Vec<StoredSecret> {
        let is_theirs = |place: &SecretPlace| place.tenant_id == *owner.tenant_id && place.user_id == *owner.user_id;
        self.secrets.values().filter(|secret| is_theirs(&secret.place)).cloned().collect()
    }

    pub(in crate::ledger::memory) fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Vec<StoredSecret> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.secrets.range::<SecretPlace, _>((from, Bound::Unbounded)).map(|(_, secret)| secret);
        rows.filter(|secret| secret.sealed.key_id != key_id).take(limit).cloned().collect()
    }

    pub(in crate::ledger::memory) fn note_fact(&mut self, name: &str, value: &[u8]) -> Vec<u8> {
        self.facts.entry(name.to_owned()).or_insert_with(|| value.to_vec()).clone()
    }
}
