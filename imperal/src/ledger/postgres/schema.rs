//! The schema: its numbered migrations, and what the server must be like.
//!
//! All of it happens in one transaction under a lock of its own, so that nodes that start at once
//! do it once. A migration's text is kept as a hash: one that was changed after it had run is
//! noticed.

use std::time::Duration;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::fault::{Fault, unavailable, was_a_clash};
use super::pool::{Lane, Store};
use super::rows::get;
use crate::ledger::LedgerError;

/// Migration n is at n - 1. One that was released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
];

const OLDEST_SERVER: i32 = 15;

/// How long all of it may take, another node's turn included.
const LIMIT: Duration = Duration::from_secs(300);
/// How long the server waits for a node that has begun and says nothing more; and no limits of the
/// role's own, which are for statements that somebody waits for.
const LIMITS: &str = "SET LOCAL idle_in_transaction_session_timeout = '30s'; \
    SELECT set_config(name, '0', true) FROM pg_settings \
    WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')";

/// How long to wait before all of it is begun again.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the schema or brings it up to date.
pub(super) async fn prepare(store: &Store) -> Result<(), LedgerError> {
    match tokio::time::timeout(LIMIT, make_until_made(store)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Fault::Postgres(error))) => Err(unavailable(&error)),
        Ok(Err(fault)) => Err(fault.into()),
        Err(_) => Err(LedgerError::Unavailable(format!(
            "the schema was not ready within {} s: PostgreSQL is slow, or another node is bringing it up to date",
            LIMIT.as_secs()
        ))),
    }
}

/// Nodes of the version before are at work meanwhile, and lock the same tables in orders of their own.
/// Of two that wait for each other the server undoes one, most often the longer: this.
async fn make_until_made(store: &Store) -> Result<(), Fault> {
    loop {
        match make(store).await {
            Err(Fault::Postgres(error)) if was_a_clash(&error) => tokio::time::sleep(PAUSE).await,
            made => return made,
        }
    }
}

async fn make(store: &Store) -> Result<(), Fault> {
    let mut connection = store.connection(Lane::Calls).await?;
    let tx = connection.transaction().await?;
    tx.batch_execute(LIMITS).await?;
    check_server(&tx).await?;
    let lock = format!("imperal ledger {}", store.schema());
    tx.query_typed("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[(&lock, Type::TEXT)]).await?;
    let found = "SELECT to_regclass($1) IS NOT NULL";
    let table = store.named("@.migration");
    let made = tx.query_typed_one(found, &[(&table, Type::TEXT)]).await?;
    if !get::<bool>(&made, 0)? {
        let sql = "CREATE SCHEMA IF NOT EXISTS @; CREATE TABLE @.migration \
                    (number integer PRIMARY KEY, hash text NOT NULL, run_at timestamptz NOT NULL DEFAULT now())";
        tx.batch_execute(&store.named(sql).replace('@', store.schema())).await?;
    }
    migrate(store, &tx).await?;
    Ok(tx.commit().await?)
}

async fn check_server(tx: &Transaction<'_>) -> Result<(), Fault> {
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

async fn migrate(store: &Store, tx: &Transaction<'_>) -> Result<(), Fault> {
    let hashes = "SELECT place::int, encode(sha256(convert_to(text, 'UTF8')), 'hex'), m.hash \
                  FROM unnest($1::text[]) WITH ORDINALITY AS u (text, place) \
                  FULL JOIN @.migration m ON m.number = place ORDER BY coalesce(place, m.number)";
    let texts = MIGRATIONS.to_vec();
    for row in tx.query_typed(&store.named(hashes), &[(&texts, Type::TEXT_ARRAY)]).await? {
        let (place, hash, found) = (get::<Option<i32>>(&row, 0)?, get::<Option<&str>>(&row, 1)?, get(&row, 2)?);
        let found: Option<&str> = found;
        let (Some(place), Some(hash)) = (place, hash) else {
            return unusable(format!(
                "schema {:?} was made by a newer version of this program: start that version, or name another database",
                store.schema()
            ));
        };
        match found {
            Some(found) if found == hash => {}
            Some(_) => {
                return unusable(format!(
                    "migration {place} of schema {:?} is not the one that this program knows: start the version that \
                     made it, or name another database",
                    store.schema()
                ));
            }
            None => {
                let text = usize::try_from(place - 1).ok().and_then(|place| MIGRATIONS.get(place));
                tx.batch_execute(&store.named(text.copied().unwrap_or_default())).await?;
                let note = store.named("INSERT INTO @.migration (number, hash) VALUES ($1, $2)");
                tx.query_typed(&note, &[(&place, Type::INT4), (&hash, Type::TEXT)]).await?;
            }
        }
    }
    Ok(())
}

fn unusable<T>(why: String) -> Result<T, Fault> {
    Err(LedgerError::Unusable(why).into())
}
