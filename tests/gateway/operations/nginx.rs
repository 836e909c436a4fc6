//! nginx with the configuration in `deploy/nginx.conf`.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use imperal_tests::{User, free_port};
use tempfile::TempDir;

/// nginx in front of two nodes.
pub(crate) struct Nginx {
    folder: TempDir,
    process: Child,
    /// The configuration with both nodes.
    whole: String,
    /// The address that it listens on.
    pub(crate) url: String,
}

impl Nginx {
    /// The file with other addresses and without the settings that need root.
    pub(crate) fn start(nodes: [&str; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut site = super::file("deploy/nginx.conf");
        let hosts = nodes.map(host);
        for (there, here) in [
            ("10.0.0.11:8080", hosts[0].to_owned()),
            ("10.0.0.12:8080", hosts[1].to_owned()),
            ("listen 443 ssl;", format!("listen 127.0.0.1:{port};")),
        ] {
            assert!(site.contains(there), "{there} is not in deploy/nginx.conf");
            site = site.replace(there, &here);
        }
        let without_tls = site.lines().filter(|line| !line.trim_start().starts_with("ssl_"));
        let site = without_tls.collect::<Vec<_>>().join("\n");
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path temp;\n"))
            .concat();
        let user = if Path::new("/root").read_dir().is_ok() { "user root;\n" } else { "" };
        let whole = format!(
            "{user}pid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), &whole).unwrap();
        let process = command(folder.path()).args(["-g", "daemon off;"]).spawn();
        let process = process.expect("nginx is here: `tests/run` installs it, Debian's package is `nginx-light`");
        Self { folder, process, whole, url: format!("http://127.0.0.1:{port}") }
    }

    /// Waits until nginx answers.
    pub(crate) async fn serves(&self, anybody: &User) {
        let up = async {
            while anybody.request(reqwest::Method::GET, "/readyz").send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.expect("nginx serves");
    }

    /// Takes a node out, or none, as docs/operations.md says: `down` after its address, and a reload. Returns
    /// when new requests no longer reach that node.
    pub(crate) async fn without(&self, node: Option<&str>) {
        let taken_out = node.map(|node| format!("server {} ", host(node)));
        let lines = self.whole.lines().map(|line| match &taken_out {
            Some(server) if line.trim_start().starts_with(server) => line.replace(';', " down;"),
            _ => line.to_owned(),
        });
        let changed = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(changed.contains(" down;"), node.is_some());
        std::fs::write(self.folder.path().join("nginx.conf"), changed).unwrap();
        let before = self.workers();
        assert!(command(self.folder.path()).args(["-s", "reload"]).status().unwrap().success());
        let taken_over = async {
            // The old workers end after their last request; the new ones start before that.
            while self.workers().iter().all(|worker| before.contains(worker)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), taken_over).await.expect("nginx takes its new configuration");
        // Until the old workers accept no more connections.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    fn workers(&self) -> Vec<String> {
        let found = Command::new("pgrep").args(["-P", &self.process.id().to_string()]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    /// On SIGTERM nginx ends its workers; on SIGKILL it would leave them.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

fn command(folder: &Path) -> Command {
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    nginx
}
