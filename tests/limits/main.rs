//! Every limit of a node: reached, exceeded, and without effect on another user.
//!
//! Each test starts a real `serve` with the limits it needs. `docs/operations.md` has a table of all limits.

mod bodies;
mod calls;
mod connections;
mod inject;
mod probes;
mod raw;

use imperal_tests::{Node, NodeOptions, User};
use tempfile::TempDir;

/// A node with these arguments, each as `--name=value`. They replace the default options of the same name.
async fn node_with(args: &[&str]) -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder, args).start().await;
    (folder, node)
}

fn options(folder: &TempDir, args: &[&str]) -> NodeOptions {
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    for arg in args {
        let name = arg.split('=').next().unwrap();
        if let Some(at) = options.args.iter().position(|given| given == name) {
            options.args.drain(at..at + 2);
        }
        options.args.push((*arg).to_owned());
    }
    options
}

/// The value of the metric with this name and these labels.
async fn metric(node: &Node, sample: &str) -> f64 {
    let (_, text) = User::with_token(node, "none").get("/metrics").await;
    let text = text.as_str().unwrap().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is missing")).parse().unwrap()
}

/// Waits until the metric has this value.
async fn until(node: &Node, sample: &str, wanted: impl Fn(f64) -> bool) {
    let reached = async {
        while !wanted(metric(node, sample).await) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), reached).await.unwrap_or_else(|_| panic!("{sample}"));
}
