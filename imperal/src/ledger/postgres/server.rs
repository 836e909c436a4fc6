//! Requirements on the server: its version, encoding, and the settings that the ledger's promises rest on.

use tokio_postgres::Transaction;

use super::fault::Fault;
use super::rows::get;
use crate::ledger::LedgerError;

const OLDEST_SERVER: i32 = 15;

/// Refuses a server on which the ledger could not keep its promises.
pub(super) async fn check_server(tx: &Transaction<'_>) -> Result<(), Fault> {
    let sql = "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), \
               current_setting('synchronous_commit'), current_setting('default_transaction_isolation'), \
               pg_is_in_recovery()";
    let row = tx.query_typed_one(sql, &[]).await?;
    let version: i32 = get(&row, 0)?;
    if version < OLDEST_SERVER {
        return unusable(format!("PostgreSQL {version} is too old: version {OLDEST_SERVER} is the oldest that works"));
    }
    let encoding: &str = get(&row, 1)?;
    if encoding != "UTF8" {
        return unusable(format!("the database's encoding is {encoding}: make one with ENCODING 'UTF8'"));
    }
    if get::<&str>(&row, 2)? == "off" {
        return unusable(
            "synchronous_commit is off, so what was answered could be lost: ALTER ROLE .. SET synchronous_commit = on"
                .to_owned(),
        );
    }
    let isolation: &str = get(&row, 3)?;
    if isolation != "read committed" {
        return unusable(format!(
            "the isolation level is {isolation}: ALTER ROLE .. SET default_transaction_isolation = 'read committed'"
        ));
    }
    if get(&row, 4)? {
        let why = "the server is a standby, which takes no writes: name the primary server";
        return Err(LedgerError::Unavailable(why.to_owned()).into());
    }
    Ok(())
}

fn unusable(why: String) -> Result<(), Fault> {
    Err(LedgerError::Unusable(why).into())
}
