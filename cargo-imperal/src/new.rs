//! `new`: an extension that compiles, is tested and runs.
//!
//! Owns the files of the scaffold (`template/`), and where the new crate takes imperal from.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::output;

/// Each file and its text, with placeholders such as `{{app_id}}`.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../template/Cargo.toml.txt")),
    ("src/main.rs", include_str!("../template/main.rs.txt")),
    ("icon.svg", include_str!("../template/icon.svg.txt")),
    ("imperal.json", include_str!("../template/imperal.json.txt")),
    (".gitignore", include_str!("../template/gitignore.txt")),
];

/// Names that a crate cannot have: keywords, crates of the toolchain, dependencies of the scaffold.
const RESERVED_NAMES: &[&str] = &[
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

/// Makes the folder and prints what to do next.
pub(crate) fn create_extension(name: &str, path: Option<&Path>) -> Result<(), CommandError> {
    check_name(name)?;
    let folder = std::env::current_dir()?.join(name);
    if folder.exists() {
        return Err(CommandError::new(format!("{} exists already: choose another name", folder.display())));
    }
    let imperal = imperal_dependency(&folder, path)?;
    let mut own_workspace = String::new();
    if let Some(outer) = folder.ancestors().skip(1).find(|above| is_workspace(above)) {
        own_workspace = format!("\n# Not a member of the workspace in {}.\n[workspace]\n", toml_path(outer));
    }
    fs::create_dir_all(folder.join("src"))?;
    for (file, text) in FILES {
        let mut text = text
            .replace("{{app_id}}", name)
            .replace("{{tool_name}}", &name.replace('-', "_"))
            .replace("{{title}}", &title(name))
            .replace("{{imperal}}", &imperal);
        if *file == "Cargo.toml" {
            text.push_str(&own_workspace);
        }
        if *file == "imperal.json" {
            // `build` writes no newline at the end either.
            text.truncate(text.trim_end().len());
        }
        fs::write(folder.join(file), text)?;
    }
    output::print_line(&format!(
        "Started `{name}` in {}\n\n  cd {name}\n  cargo test               # its functions and its manifest\n  cargo imperal dev        # the platform and its chat page; builds again after each change\n  cargo imperal build      # after a change: writes imperal.json\n  cargo imperal validate   # every rule",
        folder.display()
    ));
    Ok(())
}

fn check_name(name: &str) -> Result<(), CommandError> {
    let bytes = name.as_bytes();
    let has_valid_characters = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    let has_valid_ends = bytes.first().is_some_and(u8::is_ascii_lowercase) && !name.ends_with('-');
    if !has_valid_characters || !has_valid_ends || !(2..=40).contains(&name.len()) {
        return Err(CommandError::new(format!(
            "`{name}` cannot be the id of an extension: use 2 to 40 lower-case letters, digits and `-`, a letter first and no `-` at the end"
        )));
    }
    if RESERVED_NAMES.contains(&name) {
        return Err(CommandError::new(format!(
            "`{name}` cannot be the name of a crate: choose another, `my-{name}` for example"
        )));
    }
    Ok(())
}

/// The extension's name for people: `Page speed` for `page-speed`. At least 3 characters, as the manifest needs.
fn title(name: &str) -> String {
    let words = name.replace('-', " ");
    let (first, rest) = words.split_at(1);
    let title = format!("{}{rest}", first.to_uppercase());
    if title.len() < 3 { format!("{title} extension") } else { title }
}

/// The line of Cargo.toml that names imperal. It takes the given folder, or the checkout that this command was
/// compiled from while that exists, or the release.
fn imperal_dependency(folder: &Path, path: Option<&Path>) -> Result<String, CommandError> {
    let version = env!("CARGO_PKG_VERSION");
    let path = match path {
        Some(path) => {
            let resolved = folder.parent().map(|parent| resolve_from(parent, folder, path)).unwrap_or_default();
            if is_imperal(&resolved.join("imperal")) {
                // The path names a checkout; the crate is inside it.
                path.join("imperal")
            } else if is_imperal(&resolved) {
                path.to_owned()
            } else {
                return Err(CommandError::new(format!(
                    "there is no imperal in {}: `--path` is relative to the new folder, `../imperal` for example",
                    path.display()
                )));
            }
        }
        None => match imperal_of_this_checkout() {
            Some(path) => path,
            None => return Ok(format!("imperal = \"{version}\"")),
        },
    };
    Ok(format!("imperal = {{ version = \"{version}\", path = \"{}\" }}", toml_path(&path)))
}

/// The crate `imperal` next to the sources that this command was compiled from, unless they came from a registry.
fn imperal_of_this_checkout() -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    if sources.components().any(|part| part.as_os_str() == "registry") {
        return None;
    }
    Some(sources.parent()?.join("imperal")).filter(|folder| is_imperal(folder))
}

fn is_imperal(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"imperal\""))
}

/// A path relative to `folder`, which does not exist yet: its first `..` is the folder's parent.
fn resolve_from(parent: &Path, folder: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("..") {
        Ok(rest) => parent.join(rest),
        Err(_) => folder.join(path),
    }
}

/// A path as TOML writes it on every system.
fn toml_path(path: &Path) -> String {
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
    fn takes_imperal_from_the_checkout_it_was_compiled_from() {
        let line = imperal_dependency(Path::new("/nowhere/hello"), None).unwrap();
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(line.contains(&format!("path = \"{}\"", checkout.join("imperal").display())), "{line}");
    }

    #[test]
    fn rejects_names_that_no_crate_can_have() {
        for good in ["hello", "page-speed", "a1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "Hello", "1a", "a_b", "a-", "../x", "test", "async", "imperal"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn title_is_readable() {
        assert_eq!(title("page-speed"), "Page speed");
        assert_eq!(title("ab"), "Ab extension");
    }
}
