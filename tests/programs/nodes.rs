//! Runs background tasks on several nodes of one PostgreSQL while these are killed and stopped, and
//! judges their ledger.
//!
//!     cargo run -p imperal-tests --bin nodes -- --nodes 3 --tasks 10000 --users 100 --seed 7
//!
//! `--calm SECONDS`, 3 unless given, is the longest time between two fates of a node. Prints its seed
//! and a table; exits with 1 when a promise was broken. Takes the server that
//! `IMPERAL_TEST_DATABASE_URL` names, or starts one of its own.

use std::process::ExitCode;
use std::time::Duration;

use imperal_tests::campaigns::nodes::Campaign;
use imperal_tests::sibling;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let campaign = Campaign {
        binary: sibling(&arguments[0], "probe"),
        nodes: number("--nodes").and_then(|nodes| nodes.try_into().ok()).unwrap_or(3).max(2),
        users: number("--users").unwrap_or(20).max(1),
        tasks: number("--tasks").unwrap_or(500),
        calm: Duration::from_secs(number("--calm").unwrap_or(3)),
        seed: number("--seed").unwrap_or(now),
        talkative: true,
    };
    eprintln!("seed {}", campaign.seed);
    let report = campaign.run().await;
    println!("{report}");
    ExitCode::from(u8::from(report.violations() > 0))
}
