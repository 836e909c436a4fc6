//! The page of options is the command line's own.

use std::collections::BTreeMap;
use std::process::Command;

/// Options of a command with their environment names, as its help says them.
fn options(command: &str) -> BTreeMap<String, String> {
    let help = Command::new(env!("CARGO_BIN_EXE_probe")).args([command, "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // A line begins an option or goes on with the one before it.
    let mut said: Vec<String> = Vec::new();
    for line in help.lines().map(str::trim) {
        match (line.strip_prefix("--"), said.last_mut()) {
            (Some(option), _) => said.push(option.to_owned()),
            (None, Some(option)) => option.extend([" ", line]),
            (None, None) => {}
        }
    }
    let read = |option: &String| {
        let (_, env) = option.split_once("[env: ")?;
        Some((option.split(' ').next()?.to_owned(), env.split(['=', ']']).next()?.to_owned()))
    };
    said.iter().filter_map(read).collect()
}

#[test]
fn every_option_of_serve_is_in_the_table_and_nothing_else_is() {
    let page = super::file("docs/operations.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `--")?.split_once('`'));
    let table: BTreeMap<String, String> = rows
        .map(|(option, rest)| {
            let env = rest.split('`').nth(1).unwrap_or_default();
            (option.split(' ').next().unwrap().to_owned(), env.to_owned())
        })
        .collect();
    let options = options("serve");
    assert!(options.len() > 15, "{options:?}");
    assert_eq!(table, options, "docs/operations.md (left) is not what `serve --help` says (right)");
}

/// What is read from the environment alone is there as well.
#[test]
fn every_environment_name_is_on_the_page() {
    let page = super::file("docs/operations.md");
    for name in ["IMPERAL_JWT_SECRET", "IMPERAL_SERVICE_TOKEN", "IMPERAL_TOKEN", "RUST_LOG"] {
        assert!(page.contains(&format!("`{name}`")), "{name} is missing");
    }
}
