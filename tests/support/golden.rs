//! Golden files: expected texts that a test compares with and, when asked, writes.

use std::path::Path;

/// Whether `UPDATE_GOLDEN` asks for golden files to be written. Empty and `0` do not.
pub fn updating_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Compares `text` with the golden file `path`, which is relative to `tests/`. With `UPDATE_GOLDEN=1`
/// it writes the file instead.
///
/// # Panics
/// When the file differs or cannot be read or written.
pub fn golden(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if updating_golden() {
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        return;
    }
    let expected =
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
    assert!(
        text == expected,
        "tests/{path} is not current; run the test with UPDATE_GOLDEN=1 and read the difference. The text is now:\n{text}"
    );
}
