//! One small extension for each surface of the context. `cargo run --example hello` serves one with its chat page.
//! This is the service that `approval` publishes pages to. It stands for yours.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

/// The address of the pages. The service starts when it is first asked for, in a thread of this process.
pub fn pages_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| start().unwrap_or_else(|error| format!("no service: {error}")))
}

fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/pages", listener.local_addr()?);
    std::thread::spawn(move || {
        let mut published = HashSet::new();
        for client in listener.incoming().flatten() {
            // A client that breaks off gets no answer.
            let _ = publish(client, &mut published);
        }
    });
    Ok(url)
}

/// Publishes the page of a request once for each `Idempotency-Key`: 201, and 200 for a repetition. 400 without a key.
fn publish(mut client: TcpStream, published: &mut HashSet<String>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = BufReader::new(client.try_clone()?);
    let (mut key, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        request.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    io::copy(&mut request.take(length), &mut io::sink())?;
    let status = match key.map(|key| published.insert(key)) {
        Some(true) => "201 Created",
        Some(false) => "200 OK",
        None => "400 Bad Request",
    };
    write!(client, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
