//! Compares manifests with the reference SDK, which runs next to the test.
//!
//! `cargo test -p imperal-tests --test reference` prints one table: schemas of types in both languages, one
//! extension in both languages, findings for broken manifests, and the manifests of the examples. It needs
//! the virtual environment of `tests/reference/setup` and fails without it. Nothing is skipped.

// Only the schemas of types and the signatures of handlers matter here.
#![allow(dead_code, clippy::unused_async, clippy::too_many_lines, clippy::unnecessary_wraps)]

mod broken;
mod corpus;
mod cron;
mod defaults;
mod examples;
mod extension;
mod python;
mod shapes;
mod speed;

use std::process::ExitCode;

pub(crate) use defaults::{
    anything, colors, greeting, half, huge, negative, opt_pair, pair, seven, some_five, tiny, weights, whole, yes,
};
use imperal::__private::{ExtensionDef, FunctionDef};

/// A function without values; its users set the fields that matter.
pub(crate) const PLAIN: FunctionDef =
    FunctionDef { description: "Takes what the reference takes.", file: file!(), ..FunctionDef::BLANK };

/// An extension without values.
pub(crate) const EXTENSION: ExtensionDef =
    ExtensionDef { manifest_dir: env!("CARGO_MANIFEST_DIR"), file: file!(), ..ExtensionDef::BLANK };

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) equal: usize,
    /// Name and reason.
    pub(crate) explained: Vec<(String, String)>,
    /// Name and difference.
    pub(crate) unexplained: Vec<(String, String)>,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        println!("reference::proof: test");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().collect();
    let names = ["reference::", "compiler::"];
    if arguments.windows(2).any(|pair| pair[0] == "--skip" && names.contains(&pair[1].as_str())) {
        println!("reference: left out, as --skip asks");
        return ExitCode::SUCCESS;
    }
    if let Err(missing) = python::environment() {
        eprintln!("{missing}");
        return ExitCode::FAILURE;
    }
    if arguments.iter().any(|argument| argument == "--speed") {
        speed::print();
        return ExitCode::SUCCESS;
    }
    let rows = [shapes::prove(), extension::prove(), broken::prove(), cron::prove(), examples::prove()];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    for row in &rows {
        for (name, reason) in &row.explained {
            println!("explained   {}: {name}: {reason}", row.what);
        }
        for (name, found) in &row.unexplained {
            println!("UNEXPLAINED {}: {name}\n{found}\n", row.what);
        }
    }
    println!(
        "\n{:<44} {:>6} {:>6} {:>10} {:>12}",
        "compared with imperal-sdk 6.3.7", "all", "equal", "explained", "unexplained"
    );
    let mut unexplained = 0;
    for row in &rows {
        let all = row.equal + row.explained.len() + row.unexplained.len();
        println!(
            "{:<44} {all:>6} {:>6} {:>10} {:>12}",
            row.what,
            row.equal,
            row.explained.len(),
            row.unexplained.len()
        );
        unexplained += row.unexplained.len();
    }
    if unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
