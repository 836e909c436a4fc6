//! Requests as bytes: without a client library, headers can hold any bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request to send.
#[derive(Debug, Clone)]
pub struct Raw(Vec<u8>, Vec<u8>);

impl Raw {
    pub fn new(method: &str, path: &str) -> Self {
        Self(format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n").into_bytes(), Vec::new())
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.1 = body.as_ref().to_vec();
        self
    }

    /// Sends the request; returns status and body. Status 0 when the connection ended without an answer.
    pub fn send(self, address: &str) -> (u16, String) {
        let Self(mut bytes, body) = self;
        if !body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        exchange(address, &bytes)
    }
}

/// Writes the bytes, then reads until the other end closes.
fn exchange(address: &str, bytes: &[u8]) -> (u16, String) {
    answer(&mut sent(address, bytes))
}

/// The same, with the client's half of the connection closed.
pub fn exchange_half(address: &str, bytes: &[u8]) -> (u16, String) {
    let mut stream = sent(address, bytes);
    let _ = stream.shutdown(Shutdown::Write);
    answer(&mut stream)
}

fn sent(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the node accepts connections");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // A server can answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    stream
}

fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
