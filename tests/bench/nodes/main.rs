//! Costs and gains of several nodes on one PostgreSQL. It prints figures and asserts none; ratios
//! are taken within one run.
//!
//!     cargo build --release -p imperal-tests --bin probe --bin nodes-bench
//!     target/release/nodes-bench --help
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has no figure")]

mod ledger;
mod scale;
mod share;
mod steps;
mod trips;
mod waits;
mod words;

use clap::{Parser, Subcommand};
use imperal_tests::campaigns::nodes::LEASE;
use imperal_tests::cluster::Database;
use imperal_tests::{Node, NodeOptions, sibling};
use tempfile::TempDir;

/// Measures nodes on one PostgreSQL. Without a command it runs trips, steps, stream, cancel, recovery and scale.
///
/// Uses the server that `IMPERAL_TEST_DATABASE_URL` names, or starts one.
#[derive(Parser)]
#[command(name = "nodes-bench")]
struct Options {
    #[command(subcommand)]
    section: Option<Section>,
}

#[derive(Subcommand)]
enum Section {
    /// Transactions a call.
    Trips,
    /// Time from a call to its reply on a stream of the same node and of another node.
    Stream,
    /// Time from a cancel on one node to the end of the task on another.
    Cancel,
    /// Time from SIGKILL to the outcome turn on another node, and until thousands of tasks have ended.
    Recovery,
    /// Calls a second with 1, 2 and 4 nodes.
    Scale {
        /// Share of a core for each node, in percent; needs root. Default: no limit.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
        percent: Option<u32>,
    },
    /// Steps of durable tasks a second, and the time of one.
    Steps,
    /// Processor time of drafts and of progress, on one node with SQLite.
    Words,
    /// The ledger's side of the comparison in `tests/bench/queue`.
    Ledger {
        /// Address of the database.
        url: String,
        /// Callers at once.
        #[arg(default_value_t = 16)]
        callers: usize,
        /// Calls of each caller a round.
        #[arg(default_value_t = 16)]
        each: usize,
    },
}

struct Fleet {
    nodes: Vec<Node>,
    _data: Vec<TempDir>,
    database: Database,
}

async fn nodes(name: &str, count: usize) -> Fleet {
    let database = Database::make(name).await;
    let mut nodes = Vec::new();
    let mut folders = Vec::new();
    for _ in 0..count {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(sibling("probe"), folder.path().join("data"));
        options.args.extend(["--lease".to_owned(), LEASE.to_string()]);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
        options.env.push(("RUST_LOG".to_owned(), "error".to_owned()));
        nodes.push(options.start().await);
        folders.push(folder);
    }
    Fleet { nodes, _data: folders, database }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn rate(count: usize, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / seconds
}

#[tokio::main]
async fn main() {
    match Options::parse().section {
        Some(Section::Trips) => trips::trips().await,
        Some(Section::Steps) => steps::steps().await,
        Some(Section::Words) => words::words().await,
        Some(Section::Stream) => waits::stream().await,
        Some(Section::Cancel) => waits::cancel().await,
        Some(Section::Recovery) => {
            waits::recovery().await;
            waits::left_behind().await;
        }
        Some(Section::Scale { percent }) => scale::scale(percent).await,
        Some(Section::Ledger { url, callers, each }) => ledger::run(&url, callers, each).await,
        None => {
            trips::trips().await;
            steps::steps().await;
            waits::stream().await;
            waits::cancel().await;
            waits::recovery().await;
            waits::left_behind().await;
            scale::scale(None).await;
        }
    }
}
