//! Every golden file belongs to a test that compares it.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|found| found == extension));
    files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_expected_compile_error_has_its_source() {
    let sources = names("tests/ui/fail", "rs");
    for name in names("tests/ui/fail", "stderr") {
        assert!(sources.contains(&name), "no test compares tests/ui/fail/{name}.stderr");
    }
}

#[test]
fn every_expected_expansion_has_its_case() {
    let cases = fs::read_to_string(root().join("imperal-macros/src/golden_tests.rs")).unwrap();
    for name in names("imperal-macros/golden", "rs") {
        assert!(cases.contains(&format!("\"{name}\"")), "no test compares imperal-macros/golden/{name}.rs");
    }
}

#[test]
fn every_recording_is_replayed() {
    let guide = fs::read_to_string(root().join("tests/guide/main.rs")).unwrap();
    for name in names("tests/recordings", "json") {
        assert!(guide.contains(&format!("recordings/{name}.json")), "no test replays tests/recordings/{name}.json");
    }
}

#[test]
fn page_on_operations_embeds_the_server_as_the_crate_documents_it() {
    let module = include_str!("../../imperal/src/server/mod.rs");
    let docs =
        module.lines().map_while(|line| line.strip_prefix("//!").map(|line| line.strip_prefix(' ').unwrap_or(line)));
    let code: Vec<&str> =
        docs.skip_while(|line| *line != "```no_run").skip(1).take_while(|line| *line != "```").collect();
    let example = code.join("\n");
    assert!(code.len() > 15, "the module's example: {example}");
    let page = include_str!("../../docs/operations.md");
    assert!(page.contains(&example), "docs/operations.md has another example than imperal::server:\n{example}");
}
