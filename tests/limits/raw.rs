//! A client that sends exactly the given bytes.

use std::net::SocketAddr;
use std::time::Duration;

use imperal_tests::{Claims, JWT_SECRET, Node, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(node: &Node) -> Self {
        Self(TcpStream::connect(address(node)).await.unwrap())
    }

    /// A client with a small receive buffer.
    pub(crate) async fn with_little_room(node: &Node) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(address(node)).await.unwrap())
    }

    /// Sends bytes; returns whether the connection was open.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Everything that the node sends until it closes or resets the connection.
    pub(crate) async fn until_the_end(&mut self) -> String {
        let mut said = Vec::new();
        let read = async {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = self.0.read(&mut part).await {
                said.extend_from_slice(&part[..length]);
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("the node closes the connection");
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The next answer with a content length, on a connection that stays open.
    pub(crate) async fn answer(&mut self) -> String {
        let mut said = Vec::new();
        let read = async {
            loop {
                let text = String::from_utf8_lossy(&said).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    if length.is_some_and(|length| body.len() >= length.parse().unwrap()) {
                        return text;
                    }
                }
                let mut part = [0; 4096];
                let length = self.0.read(&mut part).await.unwrap();
                assert!(length > 0, "the connection ended after {text:?}");
                said.extend_from_slice(&part[..length]);
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("the node answers")
    }
}

fn address(node: &Node) -> SocketAddr {
    node.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// The head of a user's request, without the empty line at its end.
pub(crate) fn head(method: &str, path: &str, user: &str) -> String {
    let token = token(&Claims::of(user), JWT_SECRET);
    format!("{method} {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\n")
}

/// The status of an answer, and the code of its error.
pub(crate) fn status(answer: &str) -> (u16, String) {
    let status = answer.get(9..12).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}
