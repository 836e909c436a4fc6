//! `cargo imperal new|build|validate|manifest|dev`: see `cargo imperal --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    imperal::cli::cargo::main()
}
