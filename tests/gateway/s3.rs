//! Files in S3-compatible storage: moto, a server from `PyPI`, beside the test.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use imperal_tests::{NodeOptions, User, eventually, free_port};
use reqwest::{Method, header};
use serde_json::json;
use tempfile::TempDir;

use crate::options;

const BUCKET: &str = "files-of-tests";

/// The server with one bucket; killed on drop.
struct S3 {
    url: String,
    child: Child,
}

impl S3 {
    async fn start() -> Self {
        // An error means that the process already has a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
        let setup = Command::new(folder.join("setup")).output().unwrap();
        assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
        let venv = String::from_utf8(setup.stdout).unwrap();
        let port = free_port();
        let child = Command::new(Path::new(venv.trim()).join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let s3 = Self { url: format!("http://127.0.0.1:{port}"), child };
        eventually("the bucket", async || {
            let made = reqwest::Client::new().put(format!("{}/{BUCKET}", s3.url)).send().await;
            made.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        s3
    }

    /// `serve` on a new folder with its files in the bucket.
    fn node(&self, folder: &TempDir) -> NodeOptions {
        let mut options = options(folder);
        options.args.extend(["--files-url".to_owned(), format!("s3://{BUCKET}/some/place")]);
        for (name, value) in [
            ("AWS_ENDPOINT", self.url.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "a-key-of-tests"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-of-tests"),
        ] {
            options.env.push((name.to_owned(), value.to_owned()));
        }
        options
    }

    async fn list(&self, query: &str) -> String {
        reqwest::get(format!("{}/{BUCKET}?{query}", self.url)).await.unwrap().text().await.unwrap()
    }

    /// The keys of the bucket.
    async fn keys(&self) -> Vec<String> {
        let list = self.list("list-type=2").await;
        list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    /// Uploads whose parts the server keeps.
    async fn open_uploads(&self) -> usize {
        self.list("uploads").await.matches("<UploadId>").count()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn put(user: &User, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    user.request(Method::POST, "/v1/files").query(&[("app", "probe"), ("name", "a.bin")]).body(body)
}

async fn upload(user: &User, body: Vec<u8>) -> String {
    let (status, file) = User::send(put(user, body)).await;
    assert_eq!(status, 201, "{file}");
    file["file_id"].as_str().unwrap().to_owned()
}

/// Bytes that differ in each part.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|at| u8::try_from((at / 7 + at / 65_536) % 251).unwrap()).collect()
}

/// In one piece and in parts, whole and in ranges, under the file's id alone.
#[tokio::test]
async fn files_in_s3_come_back_as_they_were() {
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let node = s3.node(&folder).start().await;
    let anna = User::of(&node, "anna");
    // S3 takes parts of 5 MiB: none, less than one, and two with a rest.
    let mut keys = Vec::new();
    for size in [0, 1000, (11 << 20) + 5] {
        let content = bytes(size);
        let id = upload(&anna, content.clone()).await;
        let path = format!("/v1/files/{id}");
        let whole = anna.request(Method::GET, &path).send().await.unwrap();
        assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(u64::from(size))));
        assert!(whole.bytes().await.unwrap() == content, "{size} bytes");
        if size > 1000 {
            let part = anna.request(Method::GET, &path).header(header::RANGE, "bytes=5242870-5242890").send().await;
            let part = part.unwrap();
            assert_eq!(part.status(), 206);
            assert!(part.bytes().await.unwrap() == content[5_242_870..=5_242_890]);
        }
        keys.push(format!("some/place/{id}"));
    }
    keys.sort();
    assert_eq!(s3.keys().await, keys);
    assert_eq!(s3.open_uploads().await, 0);
    assert!(!folder.path().join("data/files").exists(), "nothing is in the folder");
}

/// The sweep removes the bytes of a deleted file.
#[tokio::test]
async fn deleted_files_leave_the_bucket() {
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let options = s3.node(&folder);
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let (gone, kept) = (upload(&anna, bytes(10)).await, upload(&anna, bytes(20)).await);
    assert_eq!(User::send(anna.request(Method::DELETE, &format!("/v1/files/{gone}"))).await.0, 200);
    assert_eq!(s3.keys().await.len(), 2, "the bytes stay for a day");
    drop(node.terminate().await);
    let ledger = rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap();
    ledger.execute("UPDATE file SET due_at = 0 WHERE state = 'deleting'", ()).unwrap();
    drop(ledger);
    let node = options.start().await;
    eventually("the sweep", async || (s3.keys().await == [format!("some/place/{kept}")]).then_some(())).await;
    assert_eq!(User::of(&node, "anna").get(&format!("/v1/files/{kept}")).await.0, 200);
}

/// A client that goes away in the middle leaves no parts, which would be paid for and never seen.
#[tokio::test]
async fn dropped_upload_is_aborted() {
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let node = s3.node(&folder).start().await;
    let anna = User::of(&node, "anna");
    let slow = futures_util::stream::iter(0..8).then(|n| async move {
        tokio::time::sleep(Duration::from_secs(if n < 6 { 0 } else { 600 })).await;
        Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])
    });
    let uploading = tokio::spawn(put(&anna, reqwest::Body::wrap_stream(slow)).send());
    eventually("a part", async || (s3.open_uploads().await == 1).then_some(())).await;
    uploading.abort();
    eventually("the abort", async || (s3.open_uploads().await == 0).then_some(())).await;
    assert_eq!(s3.keys().await, Vec::<String>::new());
    assert_eq!(anna.get("/v1/files").await.1["files"], json!([]));
}

/// An error with a way out, and calls go on.
#[tokio::test]
async fn outage_of_s3_is_an_error_of_files_alone() {
    let (mut s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let node = s3.node(&folder).start().await;
    let anna = User::of(&node, "anna");
    let file = upload(&anna, bytes(10)).await;
    s3.child.kill().unwrap();
    s3.child.wait().unwrap();
    let (status, error) = User::send(put(&anna, bytes(10))).await;
    assert_eq!((status.as_u16(), &error["error"]["code"]), (503, &json!("UNAVAILABLE")), "{error}");
    let (status, error) = anna.get(&format!("/v1/files/{file}")).await;
    assert_eq!((status.as_u16(), &error["error"]["code"]), (503, &json!("UNAVAILABLE")), "{error}");
    assert_eq!(anna.call("echo", json!({"text": "still here"})).await["result"]["status"], "success");
}
