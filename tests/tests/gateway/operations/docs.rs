//! The page of options is the command line's own.

use std::collections::BTreeMap;
use std::process::Command;

/// Options of a command with their environment names, as its help says them.
fn options(command: &str) -> BTreeMap<String, String> {
    let help = Command::new(env!("CARGO_BIN_EXE_probe")).args([command, "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut options = BTreeMap::new();
    let mut current = None;
    for line in help.lines().map(str::trim_start) {
        let named = line.strip_prefix("-h, ").unwrap_or(line).strip_prefix("--");
        if let Some(rest) = named {
            current = rest.split([' ', ',']).next().map(str::to_owned);
        }
        if let (Some(option), Some((_, env))) = (&current, line.split_once("[env: ")) {
            options.insert(option.clone(), env.split(['=', ']']).next().unwrap().to_owned());
        }
    }
    options
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
