//! Two nodes behind nginx, by the configuration in `deploy/nginx.conf`.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use imperal_tests::cluster::Database;
use imperal_tests::{Claims, JWT_SECRET, NodeOptions, User, token};
use serde_json::json;
use tokio::process::{Child, Command};

/// The file as it is, save for addresses and what needs root.
fn start_nginx(folder: &Path, nodes: [&str; 2]) -> (Child, String) {
    // nginx cannot be asked for a free port.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = super::file("deploy/nginx.conf");
    let hosts = nodes.map(|url| url.strip_prefix("http://").unwrap());
    let mut changed = site.clone();
    for (there, here) in [
        ("10.0.0.11:8080", hosts[0].to_owned()),
        ("10.0.0.12:8080", hosts[1].to_owned()),
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port};")),
    ] {
        assert!(changed.contains(there), "{there} is not in deploy/nginx.conf");
        changed = changed.replace(there, &here);
    }
    let without_tls = changed.lines().filter(|line| !line.trim_start().starts_with("ssl_"));
    let site = without_tls.collect::<Vec<_>>().join("\n");
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path temp;\n")).concat();
    let user = if Path::new("/root").read_dir().is_ok() { "user root;\n" } else { "" };
    let whole =
        format!("{user}pid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n");
    std::fs::write(folder.join("nginx.conf"), whole).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]);
    let nginx = nginx.stderr(Stdio::inherit()).kill_on_drop(true).spawn();
    (
        nginx.expect("nginx is here: `tests/run` installs it, Debian's package is `nginx-light`"),
        format!("http://127.0.0.1:{port}"),
    )
}

#[tokio::test]
async fn a_stream_is_not_held_back_and_a_dead_node_is_passed_over() {
    let database = Database::make("proxy").await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = [&folders[0], &folders[1]].map(|folder| {
        let mut options: NodeOptions = crate::options(folder);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
        options.args.extend(["--lease", "3"].map(str::to_owned));
        options
    });
    let (first, second) = tokio::join!(options[0].start(), options[1].start());
    let (mut nginx, url) = start_nginx(folders[2].path(), [&first.url, &second.url]);
    let anna = User::by(reqwest::Client::new(), &url, &token(&Claims::of("anna"), JWT_SECRET));
    let up = async {
        while anna.request(reqwest::Method::GET, "/readyz").send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), up).await.expect("nginx serves");
    let mut events = anna.stream(0).await;
    assert_eq!(events.next().await.event, "hello", "the first event waits for more");
    let called = anna.call("steps", json!({"steps": 4, "step_ms": 300})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let mut running = 0;
    let outcome = async {
        loop {
            let event = events.next().await;
            if event.event == "turn" && event.data["task_id"] == task_id && !event.data["result"].is_null() {
                return;
            }
            // Read while the work goes on, not all at its end.
            let (_, task) = anna.get(&format!("/v1/tasks/{task_id}")).await;
            running += usize::from(event.event == "progress" && task["state"] == "running");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), outcome).await.expect("the outcome comes through");
    assert!(running > 0, "progress came only when the work was over");
    // As long as one node is there, calls are taken; twice as many as there are nodes.
    first.kill().await;
    for _ in 0..4 {
        anna.call("steps", json!({"steps": 1, "step_ms": 1})).await;
    }
    nginx.kill().await.unwrap();
    second.terminate().await;
}
