//! An HTTP server in this process whose answers a test sends piece by piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A piece of an answer.
#[derive(Debug, Clone)]
pub enum Piece {
    /// A chunk of the body.
    Bytes(Vec<u8>),
    Pause(Duration),
    /// Until the test calls [`StreamServer::go_on`].
    Wait,
    /// The connection breaks: the last chunk is missing.
    Break,
    /// Until the client closes the connection.
    Hang,
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

pub struct StreamServer {
    pub url: String,
    asked: Arc<AtomicUsize>,
    go_on: mpsc::Sender<()>,
    closed: mpsc::Receiver<()>,
}

impl StreamServer {
    /// Answers each request with this head (status line and headers) and these pieces.
    pub async fn start(head: &str, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (go_on, gate) = mpsc::channel(10);
        let (close, closed) = mpsc::channel(10);
        let (head, pieces) = (head.to_owned(), Arc::new(pieces.into_iter().collect::<Vec<_>>()));
        let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Mutex::new(gate)));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (head, pieces, gate, close) = (head.clone(), pieces.clone(), gate.clone(), close.clone());
                tokio::spawn(async move {
                    let _ = answer(connection, &head, &pieces, &gate).await;
                    let _ = close.send(()).await;
                });
            }
        });
        Self { url, asked, go_on, closed }
    }

    /// Events, each in a chunk of its own.
    pub async fn events(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self::start("200 OK\r\ncontent-type: text/event-stream", pieces).await
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends a [`Piece::Wait`].
    pub fn gate(&self) -> mpsc::Sender<()> {
        self.go_on.clone()
    }

    /// Completes when an answer has ended: sent, broken off, or closed by the client.
    pub async fn closed(&mut self) {
        self.closed.recv().await.unwrap();
    }
}

async fn answer(
    mut connection: TcpStream,
    head: &str,
    pieces: &[Piece],
    gate: &tokio::sync::Mutex<mpsc::Receiver<()>>,
) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let _ = connection.read(&mut asked).await?;
    let head = format!("HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                connection.write_all(&chunk).await?;
                connection.flush().await?;
            }
            Piece::Pause(time) => tokio::time::sleep(*time).await,
            Piece::Wait => {
                gate.lock().await.recv().await;
            }
            Piece::Break => return Ok(()),
            Piece::Hang => {
                while connection.read(&mut asked).await? > 0 {}
                return Ok(());
            }
        }
    }
    connection.write_all(b"0\r\n\r\n").await
}
