//! Files that a process must not write to: it ends, names the file and a remedy, and does not change it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use imperal_tests::{NodeOptions, User};
use rusqlite::Connection;
use serde_json::json;

/// A folder with a ledger in use, and the options to start on it.
async fn used() -> (tempfile::TempDir, NodeOptions) {
    let folder = tempfile::tempdir().unwrap();
    let options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    for n in 0..50 {
        anna.call("echo", json!({"text": format!("{n:04}{}", "x".repeat(900))})).await;
    }
    (folder, node.terminate().await)
}

/// The error of a process that does not start.
async fn refusal(options: &NodeOptions) -> String {
    let output = options.command().stderr(Stdio::piped()).output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.expect("it ends").unwrap();
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("listening"));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

async fn starts_with_all_of_it(options: &NodeOptions) {
    let node = options.start().await;
    assert_eq!(User::of(&node, "anna").turns().await.len(), 100);
    node.kill().await;
}

fn ledger(options: &NodeOptions) -> std::path::PathBuf {
    options.folder.join("ledger.db")
}

async fn refuses_damaged(options: &NodeOptions, file: &Path, damaged: &[u8]) {
    std::fs::write(file, damaged).unwrap();
    let text = refusal(options).await;
    assert!(text.contains("ledger.db is damaged") && text.contains("restore a copy"), "{text}");
    assert_eq!(std::fs::read(file).unwrap(), damaged, "left as it was found");
}

#[tokio::test]
async fn damaged_file_is_named_and_a_restored_copy_starts() {
    let (_folder, options) = used().await;
    let file = ledger(&options);
    let good = std::fs::read(&file).unwrap();
    let mut scribbled = good.clone();
    scribbled[..16].fill(0x5a);
    refuses_damaged(&options, &file, &scribbled).await;
    refuses_damaged(&options, &file, &good[..good.len() / 2]).await;
    refuses_damaged(&options, &file, &good[..1000]).await;
    std::fs::write(&file, &good).unwrap();
    starts_with_all_of_it(&options).await;
}

/// Damage that only a read finds: each answer is correct or a refusal, and the process stays up.
#[tokio::test]
async fn damaged_page_is_refused_when_it_is_read() {
    let (_folder, options) = used().await;
    let file = ledger(&options);
    let good = std::fs::read(&file).unwrap();
    let pages = good.len() / 2048;
    let (mut started, mut refused) = (0, 0);
    for page in (1..pages).step_by(13) {
        let mut damaged = good.clone();
        damaged[page * 2048..(page + 1) * 2048].fill(0x5a);
        std::fs::write(&file, &damaged).unwrap();
        let Some(node) = options.try_start().await else { continue };
        started += 1;
        let anna = User::of(&node, "anna");
        let (status, body) = anna.get("/v1/chat/turns?limit=500").await;
        if status == 200 {
            assert_eq!(body["turns"].as_array().unwrap().len(), 100, "page {page}: an answer is the whole answer");
        } else {
            refused += 1;
            assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("UNAVAILABLE")), "page {page}: {body}");
        }
        assert_eq!(anna.get("/healthz").await.0, 200);
        node.kill().await;
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(options.folder.join(format!("ledger.db{suffix}")));
        }
    }
    assert!(started > 0 && refused > 0, "{pages} pages: {started} started, {refused} refused");
}

#[tokio::test]
async fn newer_schema_is_named_and_not_changed() {
    let (_folder, options) = used().await;
    let conn = Connection::open(ledger(&options)).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    conn.pragma_update(None, "user_version", version + 1).unwrap();
    let text = refusal(&options).await;
    assert!(text.contains("newer version") && text.contains("run that version"), "{text}");
    conn.pragma_update(None, "user_version", version).unwrap();
    drop(conn);
    starts_with_all_of_it(&options).await;
}

/// Runs as a user other than root, because permissions do not bind root.
#[cfg(unix)]
#[tokio::test]
async fn read_only_file_is_named() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (folder, mut options) = used().await;
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let nobody = 65534;
        // In a folder that other users cannot enter.
        let binary = folder.path().join("probe");
        std::fs::copy(&options.binary, &binary).unwrap();
        options.binary = binary;
        options.under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned).to_vec();
        chown(folder.path(), Some(nobody), Some(nobody)).unwrap();
        chown(&options.folder, Some(nobody), Some(nobody)).unwrap();
        for entry in std::fs::read_dir(&options.folder).unwrap() {
            chown(entry.unwrap().path(), Some(nobody), Some(nobody)).unwrap();
        }
    }
    let file = ledger(&options);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    let text = refusal(&options).await;
    assert!(text.contains("ledger.db cannot be opened for writing") && text.contains("check the rights"), "{text}");
    // The files that SQLite created next to the ledger have the ledger's permissions.
    for entry in std::fs::read_dir(&options.folder).unwrap() {
        std::fs::set_permissions(entry.unwrap().path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    starts_with_all_of_it(&options).await;
}

#[tokio::test]
async fn invalid_settings_are_refused_together_before_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    options.args = ["--lease=99999", "--liveness=1e300", "--tasks-per-user=0"].map(str::to_owned).to_vec();
    assert!(refusal(&options).await.contains("too short or too long"));
    options.args[1] = "--keep-turns=999999999999d".to_owned();
    options.args.extend(["--cancel-grace=1e10", "--idle-timeout=1e15"].map(str::to_owned));
    let text = refusal(&options).await;
    for option in ["--lease", "--keep-turns", "--tasks-per-user", "--cancel-grace", "--idle-timeout"] {
        assert!(text.contains(option), "{option}: {text}");
    }
    assert!(!options.folder.exists(), "a folder was made");
}

#[cfg(unix)]
#[tokio::test]
async fn variable_that_is_not_utf_8_is_refused_by_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    for name in ["IMPERAL_SERVICE_TOKEN", "IMPERAL_JWT_SECRET", "IMPERAL_NODE", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let mut command = options.command();
        let output = command.env(name, OsStr::from_bytes(b"\xff-secret")).stderr(Stdio::piped()).output();
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{name} was ignored");
        // Errors of command-line options have other texts.
        assert!(text.contains("UTF-8") && !text.contains("panicked"), "{name}: {text}");
    }
}
