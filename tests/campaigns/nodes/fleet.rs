//! The nodes of one database and their current addresses.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::Dice;
use crate::cluster::Database;
use crate::collector::Collector;
use crate::proxy::Proxy;
use crate::{Node, NodeOptions};

/// The lease of the nodes, in seconds.
pub const LEASE: u64 = 3;

/// The nodes of one database.
#[derive(Debug)]
pub struct Fleet {
    /// The database that they share.
    pub database: Database,
    folder: TempDir,
    options: Vec<NodeOptions>,
    /// By node, its proxy to the database.
    ways: Vec<Proxy>,
    /// By node, its address; absent while it does not listen.
    urls: Mutex<Vec<Option<String>>>,
}

impl Fleet {
    /// Creates a database and the options of this many nodes, each with its own proxy to the database and with
    /// logs and data in a temporary folder.
    ///
    /// # Panics
    /// When the folder cannot be created.
    pub async fn make(database: &str, binary: &Path, nodes: usize) -> Self {
        let database = Database::make(database).await;
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut ways = Vec::new();
        let mut all = Vec::new();
        for number in 0..nodes {
            let way = Proxy::before(&database.url()).await;
            let mut options = NodeOptions::new(binary, folder.path().join(format!("data-{number}")));
            options.args.extend(["--lease".to_owned(), LEASE.to_string()]);
            options.args.extend(["--node".to_owned(), name(number)]);
            options
                .args
                .extend(["--files-url".to_owned(), format!("file://{}", folder.path().join("files").display())]);
            options.env.push(("IMPERAL_DATABASE_URL".to_owned(), way.url()));
            options.log = Some(folder.path().join(format!("log-{number}")));
            ways.push(way);
            all.push(options);
        }
        Self { database, folder, options: all, ways, urls: Mutex::new(vec![None; nodes]) }
    }

    /// Makes all nodes send their spans to this collector.
    #[must_use]
    pub fn traced(mut self, collector: &Collector) -> Self {
        for options in &mut self.options {
            options.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.url.clone()));
            options.env.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "100".to_owned()));
        }
        self
    }

    /// A node's proxy to the database.
    pub fn way(&self, number: usize) -> &Proxy {
        &self.ways[number]
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether the fleet has no nodes.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// The options of a node.
    pub fn options(&self, number: usize) -> &NodeOptions {
        &self.options[number]
    }

    /// The options of a node, to change them before its next start.
    pub fn options_mut(&mut self, number: usize) -> &mut NodeOptions {
        &mut self.options[number]
    }

    /// Starts a node and records its address.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&self, number: usize) -> Node {
        let node = self.options[number].start().await;
        self.is_at(number, Some(node.url.clone()));
        node
    }

    /// Starts all nodes.
    pub async fn start_all(&self) -> Vec<Node> {
        futures_util::future::join_all((0..self.len()).map(|number| self.start(number))).await
    }

    /// Starts a node with a further environment variable; `None` when it ends before it listens.
    pub(crate) async fn try_start(&self, number: usize, env: Option<(String, String)>) -> Option<Node> {
        let mut options = self.options[number].clone();
        options.env.extend(env);
        let node = options.try_start().await?;
        self.is_at(number, Some(node.url.clone()));
        Some(node)
    }

    /// Records a node's address.
    pub(crate) fn is_at(&self, number: usize, url: Option<String>) {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)[number] = url;
    }

    /// The address of a random node among those that listen.
    pub(crate) fn any(&self, dice: &mut Dice) -> Option<String> {
        let urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        let there: Vec<&String> = urls.iter().flatten().collect();
        dice.one_of(&there).map(|url| (*url).clone())
    }

    /// The folder of the files of all nodes.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// A node's log.
    pub fn log(&self, number: usize) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("log-{number}"))).unwrap_or_default()
    }
}

/// A node's name in the ledger.
pub(crate) fn name(number: usize) -> String {
    format!("node-{number}")
}
