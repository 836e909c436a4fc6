//! The command `secret`, and the key that `dev` keeps outside of the data folder.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::files_in;

/// Runs a command on the data folder `data` of a folder, whose state is in `state` next to it.
fn run(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyring"));
    command.args(args).env("XDG_STATE_HOME", folder.join("state")).env("IMPERAL_DATA_DIR", folder.join("data"));
    command.env_remove("IMPERAL_SECRET_KEYS").env_remove("RUST_LOG");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn secret_is_entered_from_standard_input_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str], input: &str| run(folder.path(), args, input);
    assert_eq!(said(&run(&["secret", "set", "api_key"], "k-0123456789\n")), "api_key of keyring is set\n");
    let listed = said(&run(&["secret", "list", "--json"], ""));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["secrets"][0]["name"], &listed["secrets"][0]["status"]), (&"api_key".into(), &"set".into()));
    let shown = said(&run(&["secret", "list"], ""));
    assert!(shown.contains("user:me") && !shown.contains("k-0123456789"), "{shown}");
    // The value without its line end.
    let called = run(&["call", "put_into", "place=step", "--json", "--follow"], "");
    let shown = String::from_utf8_lossy(&[called.stdout, called.stderr].concat()).into_owned();
    assert!(!called.status.success() && shown.contains("SECRET_EXPOSED"), "{shown}");
    assert!(!shown.contains("k-0123456789"), "{shown}");
    assert_eq!(said(&run(&["secret", "remove", "api_key"], "")), "api_key of keyring is removed\n");
    assert_eq!(said(&run(&["secret", "remove", "api_key"], "")), "api_key of keyring had no value\n");

    // The key is in the user's own folder, and so is nothing of the data.
    let kept = files_in(&folder.path().join("state"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    let key = std::fs::read_to_string(&kept[0]).unwrap();
    let key = key.trim().split_once(':').unwrap().1;
    for file in files_in(&folder.path().join("data")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{}", file.display());
    }
}

#[test]
fn wrong_names_and_empty_values_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (args, input, wanted) in [
        (&["secret", "set"][..], "value", "name the secret"),
        (&["secret", "set", "api-key"], "value", "there is no secret `api-key`; there is api_key, token, shared_key"),
        (&["secret", "set", "api_key"], "\n", "no value was given"),
        (&["secret", "set", "api_key", "value"], "", "unexpected argument"),
        (&["secret", "set", "token"], "value", "enters the secret `token` itself"),
        (&["secret", "new-key", "--id", "A B"], "", "invalid id"),
    ] {
        let output = run(folder.path(), args, input);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(wanted), "{args:?}: {text}");
    }
}

#[test]
fn new_key_is_one_that_serve_takes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (run(folder.path(), &["secret", "new-key"], ""), run(folder.path(), &["secret", "new-key"], ""));
    let (one, other) = (said(&one), said(&other));
    assert_ne!(one, other);
    imperal::platform::SecretKeys::parse(&one).unwrap();
    assert!(!folder.path().join("data").exists(), "it needs no platform");
}
