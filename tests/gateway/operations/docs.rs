//! The table of options in docs/operations.md agrees with the command line.

use std::collections::BTreeMap;
use std::process::Command;

/// The options of a command with their environment variables, from its help.
fn options(command: &str) -> BTreeMap<String, String> {
    let help = Command::new(env!("CARGO_BIN_EXE_probe")).args([command, "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // A line starts an option or continues the one before it.
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
fn table_has_exactly_the_options_of_serve() {
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

/// Variables without an option are on the page too.
#[test]
fn every_environment_variable_is_on_the_page() {
    let page = super::file("docs/operations.md");
    for name in ["IMPERAL_JWT_SECRET", "IMPERAL_SERVICE_TOKEN", "IMPERAL_TOKEN", "RUST_LOG"] {
        assert!(page.contains(&format!("`{name}`")), "{name} is missing");
    }
}
