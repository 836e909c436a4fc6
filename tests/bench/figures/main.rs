//! What the platform costs. `cargo bench -p imperal-tests --bench figures [-- SECTION ..]`
//!
//! Prints rows of the tables of BENCHMARKS.md. Each figure that depends on the disk or the machine
//! is a ratio to something measured in the same run, sides taking turns. Nothing is asserted but
//! that the work was done. Without `--bench` (as `cargo test --all-targets` starts it) each section
//! runs once with next to nothing to do, so that it cannot rot.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]
#![allow(deprecated, reason = "a bench's functions answer without a data_model")]

mod cancel;
mod dispatch;
mod durable;
mod functions;
mod parked;
mod recovery;
mod sample;
mod streams;

use sample::Table;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Enough for a figure.
    Full,
    /// Enough to see that it runs.
    Smoke,
}

impl Size {
    /// `full` of something, or next to nothing.
    fn of(self, full: usize, smoke: usize) -> usize {
        if self == Self::Full { full } else { smoke }
    }
}

const SECTIONS: [&str; 6] = ["durable", "dispatch", "parked", "streams", "recovery", "cancel"];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = if arguments.iter().any(|a| a == "--bench") { Size::Full } else { Size::Smoke };
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| !SECTIONS.contains(name)) {
        eprintln!("there is no section `{unknown}`; there is {}", SECTIONS.join(", "));
        std::process::exit(2);
    }
    if size == Size::Full {
        println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    }
    for name in SECTIONS {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let mut table = Table::default();
        match name {
            "durable" => durable::run(size, &mut table).await,
            "dispatch" => dispatch::run(size, &mut table).await,
            "parked" => parked::run(size, &mut table).await,
            "streams" => streams::run(size, &mut table).await,
            "recovery" => recovery::run(size, &mut table).await,
            "cancel" => cancel::run(size, &mut table).await,
            _ => unreachable!("sections are listed above"),
        }
        if size == Size::Full {
            println!("\n## {name}\n\n{table}");
        }
    }
}
