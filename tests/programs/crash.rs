//! A campaign of any length against one process on one SQLite file.
//!
//!     cargo run -p imperal-tests --bin crash -- --kills 1000 --seed 7

use std::process::ExitCode;

use clap::Parser;
use imperal_tests::campaigns::crash::Campaign;
use imperal_tests::campaigns::program::{SeedOption, conclude};
use imperal_tests::sibling;

/// Kills the platform again and again and judges its ledger after each kill.
///
/// Prints its seed and a table. Exits with 1 when a promise was broken, and keeps that folder.
#[derive(Parser)]
#[command(name = "crash")]
struct Options {
    /// How many times the process is killed.
    #[arg(long, default_value_t = 100)]
    kills: u64,
    #[command(flatten)]
    seed: SeedOption,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let campaign =
        Campaign { binary: sibling("probe"), kills: options.kills, seed: options.seed.announced(), talkative: true };
    let report = campaign.run().await;
    conclude(&report, report.violations())
}
