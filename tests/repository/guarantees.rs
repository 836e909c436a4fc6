//! The tests that `docs/guarantees.md` names exist, and its promises are in order.
//!
//! A name is a suite, with modules and tests behind `::`, or a single module or test. Files of the browser suite
//! have their file names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names of modules, fns and files under a folder.
fn names_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "node_modules"].contains(&name) {
                found.insert(name.to_owned());
                names_below(&path, found);
            }
            continue;
        }
        found.insert(name.to_owned());
        if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
            let code = fs::read_to_string(&path).unwrap();
            let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let named = words.windows(2).filter(|pair| ["fn", "mod"].contains(&pair[0]));
            found.extend(named.map(|pair| pair[1].to_owned()));
        }
    }
}

/// Whether a test, a module of tests or a suite has this name.
fn exists(name: &str, all: &BTreeSet<String>) -> bool {
    let Some((suite, rest)) = name.split_once("::") else { return all.contains(name) };
    let folder = repository().join("tests").join(suite);
    let mut inside = BTreeSet::new();
    if folder.join("main.rs").is_file() {
        names_below(&folder, &mut inside);
    }
    rest.split("::").all(|part| inside.contains(part))
}

/// The cells of each row of the tables whose last column has this heading.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut wanted = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else {
            wanted &= line.starts_with("|-");
            continue;
        };
        let cells: Vec<String> = row.split(" | ").map(|cell| cell.trim().to_owned()).collect();
        if cells.last().is_some_and(|last| last == heading) {
            wanted = true;
        } else if wanted {
            rows.push(cells);
        }
    }
    rows
}

/// The texts in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let mut all = BTreeSet::new();
    for folder in ["tests", "imperal/src", "examples"] {
        names_below(&repository().join(folder), &mut all);
    }
    let page = fs::read_to_string(repository().join("docs/guarantees.md")).unwrap();
    let mut missing = Vec::new();
    let mut count = 0;
    for heading in ["tried by", "found by"] {
        let rows = rows(&page, heading);
        assert!(rows.len() > 15, "{} rows under `{heading}`", rows.len());
        for cells in rows {
            for name in quoted(cells.last().unwrap()) {
                count += 1;
                if !exists(name, &all) {
                    missing.push(format!("{}: `{name}`", cells[0]));
                }
            }
        }
    }
    assert!(count > 100, "{count} names");
    assert!(missing.is_empty(), "no test has these names:\n{}", missing.join("\n"));
    for wrong in ["durable::no_such_test", "no_suite::steps", "no_such_test"] {
        assert!(!exists(wrong, &all), "{wrong}");
    }
}

#[test]
fn every_promise_has_a_row_with_a_test() {
    let page = fs::read_to_string(repository().join("docs/guarantees.md")).unwrap();
    let rows = rows(&page, "tried by");
    let number = |cells: &[String]| cells[0].strip_prefix('P').unwrap().parse::<u32>().unwrap();
    let numbers: Vec<u32> = rows.iter().map(|cells| number(cells)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    for cells in &rows {
        assert_eq!(cells.len(), 4, "{cells:?}");
        assert!(quoted(&cells[3]).next().is_some() || cells[3].contains("crash campaign"), "{} has no test", cells[0]);
    }
}
