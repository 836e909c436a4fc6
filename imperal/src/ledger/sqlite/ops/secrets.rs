//! Secrets: compared by version, written with their audit row.

use rusqlite::params;

use super::Tx;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, number, one};
use crate::ledger::{NewSecret, Owner, SecretPlace, SecretWrite};

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn put_secret(
        &mut self,
        write: &SecretWrite,
        secret: &NewSecret,
    ) -> Result<bool, Fault> {
        let NewSecret { place, version, sealed, set_by } = secret;
        self.may_write_secret(write, place)?;
        let SecretPlace { tenant_id, user_id, app_id, name } = place;
        let now = self.now.as_microsecond();
        let written = if *version == 1 {
            let sql = "INSERT INTO secret
                (tenant_id, user_id, app_id, name, version, key_id, salt, nonce, ciphertext, set_at, set_by)
                VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, coalesce(?10, '')) ON CONFLICT DO NOTHING";
            let params = params![
                tenant_id,
                user_id,
                app_id,
                name,
                sealed.key_id,
                sealed.salt,
                sealed.nonce,
                sealed.ciphertext,
                now,
                set_by
            ];
            execute(self.conn, sql, params)?
        } else {
            let sql = "UPDATE secret SET version = ?5, key_id = ?6, salt = ?7, nonce = ?8, ciphertext = ?9,
                    set_at = iif(?11 IS NULL, set_at, ?10), set_by = coalesce(?11, set_by)
                WHERE tenant_id = ?1 AND user_id = ?2 AND app_id = ?3 AND name = ?4 AND version = ?5 - 1";
            let params = params![
                tenant_id,
                user_id,
                app_id,
                name,
                number(*version),
                sealed.key_id,
                sealed.salt,
                sealed.nonce,
                sealed.ciphertext,
                now,
                set_by
            ];
            execute(self.conn, sql, params)?
        };
        self.note_secret_write(write, written)
    }

    pub(in crate::ledger::sqlite) fn remove_secret(
        &mut self,
        write: &SecretWrite,
        place: &SecretPlace,
    ) -> Result<bool, Fault> {
        self.may_write_secret(write, place)?;
        let SecretPlace { tenant_id, user_id, app_id, name } = place;
        let sql = "DELETE FROM secret WHERE tenant_id = ?1 AND user_id = ?2 AND app_id = ?3 AND name = ?4";
        let removed = execute(self.conn, sql, [tenant_id, user_id, app_id, name])?;
        self.note_secret_write(write, removed)
    }

    fn may_write_secret(&self, write: &SecretWrite, place: &SecretPlace) -> Result<(), Fault> {
        let Some(fence) = &write.fence else { return Ok(()) };
        self.may_write_for(&Owner::new(&place.tenant_id, &place.user_id), fence)
    }

    fn note_secret_write(&mut self, write: &SecretWrite, changed: usize) -> Result<bool, Fault> {
        if changed > 0
            && let Some(audit) = &write.audit
        {
            self.audit(audit)?;
        }
        Ok(changed > 0)
    }

    pub(in crate::ledger::sqlite) fn note_fact(&mut self, name: &str, value: &[u8]) -> Result<Vec<u8>, Fault> {
        execute(
            self.conn,
            "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![name, value],
        )?;
        let stored = one(self.conn, "SELECT value FROM fact WHERE name = ?1", [name], |row| Ok(row.get(0)?))?;
        Ok(stored.unwrap_or_default())
    }
}
