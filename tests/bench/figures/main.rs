//! What the platform costs: `cargo bench -p imperal-tests --bench figures [-- SECTION ..]`
//!
//! Prints rows of the tables of BENCHMARKS.md. Each figure that depends on the disk or the machine
//! is a ratio to something measured in the same run, with the sides in turn. It asserts no figure,
//! only that the work was done. `tests/run` runs each section with the least work, so that none rots.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has no figure")]
#![allow(deprecated, reason = "a bench's functions answer without a data_model")]

mod cancel;
mod dispatch;
mod documents;
mod durable;
mod functions;
mod load;
mod mcp;
mod parked;
mod recovery;
mod sample;
mod steps;
mod streams;
mod waiting;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use sample::Table;

/// Amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Enough for a figure.
    Full,
    /// Enough to see that the section works.
    Smoke,
}

impl Size {
    /// `full` or `smoke`, by the size.
    fn of(self, full: usize, smoke: usize) -> usize {
        if self == Self::Full { full } else { smoke }
    }
}

/// A group of figures: one table of BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Acknowledged work on disk, compared with bare SQLite commits.
    Durable,
    /// Steps of durable tasks on disk, compared with bare SQLite commits.
    Steps,
    /// Queries and writes of documents, in a file.
    Documents,
    /// A call in memory, compared with the reference SDK.
    Dispatch,
    /// Memory of tasks that wait.
    Parked,
    /// Durable tasks that wait for a time, in the file.
    Waiting,
    /// Live streams.
    Streams,
    /// Start on the file of a killed process.
    Recovery,
    /// Each step of a cancel.
    Cancel,
    /// A tool call of an MCP client, compared with `rmcp` alone and with `FastMCP`.
    Mcp,
    /// A thousand users of one node for ten minutes. Measured in full only by its name.
    Load,
}

/// Costs of the platform, as rows of the tables of BENCHMARKS.md.
#[derive(Parser)]
#[command(name = "figures")]
struct Options {
    /// Sections to run. Default: all but `load`.
    sections: Vec<Section>,
    /// Measure in full, as `cargo bench` asks. Without it each section runs once with the least work.
    #[arg(long)]
    bench: bool,
    /// Folder for the files of the sections `durable`, `steps`, `documents` and `mcp`.
    #[arg(long, env = "BENCH_FOLDER", default_value = ".")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() {
    // For the clients of sections that start no platform in this process before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options::parse();
    let size = if options.bench { Size::Full } else { Size::Smoke };
    if size == Size::Full {
        println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    }
    for section in Section::value_variants() {
        let by_default = options.sections.is_empty() && (size == Size::Smoke || *section != Section::Load);
        if !by_default && !options.sections.contains(section) {
            continue;
        }
        let mut table = Table::default();
        match section {
            Section::Durable => durable::run(size, &options.folder, &mut table).await,
            Section::Steps => steps::run(size, &options.folder, &mut table).await,
            Section::Documents => documents::run(size, &options.folder, &mut table).await,
            Section::Dispatch => dispatch::run(size, &mut table).await,
            Section::Parked => parked::run(size, &mut table).await,
            Section::Waiting => waiting::run(size, &options.folder, &mut table).await,
            Section::Streams => streams::run(size, &mut table).await,
            Section::Recovery => recovery::run(size, &mut table).await,
            Section::Cancel => cancel::run(size, &mut table).await,
            Section::Mcp => mcp::run(size, &options.folder, &mut table).await,
            Section::Load => load::run(size, &mut table).await,
        }
        if size == Size::Full {
            println!("\n## {}\n\n{table}", format!("{section:?}").to_lowercase());
        }
    }
}
