//! Compile errors as authors see them: every fixture of `ui/fail` against its expected text, every
//! one of `ui/pass` built and run.

use std::fs;
use std::path::{Path, PathBuf};

/// trybuild compiles in a project of its own, and icons are looked for beside its Cargo.toml.
fn provide_icons() {
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tests/trybuild/imperal-tests");
    let icons = project.join("icons");
    fs::create_dir_all(&icons).unwrap();
    for entry in fs::read_dir(ui().join("icons")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), icons.join(entry.file_name())).unwrap();
    }
    let path = format!("<path d='{}'/>", "M0 0".repeat(30_000));
    fs::write(icons.join("large.svg"), format!("<svg viewBox='0 0 1 1'>{path}</svg>")).unwrap();
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

#[test]
fn faults() {
    provide_icons();
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}
