//! Permissions of the files in the data folder, and symbolic links in their place.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{command, run, text};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn widen(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Starts `dev` on a folder, runs `look` once it listens, stops it, and returns its log.
async fn developed(folder: &Path, look: impl FnOnce()) -> String {
    let mut command = command(folder, &["dev", "--listen", "127.0.0.1:0"]);
    let mut dev = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it listens").starts_with("open ") {}
    look();
    let pid = dev.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    let mut log = String::new();
    dev.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(dev.wait().await.unwrap().success(), "{log}");
    log
}

#[tokio::test]
async fn files_of_a_new_data_folder_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = developed(&data, || {
        assert_eq!(mode(&data), 0o700);
        for entry in fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        }
        for name in ["lock", "listening.json", "session.key", "ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            assert!(data.join(name).exists(), "{name}");
        }
    })
    .await;
    assert_eq!(mode(&data.join("links")), 0o600);
    assert!(!log.contains("other users"), "{log}");
}

#[tokio::test]
async fn readable_folder_is_warned_about_and_its_files_stay_private() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    widen(&data, 0o755);
    for name in ["lock", "links"] {
        fs::write(data.join(name), "").unwrap();
        widen(&data.join(name), 0o644);
    }
    let log = developed(&data, || assert_eq!(mode(&data.join("listening.json")), 0o600)).await;
    assert_eq!(mode(&data.join("links")), 0o600, "written again");
    for told in [
        format!("{} can be read by other users of this machine: run `chmod 700 ", data.display()),
        format!("lock can be read by other users of this machine: run `chmod 600 {}", data.join("lock").display()),
    ] {
        assert_eq!(log.matches(&told).count(), 1, "{told}\n{log}");
    }
}

#[tokio::test]
async fn symbolic_link_in_place_of_a_file_is_refused() {
    for name in ["lock", "session.key", "ledger.db"] {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        fs::write(&theirs, "").unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        symlink(&theirs, data.join(name)).unwrap();
        let output = run(&data, &["call", "echo", "text=a"]).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {told}");
        assert!(told.contains(&format!("{} is a symbolic link: remove it", data.join(name).display())), "{told}");
        assert_eq!(fs::read(&theirs).unwrap(), b"", "{name}");
    }
}

#[tokio::test]
async fn one_time_links_of_others_open_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs");
    fs::write(&theirs, "00000000000000000000000000000000").unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    symlink(&theirs, data.join("links")).unwrap();
    let log = developed(&data, || {}).await;
    assert!(log.contains("links of the process before this one are void"), "{log}");
    assert_eq!(fs::read(&theirs).unwrap(), b"00000000000000000000000000000000", "not written through");
    assert!(!data.join("links").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_made_ends_the_command_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no-shelf"), "").unwrap();
    let output = run(folder.path(), &["call", "echo", "text=hello"]).await;
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("a state of the extension could not be made in the data folder: the shelf is gone"),
        "{told}"
    );
}
