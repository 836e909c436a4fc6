//! Files over HTTP: uploads, ranges, headers that keep strangers' content harmless, and the remains of a crash.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use imperal_tests::User;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{node, options};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

fn put(user: &User, name: &str, content_type: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let request = user.request(Method::POST, "/v1/files").query(&[("app", "probe"), ("name", name)]);
    let request = if content_type.is_empty() { request } else { request.header(header::CONTENT_TYPE, content_type) };
    request.body(body)
}

async fn upload(user: &User, name: &str, content_type: &str, body: &[u8]) -> Value {
    let (status, file) = User::send(put(user, name, content_type, body.to_vec())).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    file
}

fn path(file: &Value) -> String {
    format!("/v1/files/{}", file["file_id"].as_str().unwrap())
}

async fn read(user: &User, file: &Value, headers: &[(&str, &str)]) -> reqwest::Response {
    let request = headers
        .iter()
        .fold(user.request(Method::GET, &path(file)), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

fn text<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn file_comes_back_whole_and_in_ranges() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let file = upload(&anna, "a \"ü\".png", "Image/PNG; x=y", PNG).await;
    assert_eq!(
        (&file["name"], &file["content_type"], &file["size"]),
        (&json!("a \"ü\".png"), &json!("image/png"), &json!(18))
    );
    let answer = read(&anna, &file, &[]).await;
    assert_eq!(answer.status(), 200);
    let etag = text(&answer, "etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", file["sha256"].as_str().unwrap()));
    for (name, wanted) in [
        ("content-type", "image/png"),
        ("content-length", "18"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-disposition", "inline; filename=\"a ___.png\"; filename*=UTF-8''a%20%22%C3%BC%22.png"),
    ] {
        assert_eq!(text(&answer, name), wanted, "{name}");
    }
    assert!(text(&answer, "content-security-policy").starts_with("sandbox; default-src 'none'"));
    assert_eq!(answer.bytes().await.unwrap(), PNG);
    let part = read(&anna, &file, &[("range", "bytes=8-11")]).await;
    assert_eq!((part.status().as_u16(), text(&part, "content-range")), (206, "bytes 8-11/18"));
    assert_eq!((text(&part, "content-length"), text(&part, "content-type")), ("4", "image/png"));
    assert_eq!(part.bytes().await.unwrap(), b"0123"[..]);
    let tail = read(&anna, &file, &[("range", "bytes=-2"), ("if-range", &etag)]).await;
    assert_eq!(tail.bytes().await.unwrap(), b"89"[..]);
    let changed = read(&anna, &file, &[("range", "bytes=-2"), ("if-range", "\"other\"")]).await;
    assert_eq!((changed.status().as_u16(), changed.bytes().await.unwrap().len()), (200, 18));
    let beyond = read(&anna, &file, &[("range", "bytes=18-")]).await;
    assert_eq!((beyond.status().as_u16(), text(&beyond, "content-range")), (416, "bytes */18"));
    let known = read(&anna, &file, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status().as_u16(), text(&known, "etag")), (304, &*etag));
    let head = anna.request(Method::HEAD, &path(&file)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), text(&head, "content-length")), (200, "18"));
    let (_, info) = anna.get(&format!("{}?info", path(&file))).await;
    assert_eq!(
        (&info["state"], &info["app_id"], &info["sha256"]),
        (&json!("pending"), &json!("probe"), &file["sha256"])
    );
    let (_, list) = anna.get("/v1/files?app=probe").await;
    assert_eq!((&list["files"][0]["file_id"], &list["next"]), (&file["file_id"], &Value::Null));
    let (status, gone) = User::send(anna.request(Method::DELETE, &path(&file))).await;
    assert_eq!((status.as_u16(), &gone["deleted"]), (200, &json!(true)));
    let (status, gone) = User::send(anna.request(Method::DELETE, &path(&file))).await;
    assert_eq!((status.as_u16(), &gone["error"]["code"]), (404, &json!("NOT_FOUND")));
    let rows: Vec<_> = anna.audit().await.into_iter().filter(|row| row["action"] == "file.delete").collect();
    assert_eq!((rows.len(), &rows[0]["target"]), (1, &file["file_id"]), "one delete is one row");
    let (_, session) = anna.get("/v1/session").await;
    assert_eq!(session["file_bytes"], json!(100 << 20));
}

/// The declared type does not decide.
#[tokio::test]
async fn only_harmless_content_is_shown() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let html = b"<!doctype html><script>alert(1)</script>";
    for (name, declared, body, disposition, content_type) in [
        ("a.svg", "image/svg+xml", &svg[..], "attachment", "application/octet-stream"),
        ("a.html", "text/html", html, "attachment", "application/octet-stream"),
        ("a.png", "image/png", html, "attachment", "image/png"),
        ("a.js", "text/javascript", b"alert(1)", "attachment", "application/octet-stream"),
        ("a.txt", "text/plain", html, "inline", "text/plain; charset=utf-8"),
        ("guessed", "", html, "inline", "text/plain; charset=utf-8"),
        ("guessed", "", PNG, "inline", "image/png"),
        ("guessed", "application/octet-stream", &b"\0\x01\x02"[..], "attachment", "application/octet-stream"),
        ("a.pdf", "application/pdf", b"%PDF-1.7", "attachment", "application/pdf"),
        ("empty.png", "image/png", b"", "attachment", "image/png"),
    ] {
        let file = upload(&anna, name, declared, body).await;
        let answer = read(&anna, &file, &[]).await;
        assert!(text(&answer, "content-disposition").starts_with(disposition), "{name}: {:?}", answer.headers());
        assert_eq!(text(&answer, "content-type"), content_type, "{name}");
        assert_eq!(text(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(answer.bytes().await.unwrap(), body);
    }
    let file = upload(&anna, "a.png", "image/png", PNG).await;
    let answer = anna.request(Method::GET, &format!("{}?download", path(&file))).send().await.unwrap();
    assert!(text(&answer, "content-disposition").starts_with("attachment"));
}

#[tokio::test]
async fn bad_uploads_are_refused_with_a_way_out() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    for name in ["", "..", "../../etc/passwd", "a/b", "a\\b", "a\nb", "a\0b", &"x".repeat(256)] {
        let (status, refused) = User::send(put(&anna, name, "", "x")).await;
        assert_eq!(
            (status.as_u16(), &refused["error"]["code"]),
            (400, &json!("MALFORMED_REQUEST")),
            "{name:?}: {refused}"
        );
    }
    for query in ["", "?app=probe", "?name=a", "?app=probe&name=a&unknown=1", "?app=probe&name=a&expires_in=-1"] {
        let (status, refused) = User::send(anna.request(Method::POST, &format!("/v1/files{query}")).body("x")).await;
        assert_eq!(status, 400, "{query}: {refused}");
    }
    let (status, refused) = User::send(anna.request(Method::POST, "/v1/files?app=other&name=a").body("x")).await;
    assert_eq!((status.as_u16(), &refused["error"]["code"]), (404, &json!("UNKNOWN_TOOL")), "{refused}");
    for id in ["x", "0199c2f0-0000-7000-8000-000000000000"] {
        assert_eq!(anna.get(&format!("/v1/files/{id}")).await.0, 404);
    }
    assert_eq!(reqwest::get(format!("{}/v1/files", node.url)).await.unwrap().status(), 401);
    let (_, list) = anna.get("/v1/files").await;
    assert_eq!(list["files"], json!([]));
}

/// By its announced length before the first byte, and without one as soon as it is too long.
#[tokio::test]
async fn huge_upload_is_refused_early() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--file-bytes", "1000000"].map(str::to_owned));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let address = node.url.strip_prefix("http://").unwrap().to_owned();
    let token = imperal_tests::token(&imperal_tests::Claims::of("anna"), imperal_tests::JWT_SECRET);
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            socket,
            "POST /v1/files?app=probe&name=a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-length: 1000000000000\r\n\r\n"
        )
        .unwrap();
        let mut answer = vec![0; 4096];
        let read = socket.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("FILE_TOO_LARGE"), "{answer}");
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 65_536]));
    let refused = put(&anna, "a", "", reqwest::Body::wrap_stream(endless)).send().await;
    // The connection may be cut while the client still sends.
    if let Ok(answer) = refused {
        assert_eq!(answer.status(), 413);
    }
    let (_, list) = anna.get("/v1/files").await;
    assert_eq!(list["files"], json!([]));
    assert_eq!(blobs(folder.path()), 0, "nothing is left of it");
}

#[tokio::test]
async fn files_of_others_do_not_exist() {
    let (_folder, node) = node().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let file = upload(&anna, "a.txt", "", b"secret").await;
    for request in [Method::GET, Method::HEAD, Method::DELETE] {
        assert_eq!(ben.request(request, &path(&file)).send().await.unwrap().status(), 404);
    }
    assert_eq!(ben.get(&format!("{}?info", path(&file))).await.0, 404);
    assert_eq!(ben.get("/v1/files").await.1["files"], json!([]));
    assert_eq!(read(&anna, &file, &[]).await.bytes().await.unwrap(), b"secret"[..]);
}

/// The number of blobs, parts of uploads included.
fn blobs(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("data/files")).map_or(0, Iterator::count)
}

/// Makes the sweep look at all files, as a day later.
fn age(folder: &Path) {
    let ledger = rusqlite::Connection::open(folder.join("data/ledger.db")).unwrap();
    ledger.execute("UPDATE file SET due_at = 0 WHERE due_at IS NOT NULL", ()).unwrap();
}

fn rows(folder: &Path) -> i64 {
    let ledger = rusqlite::Connection::open(folder.join("data/ledger.db")).unwrap();
    ledger.query_row("SELECT count(*) FROM file", (), |row| row.get(0)).unwrap()
}

/// `kill -9` between the row, the bytes and the end of the row: nothing is kept for ever, and nothing is lost.
#[tokio::test]
async fn crash_at_each_point_of_an_upload_leaves_nothing_for_ever() {
    for (place, is_listed) in [("file-begun", false), ("file-written", false), ("file-stored", true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&folder);
        options.env.push(("IMPERAL_CRASH_AT".to_owned(), format!("{place}:1")));
        let node = options.start().await;
        let anna = User::of(&node, "anna");
        assert!(put(&anna, "a.txt", "", vec![7; 6 << 20]).send().await.is_err(), "{place}: the process died");
        let mut options = node.kill().await;
        options.env.retain(|(name, _)| name != "IMPERAL_CRASH_AT");
        assert_eq!(rows(folder.path()), 1, "{place}");
        let node = options.start().await;
        let anna = anna.at(&node);
        let (_, list) = anna.get("/v1/files").await;
        assert_eq!(list["files"].as_array().unwrap().len(), usize::from(is_listed), "{place}");
        let kept = upload(&anna, "kept.txt", "", b"kept").await;
        drop(node.terminate().await);
        // A day later the pending rows are deleted; another day later their bytes are removed.
        age(folder.path());
        let node = options.start().await;
        imperal_tests::eventually("deleted", async || {
            anna.at(&node).get("/v1/files").await.1["files"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
        drop(node.terminate().await);
        age(folder.path());
        let node = options.start().await;
        imperal_tests::eventually("the sweep", async || (rows(folder.path()) == 0).then_some(())).await;
        assert_eq!(blobs(folder.path()), 0, "{place}: bytes are left");
        drop((node, kept));
    }
}

/// `kill -9` in the middle of the bytes.
#[tokio::test]
async fn crash_while_bytes_are_written_leaves_nothing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder).start().await;
    let anna = User::of(&node, "anna");
    let slow = futures_util::stream::iter(0..7).then(|n| async move {
        // Waits for the kill after the first part.
        tokio::time::sleep(Duration::from_secs(if n < 6 { 0 } else { 60 })).await;
        Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])
    });
    let upload = tokio::spawn(put(&anna, "a", "", reqwest::Body::wrap_stream(slow)).send());
    imperal_tests::eventually("a part", async || (blobs(folder.path()) > 0).then_some(())).await;
    let options = node.kill().await;
    assert!(upload.await.unwrap().is_err());
    for _ in 0..2 {
        age(folder.path());
        let node = options.start().await;
        imperal_tests::eventually("a pass", async || {
            let ledger = rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap();
            let due: i64 =
                ledger.query_row("SELECT count(*) FROM file WHERE due_at = 0", (), |row| row.get(0)).unwrap();
            (due == 0).then_some(())
        })
        .await;
        drop(node.terminate().await);
    }
    assert_eq!((rows(folder.path()), blobs(folder.path())), (0, 0));
}

/// A client that hangs up in the middle of the bytes: they go at once, and the row as one that was deleted.
#[tokio::test]
async fn client_that_hangs_up_leaves_nothing_of_its_upload() {
    let (folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let slow = futures_util::stream::iter(0..7).then(|n| async move {
        tokio::time::sleep(Duration::from_secs(if n < 6 { 0 } else { 600 })).await;
        Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])
    });
    let upload = tokio::spawn(put(&anna, "a", "", reqwest::Body::wrap_stream(slow)).send());
    imperal_tests::eventually("a part", async || (blobs(folder.path()) > 0).then_some(())).await;
    upload.abort();
    imperal_tests::eventually("the bytes are gone", async || (blobs(folder.path()) == 0).then_some(())).await;
    imperal_tests::eventually("the row is deleted", async || {
        let ledger = rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap();
        let state: String = ledger.query_row("SELECT state FROM file", (), |row| row.get(0)).unwrap();
        (state == "deleting").then_some(())
    })
    .await;
    let (_, list) = anna.get("/v1/files").await;
    assert_eq!(list["files"], json!([]));
    // A day later nothing is left of it.
    drop(node.terminate().await);
    age(folder.path());
    let node = options(&folder).start().await;
    imperal_tests::eventually("the sweep", async || (rows(folder.path()) == 0).then_some(())).await;
    drop(node);
}

/// A file whose bytes have vanished or changed is named, and hurts no other.
#[tokio::test]
async fn vanished_bytes_are_a_clear_error() {
    let (folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let (lost, kept) = (upload(&anna, "a.txt", "", b"lost").await, upload(&anna, "b.txt", "", b"kept").await);
    std::fs::remove_file(folder.path().join("data/files").join(lost["file_id"].as_str().unwrap())).unwrap();
    let (status, error) = anna.get(&path(&lost)).await;
    assert_eq!((status.as_u16(), &error["error"]["code"]), (500, &json!("FILE_UNREADABLE")), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains(lost["file_id"].as_str().unwrap()), "{error}");
    assert_eq!(read(&anna, &kept, &[]).await.bytes().await.unwrap(), b"kept"[..]);
    assert_eq!(anna.get("/v1/files").await.1["files"].as_array().unwrap().len(), 2);
}
