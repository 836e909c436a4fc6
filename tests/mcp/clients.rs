//! The clients of other languages: scripts in this folder, and the programs that run them.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

/// The folder of the scripts.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mcp")
}

/// Python with the official client and `FastMCP`, and a script of this folder.
pub(crate) async fn python(script: &str) -> Command {
    run(installed().await.join("bin/python"), script)
}

/// Node with the official TypeScript client, and a script of this folder.
pub(crate) async fn node(script: &str) -> Command {
    run(node_program().await, script)
}

/// The Node that the packages in this folder need.
pub(crate) async fn node_program() -> PathBuf {
    installed().await;
    let own = folder().join("node_modules/.bin/node");
    if own.exists() { own } else { PathBuf::from("node") }
}

fn run(program: PathBuf, script: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(folder().join(script)).kill_on_drop(true);
    command
}

/// The Python environment. The first test of this process that needs it installs everything.
async fn installed() -> &'static Path {
    static VENV: OnceCell<PathBuf> = OnceCell::const_new();
    VENV.get_or_init(async || {
        let setup = Command::new(folder().join("setup")).output().await.unwrap();
        assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
        PathBuf::from(String::from_utf8(setup.stdout).unwrap().trim())
    })
    .await
}

/// Runs a script to its end and returns its lines.
pub(crate) async fn lines_of(mut script: Command) -> Vec<String> {
    let output = script.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(str::to_owned).collect()
}
