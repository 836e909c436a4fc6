//! The FAQ names the versions of SQLite's crates that Cargo.lock has.

use std::path::Path;

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

fn locked(name: &str) -> String {
    let lock = file("Cargo.lock");
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
    package.split('"').next().unwrap().to_owned()
}

#[test]
fn faq_names_the_locked_versions_of_sqlite() {
    let page = file("docs/faq.md");
    let rusqlite = locked("rusqlite");
    for text in [
        format!("imperal uses rusqlite {rusqlite},"),
        format!("rusqlite = \"{rusqlite}\""),
        format!("libsqlite3-sys {}.", locked("libsqlite3-sys")),
    ] {
        assert!(page.contains(&text), "docs/faq.md does not say: {text}");
    }
}
