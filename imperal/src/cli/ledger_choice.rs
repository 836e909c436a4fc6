//! Which ledger a command runs on: the SQLite file of the data folder, or the PostgreSQL database of
//! `serve --database-url`.

use std::sync::Arc;

use super::exit::CliError;
use super::folder::DataFolder;
#[cfg(feature = "postgres")]
use crate::ledger::PostgresLedger;
use crate::ledger::{Ledger, SqliteLedger};
use crate::platform::Settings;

/// Opens the file `ledger.db` of the data folder.
pub(super) fn open_file_ledger(folder: &DataFolder) -> Result<Arc<dyn Ledger>, CliError> {
    let ledger = SqliteLedger::open(folder.ledger())
        .map_err(|error| CliError::new(format!("{}: {error}", folder.ledger().display())))?;
    Ok(Arc::new(ledger))
}

/// Connects to PostgreSQL, and sets the node's name and how often it renews its lease.
///
/// A cancel that another node accepted arrives with the next renewal at the latest, and the work of a dead
/// node is ended by the first renewal after its lease. So renewals are frequent.
#[cfg(feature = "postgres")]
pub(super) async fn connect_database(
    url: &str,
    pool: Option<u16>,
    node: Option<String>,
    folder: &DataFolder,
    settings: &mut Settings,
) -> Result<Arc<dyn Ledger>, CliError> {
    use std::time::Duration;

    settings.node = match node {
        Some(node) => node,
        None => default_node_name(folder)?,
    };
    settings.renew_every = settings.renew_every.min(Duration::from_millis(500)).min(settings.lease / 10);
    let connections = pool.map_or(PostgresLedger::CONNECTIONS, usize::from);
    let connecting = PostgresLedger::connect_in(url, "imperal", connections);
    let ledger = connecting.await.map_err(|error| CliError::new(error.to_string()))?;
    Ok(Arc::new(ledger))
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "has the signature of the function with the feature")]
pub(super) async fn connect_database(
    _: &str,
    _: Option<u16>,
    _: Option<String>,
    _: &DataFolder,
    _: &mut Settings,
) -> Result<Arc<dyn Ledger>, CliError> {
    Err(CliError::new(
        "this build has no PostgreSQL ledger: leave out --database-url, or build with imperal's feature `postgres`",
    ))
}

/// Host name and data folder. It is unique on this machine, because one process at a time opens a folder.
#[cfg(feature = "postgres")]
fn default_node_name(folder: &DataFolder) -> Result<String, CliError> {
    use super::environment::env_text;

    let of_system =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    let variable = |name| env_text(name).ok().flatten();
    let host = of_system.or_else(|| variable("HOSTNAME")).or_else(|| variable("COMPUTERNAME"));
    let Some(host) = host.filter(|host| !host.trim().is_empty()) else {
        return Err(CliError::new("this machine has no host name: give the node a name of its own with --node"));
    };
    Ok(format!("{}:{}", host.trim(), folder.path().canonicalize()?.display()))
}
