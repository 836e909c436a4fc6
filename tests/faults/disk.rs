//! No space: a limit on the size of files, and a small mounted disk (needs root).

use std::path::{Path, PathBuf};
use std::process::Command;

use imperal_tests::{Node, NodeOptions, User};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::{Answers, ready, until_not_ready, until_ready};

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// A mounted disk of 3 MiB, unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let text = at.to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=3m", "tmpfs", text]).then(|| Self(at.to_owned()))
    }

    fn grow(&self) {
        assert!(run("mount", &["-o", "remount,size=64m", self.0.to_str().unwrap()]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a process that is about to end may still have a file open.
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

/// Fills the disk until even the write check fails, and ends a task meanwhile. After `clear`, the task's outcome is
/// written, calls are accepted, and the ledger has every answered call, also after a restart.
async fn survives_a_full_disk(node: Node, log: &Path, reason: &str, clear: impl FnOnce(&Node)) {
    let anna = User::of(&node, "anna");
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    let reply = anna.call("hang", json!({"url": url})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let mut answers = Answers::default();
    loop {
        // Large texts first, then smaller ones that still fit.
        if answers.call(&anna, 900).await && !ready(&anna).await.0 {
            break;
        }
        assert!(answers.answered.len() < 5000, "it never got full");
    }
    until_not_ready(&anna, log, &[reason, "ledger.db"]).await;
    assert!(answers.answered.len() > 20 && !answers.refused.is_empty(), "{} answered", answers.answered.len());
    // The task ends, and its outcome cannot be written.
    let (mut waiting, _) = service.accept().await.unwrap();
    waiting.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    while !anna.get("/metrics").await.1.as_str().unwrap().contains("imperal_tasks_running 0") {
        tokio::task::yield_now().await;
    }
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "running", "not ended: not written");
    assert_eq!(anna.outcomes(&task_id).await.len(), 0);
    assert!(answers.call(&anna, 10).await, "still refused");
    assert_eq!(anna.get("/healthz").await.0, 200, "alive all the while");

    clear(&node);
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded", "by itself");
    assert!(!answers.call(&anna, 900).await, "calls are accepted again");
    until_ready(&anna).await;
    // A pending reply is written after at most the longest pause between two tries.
    let mut events = anna.stream(0).await;
    let mut missing = answers.late.clone();
    while !missing.is_empty() {
        let event = tokio::time::timeout(std::time::Duration::from_secs(20), events.next()).await.unwrap();
        missing.retain(|text| event.data["role"] != "bot" || event.data["text"] != text.as_str());
    }
    answers.check_chat(&anna).await;
    let node = NodeOptions { under: Vec::new(), ..node.kill().await }.start().await;
    let anna = User::of(&node, "anna");
    answers.check_chat(&anna).await;
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
    node.kill().await;
}

#[tokio::test]
async fn calls_are_refused_while_the_file_cannot_grow() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    // 3 MiB in blocks of 512 bytes. The process ignores the signal SIGXFSZ.
    let limited = "trap '' XFSZ; ulimit -S -f 6144; exec \"$0\" \"$@\"";
    options.under = ["sh", "-c", limited].map(str::to_owned).to_vec();
    let log = options.log_into(folder.path());
    let node = options.start().await;
    survives_a_full_disk(node, &log, "cannot grow", |node| {
        assert!(run("prlimit", &["--pid", &node.pid().to_string(), "--fsize=unlimited:"]));
    })
    .await;
}

#[tokio::test]
async fn calls_are_refused_while_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("disk"))
        .expect("a small disk can be mounted: run as root, or leave this out with `tests/run --without mount`");
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), disk.0.join("data"));
    let log = options.log_into(folder.path());
    survives_a_full_disk(options.start().await, &log, "no space left", |_| disk.grow()).await;
}

/// An upload that does not fit is refused, leaves nothing, and hurts no other; the same one succeeds when there is space.
#[tokio::test]
async fn upload_is_refused_while_the_disk_of_files_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("disk"))
        .expect("a small disk can be mounted: run as root, or leave this out with `tests/run --without mount`");
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    let files = disk.0.join("files");
    options.args.extend(["--files-url".to_owned(), format!("file://{}", files.display())]);
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let upload = async |bytes: usize| {
        let request = anna.request(reqwest::Method::POST, "/v1/files").query(&[("app", "probe"), ("name", "a.bin")]);
        User::send(request.body(vec![7_u8; bytes])).await
    };
    let (status, kept) = upload(1 << 20).await;
    assert_eq!(status, 201, "{kept}");
    // In one piece, and in parts of which the first one fits.
    for bytes in [(5 << 19) + 1, 7 << 20] {
        let (status, error) = upload(bytes).await;
        assert_eq!((status.as_u16(), &error["error"]["code"]), (503, &json!("UNAVAILABLE")), "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains("disk for files is full"), "{error}");
    }
    imperal_tests::eventually("nothing of the failed uploads", async || {
        (std::fs::read_dir(&files).unwrap().count() == 1).then_some(())
    })
    .await;
    assert_eq!(anna.get("/v1/files").await.1["files"].as_array().unwrap().len(), 1);
    assert_eq!(anna.call("echo", json!({"text": "still here"})).await["result"]["status"], "success");
    let (status, small) = upload(1 << 19).await;
    assert_eq!(status, 201, "what fits is stored: {small}");
    disk.grow();
    assert_eq!(upload(7 << 20).await.0, 201);
    node.kill().await;
}
