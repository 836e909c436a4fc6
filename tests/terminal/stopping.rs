//! How `dev` and `serve` start and stop in front of a person: the browser, Ctrl-C and a second Ctrl-C.

use std::path::{Path, PathBuf};

use imperal_tests::{JWT_SECRET, NodeOptions, Terminal};

use super::interactive::extension_in;
use super::{PROBE, json_lines, run, text};

const CTRL_C: &str = "\x03";
const LONG: &[&str] = &["call", "stubborn", "millis=600000"];

/// Stops a server with a running task by two Ctrl-C. The grace is ten minutes.
async fn stopped_by_two(program: &str, args: &[&str], folder: &Path, starts_with: &str) {
    let env =
        [("IMPERAL_JWT_SECRET", JWT_SECRET), ("IMPERAL_SHUTDOWN_GRACE", "600"), ("IMPERAL_LISTEN", "127.0.0.1:0")];
    let mut server = Terminal::start(program, args, folder, &env);
    let at = server.until(0, starts_with);
    let called = run(&folder.join("data"), LONG).await;
    assert!(called.status.success(), "{}", text(&called.stderr));
    server.send(CTRL_C);
    let says = "stopping: 1 task may finish within 10 min 0 s: stubborn; Ctrl-C again stops now";
    let at = server.until(at, says);
    server.send(CTRL_C);
    server.until(at, "stopping now: work that still runs is interrupted");
    assert_eq!(server.ended(), 0);
    let tasks = json_lines(&run(&folder.join("data"), &["tasks", "--json"]).await);
    assert_eq!(tasks[0]["state"], "reclaimed", "{tasks:?}");
    let chat = text(&run(&folder.join("data"), &["chat"]).await.stdout);
    assert_eq!(chat.matches("[INTERRUPTED]").count(), 1, "its turn is in the chat: {chat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_ctrl_c_stops_dev_and_serve_at_once() {
    for (command, starts_with) in [("dev", "/open/"), ("serve", "listening on")] {
        let folder = tempfile::tempdir().unwrap();
        stopped_by_two(PROBE, &[command], folder.path(), starts_with).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_ctrl_c_stops_cargo_imperal_dev_at_once() {
    let folder = tempfile::tempdir().unwrap();
    extension_in(folder.path());
    let program = imperal_tests::sibling("cargo-imperal").display().to_string();
    stopped_by_two(&program, &["imperal", "dev"], folder.path(), "/open/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_task_is_said_to_continue_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let env =
        [("IMPERAL_JWT_SECRET", JWT_SECRET), ("IMPERAL_SHUTDOWN_GRACE", "600"), ("IMPERAL_LISTEN", "127.0.0.1:0")];
    let mut server = Terminal::start(PROBE, &["serve"], folder.path(), &env);
    let at = server.until(0, "listening on");
    let log = format!("log={}", folder.path().join("legs").display());
    let called = run(&folder.path().join("data"), &["call", "relay", "legs=2", "leg_ms=600000", &log]).await;
    assert!(called.status.success(), "{}", text(&called.stderr));
    server.send(CTRL_C);
    let at = server.until(at, "stopping: 1 durable task continues after the restart: relay; Ctrl-C again stops now");
    server.send(CTRL_C);
    server.until(at, "stopping now: work that still runs is interrupted");
    assert_eq!(server.ended(), 0);
    let tasks = json_lines(&run(&folder.path().join("data"), &["tasks", "--json"]).await);
    assert_eq!(tasks[0]["state"], "queued", "{tasks:?}");
}

#[tokio::test]
async fn folder_in_use_names_the_way_to_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _node = NodeOptions::new(PROBE, &data).start().await;
    let output = run(&data, &["dev"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stop it, or use another data folder"), "{said}");
    assert!(said.contains("`probe link` prints a link to its page"), "{said}");
}

/// A stand-in for the desktop's program: writes down the file that it is to open.
fn opener(folder: &Path) -> (String, PathBuf) {
    use std::os::unix::fs::PermissionsExt;

    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let opened = folder.join("opened");
    let script =
        format!("#!/bin/sh\nls -l \"$1\" > {0}.new\ncat \"$1\" >> {0}.new\nmv {0}.new {0}\n", opened.display());
    for name in ["xdg-open", "open"] {
        std::fs::write(bin.join(name), &script).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    (format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()), opened)
}

/// The link that a terminal shows.
fn link_in(screen: &str) -> String {
    let at = screen.find("http://").unwrap();
    screen[at..].split(['\x1b', '\r', '\n']).next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_on_a_desktop_opens_the_browser_by_a_private_file() {
    let program = imperal_tests::sibling("cargo-imperal").display().to_string();
    for (program, args) in [(PROBE, &["dev"][..]), (PROBE, &[]), (&*program, &["imperal", "dev"])] {
        let folder = tempfile::tempdir().unwrap();
        extension_in(folder.path());
        let (path, opened) = opener(folder.path());
        let env = [
            ("PATH", &*path),
            ("DISPLAY", ":0"),
            ("CI", ""),
            ("SSH_CONNECTION", ""),
            ("SSH_CLIENT", ""),
            ("SSH_TTY", ""),
            ("IMPERAL_LISTEN", "127.0.0.1:0"),
        ];
        let mut dev = Terminal::start(program, args, folder.path(), &env);
        dev.until(0, "--no-open turns this off");
        let at = dev.until(0, "/open/");
        while !opened.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let page = std::fs::read_to_string(&opened).unwrap();
        assert!(page.contains(&format!("0;url={}\"", link_in(&dev.written()))), "{args:?}: {page}\n{}", dev.written());
        assert!(page.starts_with("-rw------- "), "the link signs a browser in: {page}");
        dev.send(CTRL_C);
        assert_eq!(dev.ended(), 0);
        assert!(!folder.path().join("data/open.html").exists(), "{at}");
    }
}

/// A command, and the environment that it runs in.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)]);

#[tokio::test(flavor = "multi_thread")]
async fn dev_opens_no_browser_elsewhere() {
    let desktop = [("DISPLAY", ":0"), ("CI", ""), ("SSH_CONNECTION", ""), ("SSH_CLIENT", ""), ("SSH_TTY", "")];
    let cases: [Case; 6] = [
        (&["dev", "--no-open"], &[]),
        (&["dev"], &[("IMPERAL_NO_OPEN", "1")]),
        (&["dev"], &[("CI", "true")]),
        (&["dev"], &[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")]),
        (&["dev"], &[("DISPLAY", "")]),
        // Not a terminal.
        (&["sh"], &[]),
    ];
    for (args, changed) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (path, opened) = opener(folder.path());
        let env: Vec<_> = [("PATH", &*path), ("IMPERAL_LISTEN", "127.0.0.1:0")]
            .iter()
            .chain(&desktop)
            .chain(changed)
            .copied()
            .collect();
        let piped = format!("{PROBE} dev | cat");
        let mut dev = match args {
            ["sh"] => Terminal::start("sh", &["-c", &piped], folder.path(), &env),
            args => Terminal::start(PROBE, args, folder.path(), &env),
        };
        dev.until(0, "/open/");
        dev.send(CTRL_C);
        dev.until(0, "stopping");
        let _ = dev.ended();
        assert!(!opened.exists() && !dev.written().contains("opening it"), "{args:?} {changed:?}: {}", dev.written());
    }
}
