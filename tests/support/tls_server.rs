//! A PostgreSQL server with TLS and its certificates.
//!
//! It listens on 127.0.0.1, accepts TLS only, and authenticates the user `anna` by password (SCRAM) and the
//! user `cara` by a client certificate. `openssl` creates the authority and the certificate, which is valid
//! for `localhost` only. It ends with this process, like the server of [`crate::cluster`].

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::{cluster, free_port};

/// The password of `anna`.
pub const PASSWORD: &str = "hunter2-of-anna";

/// Arguments: the folder of PostgreSQL's programs, and a port.
const SCRIPT: &str = r#"
set -e
folder=$(mktemp -d /tmp/imperal-tls.XXXXXX)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
exec 3>log
{
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj "/CN=Authority of the tests"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout other.key -out other.pem -subj "/CN=Another authority"
  openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj "/CN=localhost"
  printf 'subjectAltName=DNS:localhost\n' >names
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -sha384 -extfile names -out server.pem
  shown_by() { # shown_by NAME COMMON_NAME AUTHORITY [OPTION ..]
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2"
    name=$1; authority=$3; shift 3
    openssl x509 -req -in "$name.csr" -CA "$authority.pem" -CAkey "$authority.key" -CAcreateserial -days 2 \
      -out "$name.pem" "$@"
  }
  # cara's has version 1, as in PostgreSQL's manual; dora's has version 3.
  shown_by cara cara ca
  shown_by dora dora ca -extfile names
  shown_by forged cara other
  openssl pkey -in cara.key -aes256 -passout pass:secret -out cara-locked.key
  openssl rsa -in cara.key -aes256 -traditional -passout pass:secret -out cara-locked-of-old.key
  openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-521 -out odd.key
  openssl req -x509 -key odd.key -days 2 -out odd.pem -subj "/CN=cara"
  chmod 600 ./*.key
  cp cara.key cara-open.key
  chmod 640 cara-open.key
  chmod 644 ./*.pem
  "$1/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  printf 'local all all trust\nhostssl all cara 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >data/pg_hba.conf
} >&3 2>&3 || { cat log >&2; exit 1; }
"$1/postgres" -D data -k "$folder" -p "$2" -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on \
  -c ssl_cert_file="$folder/server.pem" -c ssl_key_file="$folder/server.key" \
  -c ssl_ca_file="$folder/ca.pem" >&3 2>&3 </dev/null &
server=$!
# Prints the folder once the server listens, or its log when it does not start.
until [ -S ".s.PGSQL.$2" ]; do kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }; sleep 0.02; done
echo "$folder"
cat >/dev/null
kill -INT "$server"
wait "$server" || true
"#;

/// The server.
#[derive(Debug)]
pub struct TlsServer {
    folder: PathBuf,
    port: u16,
    /// Runs until its pipe is closed.
    shell: Child,
}

impl TlsServer {
    /// Starts the server.
    ///
    /// # Panics
    /// When PostgreSQL or openssl is not installed, or the server does not start.
    pub async fn start() -> Self {
        let port = free_port();
        let mut command = cluster::as_server(SCRIPT);
        command.arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().expect("the server's shell starts");
        let mut folder = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped")).read_line(&mut folder).expect("it says its folder");
        assert!(!folder.trim_end().is_empty(), "the server was not made, see above");
        let server = Self { folder: folder.trim_end().into(), port, shell };
        let inside = format!("host={} port={port} user=postgres dbname=postgres", server.folder.display());
        let sql = format!(
            "CREATE ROLE anna LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE anna OWNER anna; CREATE ROLE cara LOGIN; \
             CREATE DATABASE cara OWNER cara"
        );
        let client = cluster::client_of(&inside).await;
        for statement in sql.split(';') {
            client.batch_execute(statement).await.expect("roles and databases can be made");
        }
        server
    }

    /// The folder of its socket, which accepts every user, and its port.
    pub fn inside(&self) -> (&std::path::Path, u16) {
        (&self.folder, self.port)
    }

    /// The address of the database of `anna`, with this host and these parameters.
    pub fn url(&self, host: &str, parameters: &str) -> String {
        format!("postgres://anna:{PASSWORD}@{host}:{}/anna?{parameters}", self.port)
    }

    /// The address of the database of `cara`, who has no password, with this host and these parameters.
    pub fn url_of_cara(&self, host: &str, parameters: &str) -> String {
        format!("postgres://cara@{host}:{}/cara?{parameters}", self.port)
    }

    /// The same address as `key=value` pairs.
    pub fn words_of_cara(&self, host: &str, parameters: &str) -> String {
        format!("host={host} port={} user=cara dbname=cara {parameters}", self.port)
    }

    /// The path of a file. Authorities and the server: `ca.pem` issued `server.pem`, `other.pem` did not.
    /// Client certificates, each with a `.key`: `cara.pem`, `dora.pem` for another user, `forged.pem` for `cara`
    /// but issued by `other.pem`, `odd.pem` on a rare curve. Other keys of `cara.pem`: `cara-open.key`, readable
    /// by a group, and `cara-locked.key` and `cara-locked-of-old.key`, both encrypted.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A failing test reports its own failure.
        let _ = self.shell.wait();
    }
}
