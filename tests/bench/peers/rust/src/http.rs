//! A small HTTP/1.1 client that costs the measured servers little of the two cores: blocking, one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::Deserialize;

/// A request, with texts to fill in.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

impl Request {
    /// The same request with this text instead of the place.
    pub fn with(&self, place: &str, text: &str) -> Self {
        let fill = |old: &String| old.replace(place, text);
        Self {
            method: self.method.clone(),
            path: fill(&self.path),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
            body: fill(&self.body),
        }
    }
}

/// A connection that is opened with the first request.
#[derive(Debug)]
pub struct Connection {
    address: String,
    socket: Option<TcpStream>,
    read: Vec<u8>,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Connection {
    /// A connection to this address.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), socket: None, read: Vec::new() }
    }

    fn socket(&mut self) -> Result<&mut TcpStream, String> {
        if self.socket.is_none() {
            let socket = TcpStream::connect(&self.address).map_err(text)?;
            socket.set_nodelay(true).map_err(text)?;
            socket.set_read_timeout(Some(Duration::from_secs(60))).map_err(text)?;
            self.read.clear();
            self.socket = Some(socket);
        }
        self.socket.as_mut().ok_or_else(|| "no connection".to_owned())
    }

    fn write(&mut self, head: &str, body: &str) -> Result<(), String> {
        let request = format!("{head}\r\n{body}");
        self.socket()?.write_all(request.as_bytes()).map_err(text)
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut piece = [0; 16 * 1024];
        let count = self.socket()?.read(&mut piece).map_err(text)?;
        if count == 0 {
            return Err("the server closed the connection".to_owned());
        }
        self.read.extend_from_slice(&piece[..count]);
        Ok(())
    }

    /// Removes the next `count` bytes.
    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.read.len() < count {
            self.fill()?;
        }
        Ok(self.read.drain(..count).collect())
    }

    /// Removes the bytes up to this mark, and the mark.
    fn take_to(&mut self, mark: &[u8]) -> Result<String, String> {
        let mut from = 0;
        loop {
            if let Some(at) = self.read[from..].windows(mark.len()).position(|part| part == mark) {
                let mut taken = self.take(from + at + mark.len())?;
                taken.truncate(from + at);
                return Ok(String::from_utf8_lossy(&taken).into_owned());
            }
            from = self.read.len().saturating_sub(mark.len() - 1);
            self.fill()?;
        }
    }

    fn head(&mut self) -> Result<(u16, String), String> {
        let head = self.take_to(b"\r\n\r\n")?.to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok((status, head))
    }

    /// Sends a request and reads the whole answer.
    pub fn send(&mut self, request: &Request, own_headers: &str) -> Result<(u16, String), String> {
        let Request { method, path, headers, body } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{own_headers}", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n", body.len()));
        self.write(&head, body)?;
        let (status, head) = self.head()?;
        let mut bytes = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            loop {
                let size = self.take_to(b"\r\n")?;
                let size =
                    usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(text)?;
                let chunk = self.take(size + 2)?;
                bytes.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            bytes = self.take(length.unwrap_or(0))?;
        }
        if head.contains("connection: close") {
            self.socket = None;
        }
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Opens an event stream and waits for its first line.
    pub fn open_stream(&mut self, path: &str, own_headers: &str) -> Result<(), String> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{own_headers}", self.address);
        self.write(&head, "")?;
        let (status, head) = self.head()?;
        if status != 200 {
            return Err(head);
        }
        while !self.line(|line| line.starts_with("event:"))? {}
        Ok(())
    }

    /// Reads the next line of a stream. Lines of the chunked encoding are read as lines too.
    pub fn line(&mut self, is_it: impl Fn(&str) -> bool) -> Result<bool, String> {
        Ok(is_it(&self.take_to(b"\n")?))
    }
}
