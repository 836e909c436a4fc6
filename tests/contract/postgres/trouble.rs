//! A server that is read-only for a while, that has a long lock on a table, that has its own time limits, or
//! that is slower than one of its users.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ids::CallId;
use imperal::ledger::{Incarnation, Ledger, LedgerError, MessageSource, NewCall, Owner, PostgresLedger};
use imperal_tests::cluster::{self, Database};
use imperal_tests::tls_server::TlsServer;
use tokio_postgres::config::Host;

use super::{LONG, anna, audit, turn};

async fn node(database: &Database, connections: usize) -> (PostgresLedger, Incarnation) {
    let ledger = PostgresLedger::connect_in(&database.url(), "imperal", connections).await.unwrap();
    let incarnation = ledger.join("a", LONG).await.unwrap();
    ledger.inject(anna(), turn("first"), audit(), MessageSource::OUTSIDE).await.unwrap();
    (ledger, incarnation)
}

fn takes_no_writes<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Unavailable(why)) if why.contains("takes no writes"))
}

/// During a failover an address can lead to the standby for a moment. A connection to the standby must not
/// stay in use.
#[tokio::test(flavor = "multi_thread")]
async fn connection_to_a_read_only_server_is_not_kept() {
    let database = Database::make("standby").await;
    let (ledger, incarnation) = node(&database, 2).await;
    let other = cluster::client_of(&database.url()).await;
    let set = |value: &str| {
        let sql = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {value}', current_database()); END $$;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        );
        sql
    };
    other.batch_execute(&set("SET default_transaction_read_only = on")).await.unwrap();
    let begun = Instant::now();
    while !takes_no_writes(&ledger.inject(anna(), turn("refused"), audit(), MessageSource::OUTSIDE).await)
        || !takes_no_writes(&ledger.renew(&incarnation, LONG).await)
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "the server takes writes");
    }
    // New connections reach a writable server; the old ones stay open.
    let reset = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', \
                 current_database()); END $$";
    other.batch_execute(reset).await.unwrap();
    let begun = Instant::now();
    while ledger.inject(anna(), turn("second"), audit(), MessageSource::OUTSIDE).await.is_err()
        || ledger.renew(&incarnation, LONG).await.is_err()
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "the node keeps to a server that takes no writes");
    }
}

/// An address with a standby and a primary, in either order, leads to the primary.
#[tokio::test(flavor = "multi_thread")]
async fn writable_server_of_several_is_used() {
    let database = Database::make("several").await;
    let of: tokio_postgres::Config = database.url().parse().unwrap();
    let (user, name) = (of.get_user().unwrap(), of.get_dbname().unwrap());
    let standby = TlsServer::start().await;
    let (folder, port) = standby.inside();
    let client = cluster::client_of(&format!("host={} port={port} user=postgres", folder.display())).await;
    for sql in [
        format!("DO $$ BEGIN CREATE ROLE \"{user}\" LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"),
        format!("CREATE DATABASE \"{name}\""),
        "ALTER SYSTEM SET default_transaction_read_only = on".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        client.batch_execute(&sql).await.unwrap();
    }
    let host = match &of.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    };
    let password = of.get_password().map(|it| format!("password={}", String::from_utf8_lossy(it))).unwrap_or_default();
    let primary = of.get_ports().first().copied().unwrap_or(5432);
    let folder = folder.display();
    for (hosts, ports) in [
        (format!("{folder},{host}"), format!("{port},{primary}")),
        (format!("{host},{folder}"), format!("{primary},{port}")),
    ] {
        let address = format!("host={hosts} port={ports} user={user} dbname={name} {password}");
        let ledger = PostgresLedger::connect(&address).await.unwrap();
        ledger.join("n", LONG).await.unwrap();
    }
}

/// A statement that waits for a locked table ends on the server soon after the node has given up. Otherwise
/// each try would occupy one more connection until none is left.
#[tokio::test(flavor = "multi_thread")]
async fn long_table_lock_leaves_no_waiting_statement() {
    let database = Database::make("held").await;
    let (ledger, _) = node(&database, 2).await;
    let other = cluster::client_of(&database.url()).await;
    other.batch_execute("BEGIN; LOCK TABLE imperal.owner").await.unwrap();
    let ben = Owner::new("tenant", "ben");
    let inject = |owner: &Owner| ledger.inject(owner.clone(), turn("held up"), audit(), MessageSource::OUTSIDE);
    for given_up in <[_; 2]>::from(tokio::join!(inject(&anna()), inject(&ben))) {
        assert!(matches!(&given_up, Err(LedgerError::Indeterminate(_))), "{given_up:?}");
    }
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    while !other.query(waiting, &[]).await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the server waits for a node that is gone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(inject(&anna()).await.unwrap().seq, 2);
}

/// A role's time limits must not apply to a migration of a large ledger or to the wait for one.
#[tokio::test(flavor = "multi_thread")]
async fn time_limits_of_the_role_do_not_end_a_migration() {
    let database = Database::make("limits").await;
    let other = cluster::client_of(&database.url()).await;
    let limits = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 500', current_database());
                  EXECUTE format('ALTER DATABASE %I SET lock_timeout = 500', current_database()); END $$";
    other.batch_execute(limits).await.unwrap();
    let hold = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('imperal ledger imperal', 0))";
    other.batch_execute(hold).await.unwrap();
    let url = database.url();
    let starting = tokio::spawn(async move { PostgresLedger::connect_in(&url, "imperal", 2).await.map(drop) });
    tokio::time::sleep(Duration::from_secs(2)).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(starting.await.unwrap(), Ok(()));
}

/// Recovery replies to many calls together: a damaged row of one user stops no other's.
#[tokio::test(flavor = "multi_thread")]
async fn call_that_cannot_be_written_costs_one_reply() {
    let database = Database::make("bad_call").await;
    let (ledger, dead) = node(&database, 4).await;
    let ben = Owner::new("tenant", "ben");
    let mut replies = Vec::new();
    for owner in [anna(), ben.clone(), anna(), ben.clone()] {
        let call = NewCall::new(CallId::generate(), owner, turn("?"));
        replies.push((call.call_id, turn("interrupted")));
        ledger.accept_call(&dead, call).await.unwrap();
    }
    let incarnation = ledger.join("a", LONG).await.unwrap();
    let other = cluster::client_of(&database.url()).await;
    let refuse = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON imperal.call FOR EACH ROW WHEN (NEW.call_id = '{}')
         EXECUTE FUNCTION refuse()",
        replies[2].0
    );
    other.batch_execute(&refuse).await.unwrap();
    let answers = ledger.reclaim_calls(&incarnation, replies.clone()).await.unwrap();
    assert!(matches!(answers[2], Err(LedgerError::Unavailable(_))), "{answers:?}");
    assert_eq!([&answers[0], &answers[1], &answers[3]], [&Ok(()); 3]);
    // A message, two calls, one reply; two calls, two replies.
    assert_eq!((ledger.head(&anna()).await.unwrap(), ledger.head(&ben).await.unwrap()), (4, 4));

    other.batch_execute("DROP TRIGGER refuse ON imperal.call").await.unwrap();
    let earlier = LedgerError::AlreadyReplied;
    let answers = ledger.reclaim_calls(&incarnation, replies).await.unwrap();
    assert_eq!(answers, [Err(earlier.clone()), Err(earlier.clone()), Ok(()), Err(earlier)]);
    assert_eq!(ledger.head(&anna()).await.unwrap(), 5);
}

/// One user's writes wait for each other in the database, but must not occupy every connection there.
#[tokio::test(flavor = "multi_thread")]
async fn writes_of_a_busy_user_do_not_delay_other_users() {
    let database = Database::make("busy").await;
    let (ledger, incarnation) = node(&database, 8).await;
    let other = cluster::client_of(&database.url()).await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON imperal.turn FOR EACH ROW EXECUTE FUNCTION slow()";
    other.batch_execute(slow).await.unwrap();
    let ledger = Arc::new(ledger);
    let busy: Vec<_> = (0..600)
        .map(|_| {
            let (ledger, incarnation) = (ledger.clone(), incarnation.clone());
            tokio::spawn(async move {
                let call = NewCall::new(CallId::generate(), anna(), turn("?"));
                let call_id = call.call_id;
                ledger.accept_call(&incarnation, call).await?;
                ledger.reply(&incarnation, call_id, turn("!")).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..10 {
        let begun = Instant::now();
        let call = NewCall::new(CallId::generate(), Owner::new("tenant", "ben"), turn("?"));
        let call_id = call.call_id;
        ledger.accept_call(&incarnation, call).await.unwrap();
        ledger.reply(&incarnation, call_id, turn("!")).await.unwrap();
        // 40 ms without other users.
        assert!(begun.elapsed() < Duration::from_secs(4), "ben waited {:?}", begun.elapsed());
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}
