//! Connections, and the one way to run a statement.
//!
//! Owns the pool, the schema's name, time limits and repeats. A statement goes with its parameters
//! and their types in one message: one round trip, and no prepared statement that a pooler in
//! transaction mode would lose.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, NoTls, Row};

use super::fault::{Fault, reasons, was_a_clash, was_a_loss};
use crate::ledger::LedgerError;

/// Connections of a node besides the one for hints.
const CONNECTIONS: usize = 16;
/// How long to wait for one, and for it to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a statement may take. A server that is gone without a word is noticed by this.
const STATEMENT: Duration = Duration::from_secs(15);
/// How often a statement is sent that clashes with others.
const TRIES: u32 = 8;
/// How often a read is sent whose connection is lost.
const READS: u32 = 3;

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

/// The database and the schema in it.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pool: Pool,
    config: Config,
    schema: Arc<str>,
}

impl Store {
    pub(super) fn new(url: &str, schema: &str) -> Result<Self, LedgerError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || schema.len() > 63 || !schema.chars().all(plain) {
            return Err(LedgerError::Unusable(format!("{schema:?} is no schema name: use up to 63 of a-z, 0-9 and _")));
        }
        // The parser's own text says what is wrong and repeats nothing of the address.
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            LedgerError::Unusable(format!(
                "the address of PostgreSQL cannot be read ({}): write postgres://USER:PASSWORD@HOST:PORT/DATABASE",
                reasons(&error)
            ))
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(LedgerError::Unusable(
                "the address asks for TLS, which this build does not speak with PostgreSQL: connect by a Unix socket, \
                 a private network or a proxy on this machine, with sslmode=disable"
                    .to_owned(),
            ));
        }
        config.connect_timeout(CONNECT).tcp_user_timeout(STATEMENT).keepalives_idle(CONNECT);
        if config.get_application_name().is_none() {
            config.application_name("imperal");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), NoTls, recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(Some(CONNECT)).create_timeout(Some(CONNECT)).build();
        let pool = pool.map_err(|error| LedgerError::Unavailable(error.to_string()))?;
        Ok(Self { pool, config, schema: schema.into() })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// The statement with the schema's name for each `@.`.
    pub(super) fn named(&self, sql: &str) -> String {
        sql.replace("@.", &format!("\"{}\".", self.schema))
    }

    pub(super) async fn connection(&self) -> Result<Object, Fault> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Fault::Postgres(error),
            PoolError::Timeout(_) => LedgerError::Unavailable(format!(
                "no connection to PostgreSQL within {} s: it is slow, out of reach, or all {CONNECTIONS} are busy",
                CONNECT.as_secs()
            ))
            .into(),
            error => LedgerError::Unavailable(reasons(&error)).into(),
        })
    }

    /// One statement, one transaction. Sent again when it clashed with others: then none of it was
    /// done. Not after a lost connection: nobody knows what was done.
    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let sql = self.named(sql);
        let mut tries = 1;
        loop {
            let outcome = self.once(&sql, params).await;
            match outcome {
                Err(Fault::Postgres(error)) if was_a_clash(&error) && tries < TRIES => {
                    tokio::time::sleep(Duration::from_millis(2) * tries).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let connection = self.connection().await?;
        let Ok(outcome) = tokio::time::timeout(STATEMENT, connection.query_typed(sql, params)).await else {
            // Whoever had it next would wait as well.
            drop(Object::take(connection));
            let why = format!("PostgreSQL did not answer within {} s", STATEMENT.as_secs());
            return Err(LedgerError::Unavailable(why).into());
        };
        Ok(outcome?)
    }

    /// A read: it may be sent again when the connection turns out to be dead, as all of them are
    /// after the server was started again.
    pub(super) async fn read(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let mut tries = 1;
        loop {
            match self.rows(sql, params).await {
                Err(Fault::Postgres(error)) if was_a_loss(&error) && tries < READS => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }
}
