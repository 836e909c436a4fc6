//! A PostgreSQL primary and its synchronous standby. A test can kill the primary and promote the standby.
//!
//! Both listen on sockets in one folder. They end with this process, like the server of [`crate::cluster`].

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::cluster;

const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d /tmp/imperal-replicated.XXXXXX)
trap 'kill -INT $first $second 2>/dev/null || true; wait || true; rm -rf "$folder"' EXIT
cd "$folder"
exec 3>log
serve() { # serve DATA PORT
  "$programs/postgres" -D "$1" -k "$folder" -p "$2" -c listen_addresses= -c fsync=off -c max_connections=100 \
    -c logging_collector=off >&3 2>&3 </dev/null &
  server=$!
  until [ -S ".s.PGSQL.$2" ]; do kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }; sleep 0.02; done
}
programs=$1
{
  "$programs/initdb" -D primary -U postgres -A trust -E UTF8 --no-locale --no-sync
} >&3 2>&3 || { cat log >&2; exit 1; }
serve primary 5432
first=$server
at="-h $folder -p 5432 -U postgres"
soon() { # soon COMMAND ..: until it succeeds, for ten seconds
  tries=0
  until "$@"; do tries=$((tries + 1)); [ $tries -lt 200 ] || return 1; sleep 0.05; done
}
is_followed() { psql $at -Atc "SELECT sync_state FROM pg_stat_replication" | grep -q sync; }
{
  soon pg_isready $at &&
  pg_basebackup $at -D standby -R -X stream --checkpoint=fast --no-sync
} >&3 2>&3 || { cat log >&2; exit 1; }
serve standby 5433
second=$server
# From here on a commit is answered once the standby has it. The copy is not told: alone it waits for nobody.
{
  psql $at -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" && soon is_followed
} >&3 2>&3 || { cat log >&2; exit 1; }
echo "$folder"
cat >/dev/null
"#;

/// The two servers.
#[derive(Debug)]
pub struct Replicated {
    folder: PathBuf,
    /// Runs until its pipe is closed.
    shell: Child,
}

impl Replicated {
    /// Starts them.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or a server does not start.
    pub fn start() -> Self {
        let mut command = cluster::as_server(SCRIPT);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().expect("the servers' shell starts");
        let mut folder = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped")).read_line(&mut folder).expect("it says its folder");
        assert!(!folder.trim_end().is_empty(), "the servers were not made, see above");
        Self { folder: folder.trim_end().into(), shell }
    }

    /// An address with both hosts, the standby first.
    pub fn url(&self) -> String {
        let folder = self.folder.display();
        format!("host={folder},{folder} port=5433,5432 user=postgres dbname=postgres")
    }

    /// Kills the primary with SIGKILL and promotes the standby.
    ///
    /// # Panics
    /// When one of the two steps fails.
    pub async fn fail_over(&self) {
        let pid = std::fs::read_to_string(self.folder.join("primary/postmaster.pid")).expect("the primary runs");
        let pid = pid.lines().next().expect("it says its process");
        let killed = Command::new("kill").args(["-9", pid]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the primary could be killed");
        let standby = format!("host={} port=5433 user=postgres dbname=postgres", self.folder.display());
        let promoted = cluster::client_of(&standby).await.query_one("SELECT pg_promote()", &[]).await;
        assert!(promoted.expect("the standby answers").get::<_, bool>(0), "the standby was promoted");
    }
}

impl Drop for Replicated {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A failing test reports its own failure.
        let _ = self.shell.wait();
    }
}
