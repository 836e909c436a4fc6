//! Secrets: declared, entered, read, kept out of everything that is written (P22), rotated.
//!
//! `in_memory` runs on the test kit, the other modules on real processes of the program `keyring`.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod in_memory;
mod keys;
mod planted;
mod recording;
mod terminal;

use std::path::{Path, PathBuf};

use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, token};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A key for secrets; `n` tells them apart.
fn key(id: &str, n: u8) -> String {
    let digits = format!("{n:02x}").repeat(22);
    // 44 characters of base64 are 32 bytes, the last one padded.
    format!("{id}:{}=", &digits[..43].replace('f', "g"))
}

fn options(folder: &TempDir, keys: &str) -> NodeOptions {
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_keyring"), folder.path().join("data"));
    options.env.push(("IMPERAL_SECRET_KEYS".to_owned(), keys.to_owned()));
    options
}

async fn put(user: &User, path: &str, value: &str) -> (StatusCode, Value) {
    User::send(user.request(Method::PUT, &format!("/v1/secrets/{path}")).json(&json!({ "value": value }))).await
}

async fn call(user: &User, function: &str, params: Value) -> Value {
    let (status, reply) =
        user.post("/v1/extensions/keyring/call", &json!({ "function": function, "params": params })).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

/// The tasks that a call started.
async fn tasks_of(user: &User, reply: &Value) -> Vec<String> {
    let (_, found) = user.get(&format!("/v1/tasks?call_id={}", reply["call_id"].as_str().unwrap())).await;
    found["tasks"].as_array().unwrap().iter().map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
}

/// An ended task with its result.
async fn ended(user: &User, task_id: &str) -> Value {
    user.end_of(task_id).await;
    user.get(&format!("/v1/tasks/{task_id}")).await.1
}

/// An operator of all users.
fn operator(node: &Node) -> User {
    let claims = Claims { scopes: vec!["secrets:operate:all".to_owned()], ..Claims::of("olga") };
    User::with_token(node, &token(&claims, JWT_SECRET))
}

async fn status_of(user: &User, path: &str) -> Value {
    let (status, state) = user.get(&format!("/v1/secrets/{path}")).await;
    assert_eq!(status, 200, "{state}");
    state["status"].clone()
}

/// The files of a folder and the folders in it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}
