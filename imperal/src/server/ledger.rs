//! Which ledger a server runs on: the SQLite file of its data folder, or a PostgreSQL database.

use std::sync::Arc;

use super::error::ServerError;
use super::folder::DataFolder;
#[cfg(feature = "postgres")]
use crate::ledger::PostgresLedger;
use crate::ledger::{Ledger, SqliteLedger};
use crate::platform::Settings;

/// A PostgreSQL database.
pub(super) struct Database {
    pub(super) url: String,
    /// Connections for calls; the default of the ledger when absent.
    pub(super) connections: Option<u16>,
}

/// Opens the file `ledger.db` of the data folder.
pub(super) fn open_file(folder: &DataFolder) -> Result<Arc<dyn Ledger>, ServerError> {
    let path = folder.ledger();
    match SqliteLedger::open(&path) {
        Ok(ledger) => Ok(Arc::new(ledger)),
        Err(source) => Err(ServerError::Ledger { path: Some(path), source }),
    }
}

impl Database {
    /// Connects, names the node where it has no name yet, and makes its renewals frequent.
    ///
    /// A cancel that another node accepted arrives with the next renewal at the latest, and the work of a dead
    /// node is ended by the first renewal after its lease.
    #[cfg(feature = "postgres")]
    pub(super) async fn connect(
        self,
        folder: &DataFolder,
        settings: &mut Settings,
    ) -> Result<Arc<dyn Ledger>, ServerError> {
        use std::time::Duration;

        if settings.node == Settings::default().node {
            settings.node = default_node_name(folder)?;
        }
        settings.renew_every = settings.renew_every.min(Duration::from_millis(500)).min(settings.lease / 10);
        let connections = self.connections.map_or(PostgresLedger::CONNECTIONS, usize::from);
        match PostgresLedger::connect_in(&self.url, "imperal", connections).await {
            Ok(ledger) => Ok(Arc::new(ledger)),
            Err(source) => Err(ServerError::Ledger { path: None, source }),
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "has the signature of the function with the feature")]
    pub(super) async fn connect(self, _: &DataFolder, _: &mut Settings) -> Result<Arc<dyn Ledger>, ServerError> {
        let Self { url, connections } = self;
        drop((url, connections));
        Err(ServerError::NoPostgres)
    }
}

/// Host name and data folder. It is unique on this machine, because one process at a time opens a folder.
#[cfg(feature = "postgres")]
fn default_node_name(folder: &DataFolder) -> Result<String, ServerError> {
    let of_system =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    let variable = |name| std::env::var(name).ok();
    let host = of_system.or_else(|| variable("HOSTNAME")).or_else(|| variable("COMPUTERNAME"));
    let host = host.filter(|host| !host.trim().is_empty()).ok_or(ServerError::NodeName)?;
    let path = folder.path().canonicalize().map_err(|error| folder.unusable(error))?;
    Ok(format!("{}:{}", host.trim(), path.display()))
}
