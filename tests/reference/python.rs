//! Runs programs with the reference SDK in its virtual environment: JSON on standard input and output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(WORKSPACE)
}

fn interpreter() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("reference-venv/bin/python")
}

/// Whether the environment exists with the right versions.
pub(crate) fn environment() -> Result<(), String> {
    let advice =
        "run `tests/reference/setup` once: it installs imperal-sdk 6.3.7, pydantic 2.14.3 and croniter 7.0.0 from PyPI";
    let python = interpreter();
    let versions = Command::new(&python)
        .args([
            "-c",
            "from importlib.metadata import version as v; print(v('imperal-sdk'), v('pydantic'), v('croniter'))",
        ])
        .output()
        .map_err(|error| format!("the reference SDK is not installed ({}: {error}); {advice}", python.display()))?;
    match String::from_utf8_lossy(&versions.stdout).trim() {
        "6.3.7 2.14.3 7.0.0" => Ok(()),
        other => Err(format!("the reference SDK is there in another version ({other}); {advice}")),
    }
}

/// Runs a program of `python/` and reads its output.
pub(crate) fn run(program: &str, input: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/python");
    let mut child = Command::new(interpreter())
        .arg(folder.join(program))
        .current_dir(&folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
