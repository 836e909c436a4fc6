//! `cargo imperal new`: an extension that compiles, is tested and runs.
//!
//! Owns the files of the scaffold (`template/`) and where the new crate takes imperal from.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::exit::{CliError, Exit};
use super::super::out;

/// Each file and its text, in which `{{app_id}}` and the like are filled in.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("src/main.rs", include_str!("template/main.rs.txt")),
    ("icon.svg", include_str!("template/icon.svg.txt")),
    ("imperal.json", include_str!("template/imperal.json.txt")),
    (".gitignore", include_str!("template/gitignore.txt")),
];

/// Words that cannot be the name of a crate.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "imperal",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Makes the folder and says what to do next.
pub(super) fn scaffold(name: &str, path: Option<&Path>) -> Result<Exit, CliError> {
    check_name(name)?;
    let folder = std::env::current_dir()?.join(name);
    if folder.exists() {
        return Err(CliError::new(format!("{} is there already: choose another name", folder.display())));
    }
    let imperal = dependency(&folder, path)?;
    let mut workspace = String::new();
    if let Some(outer) = folder.ancestors().skip(1).find(|above| is_workspace(above)) {
        workspace = format!("\n# Stands alone inside the workspace of {}.\n[workspace]\n", shown(outer));
    }
    fs::create_dir_all(folder.join("src"))?;
    for (file, text) in FILES {
        let mut text = text
            .replace("{{app_id}}", name)
            .replace("{{tool_name}}", &name.replace('-', "_"))
            .replace("{{title}}", &title(name))
            .replace("{{imperal}}", &imperal)
            .replace("{{imperal_testing}}", &with_testing(&imperal));
        if *file == "Cargo.toml" {
            text.push_str(&workspace);
        }
        if *file == "imperal.json" {
            text.truncate(text.trim_end().len());
        }
        fs::write(folder.join(file), text)?;
    }
    out::print_line(&format!(
        "Started `{name}` in {}\n\n  cd {name}\n  cargo test               # its functions and its manifest\n  cargo imperal dev        # the platform and its chat page; builds again after each change\n  cargo imperal build      # after a change: writes imperal.json\n  cargo imperal validate   # every rule",
        folder.display()
    ));
    Ok(Exit::Success)
}

fn check_name(name: &str) -> Result<(), CliError> {
    let bytes = name.as_bytes();
    let form = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    let ends = bytes.first().is_some_and(u8::is_ascii_lowercase) && !name.ends_with('-');
    if !form || !ends || !(2..=40).contains(&name.len()) {
        return Err(CliError::new(format!(
            "`{name}` cannot be the id of an extension: use 2 to 40 lower-case letters, digits and `-`, a letter first and no `-` at the end"
        )));
    }
    if TAKEN.contains(&name) {
        return Err(CliError::new(format!(
            "`{name}` cannot be the name of a crate: choose another, `my-{name}` for example"
        )));
    }
    Ok(())
}

/// `page-speed` as `Page speed`; a name is more than the id.
fn title(name: &str) -> String {
    let words = name.replace('-', " ");
    let (first, rest) = words.split_at(1);
    let title = format!("{}{rest}", first.to_uppercase());
    if title.len() < 3 { format!("{title} extension") } else { title }
}

/// The same line with the feature that tests need.
fn with_testing(line: &str) -> String {
    let table = match line.strip_suffix(" }") {
        Some(table) => table.to_owned(),
        None => line.replacen("= ", "= { version = ", 1),
    };
    format!("{table}, features = [\"testing\"] }}")
}

/// The line of Cargo.toml that names imperal: the folder given, the checkout that this command was
/// compiled from while it is there, or the release.
fn dependency(folder: &Path, path: Option<&Path>) -> Result<String, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let compiled_from = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let from_registry = compiled_from.components().any(|part| part.as_os_str() == "registry");
    let path = match path {
        Some(path) => {
            let seen_from_there = folder.parent().map(|parent| within(parent, folder, path)).unwrap_or_default();
            if is_imperal(&seen_from_there.join("imperal")) {
                // The checkout was named; the crate is inside it.
                path.join("imperal")
            } else if is_imperal(&seen_from_there) {
                path.to_owned()
            } else {
                return Err(CliError::new(format!(
                    "there is no imperal in {}: `--path` is seen from the new folder, `../imperal` for a neighbour of it",
                    path.display()
                )));
            }
        }
        None if !from_registry && compiled_from.join("Cargo.toml").is_file() => compiled_from,
        None => return Ok(format!("imperal = \"{version}\"")),
    };
    Ok(format!("imperal = {{ version = \"{version}\", path = \"{}\" }}", shown(&path)))
}

fn is_imperal(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"imperal\""))
}

/// A path seen from a folder that is not there yet: its first `..` is the folder's parent.
fn within(parent: &Path, folder: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("..") {
        Ok(rest) => parent.join(rest),
        Err(_) => folder.join(path),
    }
}

/// As TOML writes it, on every system.
fn shown(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

fn is_workspace(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.starts_with("[workspace")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dev_dependency_is_the_dependency_with_testing() {
        let testing = "features = [\"testing\"] }";
        assert_eq!(with_testing("imperal = \"0.1.0\""), format!("imperal = {{ version = \"0.1.0\", {testing}"));
        let with_path = "imperal = { version = \"0.1.0\", path = \"../imperal\"";
        assert_eq!(with_testing(&format!("{with_path} }}")), format!("{with_path}, {testing}"));
    }

    #[test]
    fn names_that_no_crate_can_have_are_refused_with_the_way_out() {
        for good in ["hello", "page-speed", "a1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "Hello", "1a", "a_b", "a-", "../x", "test", "async", "imperal"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_title_is_for_people() {
        assert_eq!(title("page-speed"), "Page speed");
        assert_eq!(title("ab"), "Ab extension");
    }
}
