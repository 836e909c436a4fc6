//! Kills the platform as often as told and judges its ledger after each kill.
//!
//!     cargo run -p imperal-tests --bin crash -- --kills 1000 --seed 7
//!
//! Prints its seed and a table; exits with 1 when a promise was broken, and keeps that folder.

use std::process::ExitCode;

use imperal_tests::campaigns::crash::Campaign;
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
        kills: number("--kills").unwrap_or(100),
        seed: number("--seed").unwrap_or(now),
        talkative: true,
    };
    eprintln!("seed {}", campaign.seed);
    let report = campaign.run().await;
    println!("{report}");
    ExitCode::from(u8::from(report.violations() > 0))
}
