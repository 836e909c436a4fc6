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
