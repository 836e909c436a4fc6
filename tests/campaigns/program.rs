//! The parts that the programs `crash` and `nodes` share: choices from a seed, output, exit codes.

use std::fmt::Display;
use std::process::ExitCode;

use crate::seed_of_the_time;

/// The option of a program whose choices can be repeated.
#[derive(Debug, clap::Args)]
pub struct SeedOption {
    /// Repeats the choices of an earlier campaign. Default: the time.
    #[arg(long, env = "IMPERAL_TEST_SEED")]
    seed: Option<u64>,
}

impl SeedOption {
    /// The seed of this run. It is printed first, so that a run that hangs can be repeated too.
    pub fn announced(&self) -> u64 {
        let seed = self.seed.unwrap_or_else(seed_of_the_time);
        eprintln!("seed {seed}");
        seed
    }
}

/// Prints the report. A broken promise is exit code 1.
pub fn conclude(report: &impl Display, violations: u64) -> ExitCode {
    println!("{report}");
    ExitCode::from(u8::from(violations > 0))
}
