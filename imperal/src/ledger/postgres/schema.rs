//! The ledger's tables and functions in the database.
//!
//! Owns `tables/`, which is applied once, and `functions/`, one file for each function, which is applied again
//! when a file has changed. Both happen in one transaction under an advisory lock, so nodes that start at the same
//! time do it once.
//!
//! **Two versions of the program at the same time.** The database stores two numbers. [`TABLES`] must be the
//! program's own; any other number is refused. [`FUNCTIONS`] only rises: a node with the higher number replaces
//! the functions, a node with the lower one uses them as they are. So older and newer nodes can start in any order
//! and never undo each other. A change that nodes of the revision before could not use needs a new [`TABLES`]. Two
//! builds with the same numbers and different functions exist in development only: the one that starts last
//! applies its own.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::fault::{Fault, unavailable, was_a_clash};
use super::pool::{Lane, Store, text};
use super::rows::get;
use super::server::check_server;
use crate::ledger::LedgerError;

/// Raised with each change in `tables/`.
const TABLES: i32 = 20;

/// Raised with each change in `functions/`.
const FUNCTIONS: i32 = 24;

const TABLE_FILES: &[&str] = &[
    include_str!("tables/1_owner.sql"),
    include_str!("tables/2_node.sql"),
    include_str!("tables/3_turn.sql"),
    include_str!("tables/4_call.sql"),
    include_str!("tables/5_task.sql"),
    include_str!("tables/6_audit.sql"),
    include_str!("tables/7_checked.sql"),
    include_str!("tables/8_results.sql"),
    include_str!("tables/9_version.sql"),
    include_str!("tables/10_document.sql"),
    include_str!("tables/11_secret.sql"),
    include_str!("tables/12_schedule.sql"),
    include_str!("tables/13_file.sql"),
    include_str!("tables/14_draft.sql"),
];

macro_rules! functions {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("functions/", $name, ".sql")))),*] };
}

/// Names and texts. The server checks functions in SQL when they are made, so callees come first.
const FUNCTION_FILES: &[(&str, &str)] = functions![
    "micros" "later" "sound" "span" "owner_key" "node_key" "refuse" "node_lock" "fence"
    "find_owner" "find_or_add_owner" "lock_owners" "head" "check_stored" "repair_numbers" "lock_left_owners" "take_number" "alive_at"
    "write_turn" "write_task_event" "audit_hash" "write_audit"
    "state_of" "check_attempt" "is_replied" "running_tasks" "remove_drafts" "taken_slots" "has_suspect" "has_ready_suspect" "waiting_owners" "last_step_at"
    "last_progress" "has_progressed" "refused_since" "write_attempt"
    "unreclaimable" "count_effects" "count_questions" "settle_question" "withdraw_questions" "withdraw_lost"
    "orphan_durable" "end_incarnation" "join_node" "renew" "drain" "leave" "find_lost_work" "expire_leases"
    "accept_call" "reply" "answer_call" "request_call_cancel" "inherit" "refuse_start" "join_queue" "insert_task" "start_task" "start_call" "note_progress" "write_drafts" "end_task" "request_cancel" "finish_task" "reclaim_calls" "reclaim_tasks" "inject"
    "claim_task" "claim_from_owner" "claim_from_queue" "claim_from_queues" "claim_tasks" "release_task" "store_steps" "register_program" "mark_one_stuck" "mark_stuck"
    "announce_queued" "ask_question" "answer_question" "close_question" "retry_task" "set_paused"
    "check_owned_work" "put_documents" "write_documents" "store_step_documents" "rekey_documents"
    "check_file_source" "lock_shelf" "count_file" "begin_file" "complete_file" "lock_files" "claim_files" "accept_call_files"
    "mark_file_deleted" "store_step_files" "delete_file" "sweep_files" "forget_files"
    "may_write_secret" "put_secret" "remove_secret" "note_fact"
    "may_write_schedule" "write_job" "write_schedule" "remove_schedule" "note_seen"
    "events" "last_old_turn" "first_needed" "prune_values" "prune_documents" "prune"
];

/// How long all of it may take, waiting for another node's transaction included.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(300);
/// The server ends a node that began and went silent. The role's own limits, which are meant for statements that
/// a user waits for, do not apply.
const SET_TIMEOUTS: &str = "SET LOCAL idle_in_transaction_session_timeout = '30s'; \
    SELECT set_config(name, '0', true) FROM pg_settings \
    WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')";

/// How long to wait before the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Makes the schema, or applies the functions that have changed.
pub(super) async fn prepare(store: &Store) -> Result<(), LedgerError> {
    match tokio::time::timeout(SCHEMA_TIMEOUT, apply_until_done(store)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Fault::Postgres(error))) => Err(unavailable(&error)),
        Ok(Err(fault)) => Err(fault.into()),
        Err(_) => Err(LedgerError::Unavailable(format!(
            "the schema was not ready within {} s: PostgreSQL is slow, or another node is applying it",
            SCHEMA_TIMEOUT.as_secs()
        ))),
    }
}

/// Nodes at work lock the same tables in other orders. The server ends one side of a deadlock, usually the longer
/// transaction, which is this one.
async fn apply_until_done(store: &Store) -> Result<(), Fault> {
    loop {
        match apply(store).await {
            Err(Fault::Postgres(error)) if was_a_clash(&error) => tokio::time::sleep(RETRY_PAUSE).await,
            applied => return applied,
        }
    }
}

async fn apply(store: &Store) -> Result<(), Fault> {
    let mut connection = store.connection(Lane::Calls).await?;
    let tx = connection.transaction().await?;
    tx.batch_execute(SET_TIMEOUTS).await?;
    check_server(&tx).await?;
    let lock = format!("imperal ledger {}", store.schema());
    tx.query_typed("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[text(&lock)]).await?;
    if !has_tables(store, &tx).await? {
        make_tables(store, &tx).await?;
    }
    let row = tx.query_typed_one(&store.named("SELECT tables, functions FROM @.schema_version"), &[]).await?;
    check_tables(store, get(&row, 0)?)?;
    if get::<i32>(&row, 1)? <= FUNCTIONS {
        apply_functions(store, &tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether the schema has the tables already.
async fn has_tables(store: &Store, tx: &Transaction<'_>) -> Result<bool, Fault> {
    let [version, migration] = ["@.schema_version", "@.migration"].map(|table| store.named(table));
    let sql = "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL";
    let row = tx.query_typed_one(sql, &[text(&version), text(&migration)]).await?;
    let has_tables: bool = get(&row, 0)?;
    if !has_tables && get(&row, 1)? {
        return unusable(format!(
            "schema {:?} was made by a version before the first release, which this program cannot read: name another \
             schema or database, or drop this one (DROP SCHEMA {:?} CASCADE)",
            store.schema(),
            store.schema()
        ));
    }
    Ok(has_tables)
}

async fn make_tables(store: &Store, tx: &Transaction<'_>) -> Result<(), Fault> {
    tx.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", store.schema())).await?;
    for file in TABLE_FILES {
        tx.batch_execute(&store.named(file)).await?;
    }
    let sql = store.named("INSERT INTO @.schema_version (only_one, tables, functions) VALUES (true, $1, 0)");
    tx.query_typed(&sql, &[(&TABLES, Type::INT4)]).await?;
    Ok(())
}

fn check_tables(store: &Store, found: i32) -> Result<(), Fault> {
    if found == TABLES {
        return Ok(());
    }
    let version = if found > TABLES { "a newer" } else { "an earlier" };
    unusable(format!(
        "schema {:?} was made by {version} version of this program (tables {found}, this program has {TABLES}): start \
         that version, or name another schema or database",
        store.schema()
    ))
}

/// Applies the functions whose text is not the one that was applied last.
async fn apply_functions(store: &Store, tx: &Transaction<'_>) -> Result<(), Fault> {
    let mut applied = HashMap::new();
    for row in tx.query_typed(&store.named("SELECT name, hash FROM @.function_version"), &[]).await? {
        applied.insert(get::<String>(&row, 0)?, get::<String>(&row, 1)?);
    }
    let note = store.named(
        "INSERT INTO @.function_version (name, hash) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = excluded.applied_at",
    );
    for (name, sql) in FUNCTION_FILES {
        let hash = hash_of(sql);
        if applied.get(*name) != Some(&hash) {
            tx.batch_execute(&store.named(sql)).await?;
            tx.query_typed(&note, &[text(name), text(&hash)]).await?;
        }
    }
    let raise = store.named("UPDATE @.schema_version SET functions = $1 WHERE functions < $1");
    tx.query_typed(&raise, &[(&FUNCTIONS, Type::INT4)]).await?;
    Ok(())
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"))
}

fn unusable<T>(why: String) -> Result<T, Fault> {
    Err(LedgerError::Unusable(why).into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files_in(folder: &str) -> BTreeSet<String> {
        let folder = format!("{}/src/ledger/postgres/{folder}", env!("CARGO_MANIFEST_DIR"));
        let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn every_file_is_applied() {
        assert_eq!(files_in("tables").len(), TABLE_FILES.len());
        let listed: BTreeSet<_> = FUNCTION_FILES.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files_in("functions"), listed);
    }

    /// Two releases with the same number and different files would undo each other's functions. So a change of the
    /// files fails here: write the new hash, and raise the number if the old one was released.
    #[test]
    fn numbers_belong_to_their_files() {
        let tables: String = TABLE_FILES.concat();
        let functions: String = FUNCTION_FILES.iter().map(|(_, sql)| *sql).collect();
        assert_eq!((TABLES, &hash_of(&tables)[..16]), (20, "57cd726bd51b3699"));
        assert_eq!((FUNCTIONS, &hash_of(&functions)[..16]), (24, "c124a8e5894f7697"));
    }

    #[test]
    fn each_file_makes_the_function_of_its_name() {
        for (name, sql) in FUNCTION_FILES {
            assert!(sql.contains(&format!("\nCREATE OR REPLACE FUNCTION @.{name}(")), "{name}");
            assert_eq!(sql.matches("CREATE ").count(), 1, "{name}");
        }
    }
}
