//! The real process: killed with SIGKILL after its first image, and started again. The service outlives it.

#![allow(clippy::unwrap_used, reason = "a test; clippy knows it by its attribute only")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "../src/service.rs"]
mod service;

struct Media<'a> {
    folder: &'a Path,
    service: String,
}

impl Media<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_media"));
        command.args(args).arg("--data-dir").arg(self.folder).env("MEDIA_URL", &self.service).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and returns its output.
    fn printed(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap_or_else(|error| panic!("{args:?}: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The data of a call's result.
    fn called(&self, args: &[&str]) -> Value {
        let printed = self.printed(&[&["call", "--json"], args].concat());
        let last = printed.lines().last().unwrap_or_else(|| panic!("{args:?} printed nothing"));
        let turn: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {printed}"));
        turn["result"]["data"].clone()
    }
}

#[test]
fn a_process_killed_after_image_1_resumes_at_image_2_and_pays_for_each_image_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let media = Media { folder: &folder.path().join("data"), service: runtime.block_on(service::start()).unwrap() };
    media.printed(&["call", "connect_image_service", "api_key=a-key-that-works"]);
    let package = media.called(&["create_media_brief", "site=s", "article_title=Bees", "subject=a hive"]);
    let id = format!("package_id={}", package["package_id"].as_str().unwrap());

    let mut running = media.command(&["call", "generate_media_package", &id, "--follow"]);
    let mut running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let second = lines.map_while(Result::ok).find(|line| line.contains("Generating inline_1"));
    assert!(second.is_some(), "the first image is stored, and the second begins");
    // SIGKILL: no code of the process runs any more.
    running.kill().unwrap();
    running.wait().unwrap();

    let mut restarted = media.command(&["dev", "--listen", "127.0.0.1:0"]);
    let mut restarted = restarted.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(restarted.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("open http://")));
    media.printed(&["follow"]);
    let package = media.called(&["get_media_package", &id]);
    restarted.kill().unwrap();
    restarted.wait().unwrap();
    assert_eq!(package["status"], "ready", "{package}");
    let recent = runtime.block_on(paid(&media.service));
    let mut prompts: Vec<&str> = recent.iter().map(|job| job["prompt"].as_str().unwrap()).collect();
    assert_eq!(prompts.len(), 3, "{prompts:?}");
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!(prompts.len(), 3, "one job for each image");
}

/// The jobs that the service has got.
async fn paid(service: &str) -> Vec<Value> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut line = tokio::net::TcpStream::connect(service.trim_start_matches("http://")).await.unwrap();
    line.write_all(b"GET /v1/creations/recent HTTP/1.0\r\nx-api-key: a-test\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["data"].as_array().unwrap().clone()
}
