//! Connections, and the one way to run a statement.
//!
//! Owns the pools, the schema's name, time limits and retries. A statement travels with its parameters and their types
//! in one message: one round trip, and no prepared statement that a pooler in transaction mode would lose. The lease
//! has its own connection, so that a crowd of calls cannot make a living node look dead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod,
    Runtime,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};

use super::dsn::Dsn;
use super::fault::{Damage, Fault, damage, reasons, takes_no_writes, unavailable, was_a_clash, was_a_loss};
use super::tls::Tls;
use crate::ledger::unreadable::{Unreadable, UnreadableRow};
use crate::ledger::{LedgerError, LedgerMeters};

/// How long to wait for a connection, including the time to make one.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long a statement may take. This is also how a silent server is noticed.
pub(super) const STATEMENT: Duration = Duration::from_secs(10);
/// How often a statement is sent in total when it clashes with others.
const CONFLICT_ATTEMPTS: u32 = 8;
/// How often a repeatable statement is sent in total when its connection is lost.
const CONNECTION_ATTEMPTS: u32 = 3;

/// How often the server checks that the client of a running statement is still connected.
const CHECK_CLIENT: &str = "SET client_connection_check_interval = '2s'";

/// Without this, a statement that waits for a lock keeps waiting after this node has given up, and each retry takes one
/// more of the server's connections. A pooler may apply the setting to another client's session, which does no harm. It
/// does not interrupt a commit that waits for a standby.
async fn check_client(client: &mut ClientWrapper) -> Result<(), HookError> {
    match client.batch_execute(CHECK_CLIENT).await {
        // The server's system may not support the setting.
        Err(error) if error.as_db_error().is_none() => Err(HookError::Backend(error)),
        _ => Ok(()),
    }
}

/// A parameter with its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

pub(super) fn text(value: &(dyn ToSql + Sync)) -> Param<'_> {
    (value, Type::TEXT)
}

pub(super) fn texts(value: &(dyn ToSql + Sync)) -> Param<'_> {
    (value, Type::TEXT_ARRAY)
}

pub(super) fn int(value: &i64) -> Param<'_> {
    (value, Type::INT8)
}

pub(super) fn ints(value: &Vec<i64>) -> Param<'_> {
    (value, Type::INT8_ARRAY)
}

pub(super) fn flag(value: &bool) -> Param<'_> {
    (value, Type::BOOL)
}

/// The purpose of a statement. Each has its own connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Statements that users wait for.
    Calls,
    /// Statements that renew this node's lease or end others'.
    Lease,
}

/// The database and the schema in it.
#[derive(Debug, Clone)]
pub(super) struct Store {
    calls: Pool,
    lease: Pool,
    dsn: Dsn,
    schema: Arc<str>,
    size: usize,
    meters: LedgerMeters,
}

impl Store {
    pub(super) fn new(url: &str, schema: &str, size: usize, meters: LedgerMeters) -> Result<Self, LedgerError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || schema.len() > 63 || !schema.chars().all(plain) {
            return Err(LedgerError::Unusable(format!(
                "invalid schema name {schema:?}: use up to 63 of a-z, 0-9 and _"
            )));
        }
        if size == 0 {
            return Err(LedgerError::Unusable("the pool needs at least one connection".to_owned()));
        }
        let mut dsn = Dsn::read(url)?;
        let config = &mut dsn.config;
        config.connect_timeout(CONNECT).tcp_user_timeout(STATEMENT);
        config.keepalives_idle(CONNECT).keepalives_interval(CONNECT).keepalives_retries(2);
        if config.get_application_name().is_none() {
            config.application_name("imperal");
        }
        let pool = |size| {
            let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = Manager::from_config(dsn.config.clone(), dsn.tls.clone(), recycling);
            let pool = Pool::builder(manager).max_size(size).runtime(Runtime::Tokio1);
            // The connection that was used last: what the server keeps for it is still in the processor's caches.
            let pool = pool.queue_mode(QueueMode::Lifo);
            let pool = pool.post_create(Hook::async_fn(|client, _| Box::pin(check_client(client))));
            let pool = pool.wait_timeout(Some(CONNECT)).create_timeout(Some(CONNECT)).build();
            pool.map_err(|error| LedgerError::Unavailable(error.to_string()))
        };
        Ok(Self { calls: pool(size)?, lease: pool(1)?, schema: schema.into(), size, dsn, meters })
    }

    pub(super) fn config(&self) -> &Config {
        &self.dsn.config
    }

    pub(super) fn tls(&self) -> Tls {
        self.dsn.tls.clone()
    }

    /// Where unreadable rows are reported.
    pub(super) fn unreadable(&self) -> &Unreadable {
        self.meters.unreadable()
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Replaces each `@.` by the schema's name.
    pub(super) fn named(&self, sql: &str) -> String {
        sql.replace("@.", &format!("\"{}\".", self.schema))
    }

    /// Takes a connection. If that fails, nothing was sent and nothing was written.
    pub(super) async fn connection(&self, lane: Lane) -> Result<Object, LedgerError> {
        let pool = if lane == Lane::Calls { &self.calls } else { &self.lease };
        match tokio::time::timeout(CONNECT, pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(unavailable(&error)),
            Ok(Err(PoolError::Timeout(_))) | Err(_) => Err(LedgerError::Unavailable(format!(
                "no connection to PostgreSQL within {} s: it is slow, out of reach, or all {} are busy",
                CONNECT.as_secs(),
                self.size
            ))),
            Ok(Err(error)) => Err(LedgerError::Unavailable(reasons(&error))),
        }
    }

    /// Runs one statement as one transaction. Retries it when it clashed with others, because then it was undone. Does
    /// not retry after a lost connection, because then the outcome is unknown.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        self.send(Lane::Calls, STATEMENT, sql, params).await
    }

    async fn send(&self, lane: Lane, limit: Duration, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let sql = self.named(sql);
        let (mut tries, mut repaired) = (1, false);
        loop {
            let outcome = self.once(lane, limit, &sql, params).await;
            let Err(Fault::Postgres(error)) = &outcome else { return outcome };
            if !repaired && let Some(damage) = damage(error) {
                // The statement was undone. After the repair it may succeed.
                self.repair(lane, limit, damage).await?;
                repaired = true;
            } else if was_a_clash(error) && tries < CONFLICT_ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(2) * tries).await;
                tries += 1;
            } else {
                return outcome;
            }
        }
    }

    /// Repairs an owner's numbers; if the owner is not known, those of all owners with impossible numbers.
    async fn repair(&self, lane: Lane, limit: Duration, damage: Damage) -> Result<(), Fault> {
        let (owner_id, most) = match damage {
            Damage::TakenNumber(owner_id) => (Some(owner_id), i64::MAX),
            Damage::TooLarge => (None, 1 << 53),
        };
        let sql = self.named(
            "SELECT owner_id, @.repair_numbers(owner_id) FROM @.owner
             WHERE owner_id = $1 OR $1 IS NULL AND (head NOT BETWEEN 0 AND $2 OR pruned NOT BETWEEN 0 AND $2)",
        );
        for row in self.once(lane, limit, &sql, &[(&owner_id, Type::INT8), int(&most)]).await? {
            let (owner_id, was_damaged): (i64, bool) = (row.get(0), row.get(1));
            if was_damaged {
                let row = owner_id.to_string();
                let why = "head or pruned did not fit the rows and was repaired";
                self.unreadable().report(&UnreadableRow { table: "owner", row: &row, owner: None, why });
            }
        }
        Ok(())
    }

    async fn once(&self, lane: Lane, limit: Duration, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let begun = Instant::now();
        let connection = self.connection(lane).await;
        self.meters.record_wait(begun.elapsed());
        let connection = connection?;
        let Ok(outcome) = tokio::time::timeout(limit, connection.query_typed(sql, params)).await else {
            // The next statement on this connection would wait too, and so most likely would those on the others.
            self.forget(connection);
            let why = format!("PostgreSQL did not answer within {} s", limit.as_secs_f32());
            return Err(LedgerError::Indeterminate(why).into());
        };
        if outcome.as_ref().is_err_and(takes_no_writes) {
            // This connection leads to a standby; a new one may lead to the primary.
            self.forget(connection);
        }
        Ok(outcome?)
    }

    /// Closes a connection and all idle ones.
    pub(super) fn forget(&self, connection: Object) {
        drop(Object::take(connection));
        self.calls.retain(|_, _| false);
        self.lease.retain(|_, _| false);
    }

    /// Runs a read, or a write that may run twice. Retries when the connection is dead, as all are after the server
    /// restarts.
    pub(super) async fn repeatable(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        self.repeat(Lane::Calls, STATEMENT, sql, params).await
    }

    /// [`Store::repeatable`] with its own lane and time limit.
    pub(super) async fn repeat(
        &self,
        lane: Lane,
        limit: Duration,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let mut tries = 1;
        loop {
            match self.send(lane, limit, sql, params).await {
                Err(Fault::Postgres(error)) if was_a_loss(&error) && tries < CONNECTION_ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    tries += 1;
                }
                // The outcome does not matter, because the statement may run again.
                Err(Fault::Postgres(error)) if was_a_loss(&error) => return Err(unavailable(&error).into()),
                Err(Fault::Refused(LedgerError::Indeterminate(why))) => {
                    return Err(LedgerError::Unavailable(why).into());
                }
                outcome => return outcome,
            }
        }
    }
}
