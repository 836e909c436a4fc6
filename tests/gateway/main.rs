//! The promises over HTTP, against a real process on a real file.

mod assistant;
mod blocked;
mod cancel;
mod chat;
mod crowd;
mod documents;
mod drafts;
mod embedding;
mod files;
mod follow_up;
mod idempotency;
mod identity;
mod lifecycle;
mod load;
mod matrix;
#[cfg(target_os = "linux")]
mod model_flood;
mod operations;
mod operators;
mod panics;
mod payments;
mod postgres;
mod questions;
mod refusals;
mod retention;
mod s3;
mod schedules;
mod scoping;
mod shares;
mod traces;
mod watchers;

use imperal_tests::{Node, NodeOptions};
use tempfile::TempDir;

/// A node on a new folder.
async fn node() -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder).start().await;
    (folder, node)
}

fn options(folder: &TempDir) -> NodeOptions {
    NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"))
}
