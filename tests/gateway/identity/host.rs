//! The `Host` of a request: the name of another site must not lead to this machine's page.

use std::process::Stdio;
use std::time::Duration;

use imperal_tests::User;
use reqwest::Method;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{cookie, http, message};
use crate::{node, options};

#[tokio::test]
async fn dev_accepts_hosts_of_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Command::new(env!("CARGO_BIN_EXE_probe"));
    dev.args(["dev", "--listen", "127.0.0.1:0", "--allowed-host", "box.example", "--data-dir"]).arg(folder.path());
    let mut process = dev.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let link = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the process runs");
            if let Some(link) = line.strip_prefix("open ") {
                return link.to_owned();
            }
        }
    });
    let link = link.await.expect("dev prints its link");
    let url = link.split("/open/").next().unwrap().to_owned();
    let port = url.rsplit(':').next().unwrap();
    let http = http();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("box.example".to_owned(), 200),
        ("evil.example".to_owned(), 421),
        (format!("evil.example:{port}"), 421),
        ("localhost:1".to_owned(), 421),
    ] {
        for path in ["/", "/healthz"] {
            let answer = http.get(format!("{url}{path}")).header("host", &host).send().await.unwrap();
            assert_eq!(answer.status(), status, "{host}{path}");
        }
    }
    let answer = http.get(&url).header("host", "evil.example").send().await.unwrap();
    let body: serde_json::Value = answer.json().await.unwrap();
    assert!(message(&body).contains("`--allowed-host evil.example`"), "{body}");
    // The link in the first line opens the page.
    assert!(cookie(&http.post(&link).send().await.unwrap()).is_some());
}

#[tokio::test]
async fn serve_checks_hosts_only_when_some_are_configured() {
    let (_folder, any) = node().await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--allowed-host", "chat.example"].map(str::to_owned));
    let named = options.start().await;
    for (node, host, status) in
        [(&any, "evil.example", 200), (&named, "chat.example", 200), (&named, "evil.example", 421)]
    {
        let request = User::of(node, "anna").request(Method::GET, "/v1/session").header("host", host);
        assert_eq!(User::send(request).await.0, status, "{host}");
    }
    assert_eq!(User::of(&named, "anna").get("/v1/session").await.0, 200, "by its own address");
}
