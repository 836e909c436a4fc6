//! An identity provider for tests: it signs users' tokens and publishes the keys at a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The Ed25519 key of RFC 8032, section 7.1, test 1: as PKCS#8, and its public half in Base64.
const PRIVATE: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d, 0x61, 0xb1,
    0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// How the issuer answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With keys of these names, after a delay.
    Keys(Vec<&'static str>, Duration),
    /// With a status and no keys.
    Status(u16),
    /// With a redirect to this address.
    Redirect(String),
    /// With an endless body.
    Endless,
}

/// An issuer that listens on this machine.
#[derive(Debug)]
pub struct Issuer {
    /// URL of its keys.
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Issuer {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let (answer, asked, sent) = (Arc::new(Mutex::new(answer)), Arc::default(), Arc::default());
        let (says, counts, counts_bytes) = (Arc::clone(&answer), Arc::clone(&asked), Arc::clone(&sent));
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let answer = says.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (counts, counts_bytes): (Arc<AtomicUsize>, Arc<AtomicUsize>) =
                    (Arc::clone(&counts), Arc::clone(&counts_bytes));
                tokio::spawn(async move {
                    // A client hangs up once it has read its limit.
                    let _ = serve(connection, answer, &counts, &counts_bytes).await;
                });
            }
        });
        Self { url, answer, asked, sent, serving }
    }

    /// Changes the answer to later requests.
    pub fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Number of requests for the keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Bytes of an endless answer that clients have read.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// A token with these claims, signed by the key of this name. It expires in an hour unless the claims say otherwise.
    ///
    /// # Panics
    /// When the claims are no object.
    pub fn token(kid: &str, mut claims: Value) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        claims.as_object_mut().expect("claims are an object").entry("exp").or_insert_with(|| json!(now + 3600));
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(PRIVATE)).expect("claims can be signed")
    }

    /// The JWKS with keys of these names.
    pub fn keys(kids: &[&str]) -> Value {
        let key = |kid: &&str| json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": PUBLIC});
        json!({ "keys": kids.iter().map(key).collect::<Vec<_>>() })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut connection: TcpStream,
    answer: Answer,
    asked: &AtomicUsize,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let whole = |status: u16, more: &str, body: &str| {
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
    };
    let text = match answer {
        Answer::Keys(kids, after) => {
            tokio::time::sleep(after).await;
            whole(200, "", &Issuer::keys(&kids).to_string())
        }
        Answer::Status(status) => whole(status, "", ""),
        Answer::Redirect(to) => whole(302, &format!("location: {to}\r\n"), ""),
        Answer::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[").await?;
            // Bounded nevertheless, for a client without a limit.
            for _ in 0..64 * 1024 {
                connection.write_all(&[b' '; 1024]).await?;
                sent.fetch_add(1024, Ordering::SeqCst);
            }
            return Ok(());
        }
    };
    connection.write_all(text.as_bytes()).await?;
    connection.shutdown().await
}
