//! A campaign of any length against several nodes on one PostgreSQL.
//!
//!     cargo run -p imperal-tests --bin nodes -- --nodes 3 --tasks 10000 --users 100 --seed 7

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use imperal_tests::campaigns::nodes::Campaign;
use imperal_tests::campaigns::program::{SeedOption, conclude};
use imperal_tests::sibling;

/// Runs background tasks on several nodes of one PostgreSQL while it kills and stops the nodes, and
/// judges their ledger.
///
/// Prints its seed and a table. Exits with 1 when a promise was broken. Uses the server that
/// `IMPERAL_TEST_DATABASE_URL` names, or starts one.
#[derive(Parser)]
#[command(name = "nodes")]
struct Options {
    /// Nodes at once, at least two.
    #[arg(long, default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    nodes: usize,
    /// Users at once.
    #[arg(long, default_value_t = 20, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    users: u64,
    /// Tasks of all users together.
    #[arg(long, default_value_t = 500)]
    tasks: u64,
    /// Longest time between two faults of a node, in seconds.
    #[arg(long, default_value_t = 3)]
    calm: u64,
    #[command(flatten)]
    seed: SeedOption,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let campaign = Campaign {
        binary: sibling("probe"),
        nodes: options.nodes,
        users: options.users,
        tasks: options.tasks,
        calm: Duration::from_secs(options.calm),
        seed: options.seed.announced(),
        talkative: true,
    };
    let report = campaign.run().await;
    conclude(&report, report.violations())
}
