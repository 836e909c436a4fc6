//! The compiler's output for extensions with a mistake, and extensions that must compile.
//!
//! Each file of `ui/fail` has one mistake and its expected errors, each file of `ui/pass` must compile
//! without a warning, `ui/REPORT.md` counts the errors per mistake. After a change of a message:
//! `UPDATE_GOLDEN=1 cargo test -p imperal-tests --test ui` twice, then read the difference.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use imperal_tests::golden;

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

/// The names of the files with this ending, without it, sorted.
fn files(folder: &str, ending: &str) -> BTreeSet<String> {
    fs::read_dir(ui().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

/// Copies the icons to the project that trybuild compiles: their paths are relative to its Cargo.toml.
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

/// `tests/run` runs these tests beside the other suites, with what those leave of the processors.
mod compiler {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use imperal_tests::updating_golden;

    use super::{files, provide_icons};

    #[test]
    fn faults() {
        // trybuild has a switch of its own, and a process cannot safely set its own variables.
        if updating_golden() && std::env::var_os("TRYBUILD").is_none() {
            let mut again = Command::new(std::env::current_exe().unwrap());
            let status = again.args(["compiler::faults", "--exact"]).env("TRYBUILD", "overwrite").status().unwrap();
            assert!(status.success(), "trybuild did not write the expected texts");
            return;
        }
        provide_icons();
        trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
    }

    #[test]
    fn extensions_in_pass_compile_without_a_warning() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/pass/Cargo.toml");
        let listed: BTreeSet<String> = fs::read_to_string(&manifest)
            .unwrap()
            .lines()
            .filter_map(|line| Some(line.strip_prefix("path = \"")?.strip_suffix(".rs\"")?.to_owned()))
            .collect();
        assert_eq!(listed, files("pass", ".rs"), "every file of ui/pass is a program of its Cargo.toml");
        // Each file denies warnings.
        let check = Command::new(env!("CARGO"))
            .args(["check", "--offline", "--quiet", "--bins", "--keep-going", "--manifest-path"])
            .arg(manifest)
            .output()
            .unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    }
}

#[test]
fn the_documentation_quotes_real_errors() {
    let page = |name: &str| fs::read_to_string(ui().join("../../imperal/docs").join(name)).unwrap();
    let docs = page("macros.md") + &page("durable_task.md");
    let shown: String = files("fail", ".rs").into_iter().map(|name| Fixture::read(name).stderr).collect();
    let quoted: Vec<&str> =
        docs.lines().filter(|line| line.starts_with("error:") || line.starts_with("error[")).collect();
    assert!(quoted.len() > 5, "{quoted:?}");
    for line in quoted {
        assert!(shown.lines().any(|shown| shown == line), "no fixture shows: {line}");
    }
}

/// A file of `ui/fail`: the keys in its head and its expected output.
struct Fixture {
    name: String,
    mistakes: usize,
    /// The reason for each additional error.
    more: Vec<String>,
    stderr: String,
}

impl Fixture {
    fn read(name: String) -> Self {
        let path = ui().join("fail").join(&name);
        let source = fs::read_to_string(path.with_extension("rs")).unwrap();
        let said = |key: &str| source.lines().find_map(|line| line.strip_prefix("//! ")?.strip_prefix(key));
        let number = |key: &str| said(key).map(|number| number.trim().parse::<usize>().unwrap());
        Self {
            mistakes: number("mistakes:").or_else(|| number("missing derives:")).unwrap_or(1),
            more: source
                .lines()
                .filter_map(|line| Some(line.strip_prefix("//! one more error:")?.trim().to_owned()))
                .collect(),
            stderr: fs::read_to_string(path.with_extension("stderr")).unwrap(),
            name,
        }
    }

    /// The first line and the underlined source of each error.
    fn errors(&self) -> Vec<(&str, String)> {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let starts = lines.iter().enumerate().filter(|(_, line)| line.starts_with("error"));
        starts.map(|(at, text)| (*text, underlined(&lines[at..]))).collect()
    }
}

/// The source above the first row of `^`.
fn underlined(lines: &[&str]) -> String {
    let Some(row) = lines.iter().position(|line| line.contains('|') && line.contains('^')) else {
        return String::new();
    };
    let marks: Vec<char> = lines[row].chars().collect();
    let from = marks.iter().position(|c| *c == '^').unwrap();
    let count = marks[from..].iter().take_while(|c| **c == '^').count();
    if lines[row].contains("|_") {
        return "several lines".to_owned();
    }
    lines[row - 1].chars().skip(from).take(count).collect()
}

#[test]
fn report() {
    let fixtures: Vec<Fixture> = files("fail", ".rs").into_iter().map(Fixture::read).collect();
    let (mistakes, errors) =
        fixtures.iter().fold((0, 0), |(m, e), fixture| (m + fixture.mistakes, e + fixture.errors().len()));
    let mut report = format!(
        "# Errors per mistake\n\nWritten by `UPDATE_GOLDEN=1 cargo test -p imperal-tests --test ui`, and checked by it.\n\n{} fixtures, {mistakes} mistakes, {errors} errors.\n\n| fixture | mistakes | errors | says | at |\n|---|---|---|---|---|\n",
        fixtures.len()
    );
    for fixture in &fixtures {
        let errors = fixture.errors();
        for (index, (text, at)) in errors.iter().enumerate() {
            let text = text.split_once(": ").map_or(*text, |(_, said)| said).replace('|', "\\|");
            let at = at.replace('|', "\\|");
            let (name, counts) = match index {
                0 => (fixture.name.as_str(), format!("{} | {}", fixture.mistakes, errors.len())),
                _ => ("", " | ".to_owned()),
            };
            writeln!(report, "| {name} | {counts} | {text} | `` {at} `` |").unwrap();
        }
    }
    report.push_str("\nOne error more than mistakes, for each line:\n\n");
    for (name, why) in fixtures.iter().flat_map(|f| f.more.iter().map(move |why| (&f.name, why))) {
        writeln!(report, "- {name}: {why}").unwrap();
    }
    golden("ui/REPORT.md", &report);
}

#[test]
fn each_mistake_is_one_error_at_the_wrong_token() {
    for fixture in files("fail", ".rs").into_iter().map(Fixture::read) {
        let errors = fixture.errors();
        let expected = fixture.mistakes + fixture.more.len();
        assert_eq!(errors.len(), expected, "{}\n{}", fixture.name, fixture.stderr);
        for (text, at) in errors {
            assert!(
                !at.is_empty() && !at.starts_with("#[chat_function") && !at.starts_with("#[durable_task"),
                "{} points at the whole attribute: {text}",
                fixture.name
            );
        }
        for generated in ["__ChatFunction", "__DurableTask", "__HANDLER", "__imperal", "__Input"] {
            assert!(!fixture.stderr.contains(generated), "{} names {generated}", fixture.name);
        }
    }
}
