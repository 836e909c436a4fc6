//! `cargo imperal` in a crate with several binaries, and in a workspace with several crates.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{PROBE, text};

fn imperal(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(imperal_tests::sibling("cargo-imperal"));
    command.arg("imperal").args(args).current_dir(folder).env("IMPERAL_DATA_DIR", folder.join("data"));
    // As a person's shell starts it, without cargo's variables.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

/// A package with these binaries, which compile at once; the binary named `probe` becomes the probe. It
/// depends on an empty crate named imperal.
fn package(folder: &Path, name: &str, bins: &[&str]) {
    let own = folder.join(name);
    fs::create_dir_all(own.join("src/bin")).unwrap();
    fs::create_dir_all(folder.join("imperal/src")).unwrap();
    fs::write(folder.join("imperal/src/lib.rs"), "").unwrap();
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{rest}")
    };
    fs::write(folder.join("imperal/Cargo.toml"), manifest("imperal", "")).unwrap();
    let dependency = "[dependencies]\nimperal = { path = \"../imperal\" }\n";
    fs::write(own.join("Cargo.toml"), manifest(name, dependency)).unwrap();
    fs::write(own.join("imperal.json"), r#"{"tools": [{"name": "greet"}]}"#).unwrap();
    for bin in bins {
        let source = if *bin == "probe" {
            format!(
                "use std::os::unix::process::CommandExt;\nfn main() {{\n    let args = std::env::args_os().skip(1);\n    \
                 panic!(\"{{}}\", std::process::Command::new({PROBE:?}).args(args).exec());\n}}\n"
            )
        } else {
            "fn main() { panic!(\"not the extension\") }\n".to_owned()
        };
        fs::write(own.join(format!("src/bin/{bin}.rs")), source).unwrap();
    }
}

fn workspace(folder: &Path, members: &[&str]) {
    fs::write(folder.join("Cargo.toml"), format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n")).unwrap();
}

#[test]
fn extension_is_found_among_binaries_and_from_a_workspace_root() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    workspace(folder, &["imperal", "probe"]);
    package(folder, "probe", &["probe", "other"]);
    for here in [folder.join("probe"), folder.to_owned()] {
        let output = imperal(&here, &["call", "echo", "text=found"]);
        let shown = text(&output.stdout);
        assert!(output.status.success() && shown.contains("found"), "{shown}{}", text(&output.stderr));
    }
    let output = imperal(folder, &["greet"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("did you mean `cargo imperal call greet`?"), "{said}");
    let said = text(&imperal(folder, &["gret"]).stderr);
    assert!(said.contains("did you mean `cargo imperal call greet`?"), "{said}");
    let said = text(&imperal(folder, &["cal"]).stderr);
    assert!(said.contains("did you mean `call`?"), "{said}");
}

#[test]
fn several_extensions_give_an_error_with_working_commands() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    workspace(folder, &["imperal", "one", "two"]);
    package(folder, "one", &["other", "probe"]);
    package(folder, "two", &["two"]);
    for (args, lists) in [
        (&["tasks"][..], "cargo imperal -p one COMMAND\n  cargo imperal -p two COMMAND"),
        (&["dev", "--once"], "cargo imperal -p one COMMAND\n  cargo imperal -p two COMMAND"),
        (&["-p", "one", "build"], "cargo imperal --bin other COMMAND\n  cargo imperal --bin probe COMMAND"),
        (&["--bin", "prob", "tasks"], "did you mean `probe`?"),
    ] {
        let output = imperal(folder, args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(lists), "{args:?}: {said}");
    }
    let output = imperal(folder, &["--bin", "probe", "call", "echo", "text=chosen"]);
    assert!(text(&output.stdout).contains("chosen"), "{}", text(&output.stderr));
}

/// `cargo imperal` knows the names of the extension's commands, so that a slip needs no compiler run.
#[test]
fn knows_the_commands_of_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let commands = |output: &Output| -> Vec<String> {
        let said = text(&output.stderr);
        let list = said.split("there is no command `x-y-z`; there is ").nth(1).unwrap_or_else(|| panic!("{said}"));
        list.lines().next().unwrap().split(", ").map(str::to_owned).collect()
    };
    let mut of_binary = commands(&Command::new(PROBE).args(["help", "x-y-z"]).output().unwrap());
    of_binary.push("new".to_owned());
    assert_eq!(commands(&imperal(folder.path(), &["x-y-z"])), of_binary);
}
