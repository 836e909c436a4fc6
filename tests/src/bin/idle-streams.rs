//! Opens many live streams of as many users and prints what they cost the process.
//!
//!     cargo run --release -p imperal-tests --bin idle-streams -- 10000
//!
//! Both processes need a file descriptor for each stream: `ulimit -n`.

use std::time::{Duration, Instant};

use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, sibling, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Streams that are opened at once.
const AT_ONCE: usize = 50;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let wanted: usize = arguments.get(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut options = NodeOptions::new(sibling(&arguments[0], "probe"), folder.path().join("data"));
    options.log = Some(folder.path().join("log"));
    let node = options.start().await;
    let before = memory(&node);
    let begun = Instant::now();
    let mut streams = Vec::with_capacity(wanted);
    while streams.len() < wanted {
        let first = streams.len();
        let opening = (first..wanted.min(first + AT_ONCE)).map(|n| open(&node.url, n));
        streams.extend(futures_util::future::join_all(opening).await);
    }
    let opened = begun.elapsed();
    let after = memory(&node);
    println!(
        "{} idle streams opened in {:.1} s: {:.1} MiB before, {:.1} MiB with them, {:.1} KiB each",
        streams.len(),
        opened.as_secs_f64(),
        mib(before),
        mib(after),
        mib(after.saturating_sub(before)) * 1024.0 / f64::from(u32::try_from(wanted).unwrap_or(u32::MAX))
    );
    // One of them becomes busy: the others are not woken.
    let user = User::of(&node, "user-7");
    let mut fastest = Duration::MAX;
    for n in 0..20 {
        let begun = Instant::now();
        user.call("echo", serde_json::json!({"text": format!("n{n}")})).await;
        until(&mut streams[7], &format!("\"text\":\"n{n}\"")).await;
        fastest = fastest.min(begun.elapsed());
    }
    println!("a call and its reply on one of them: {:.1} ms at best of 20", fastest.as_secs_f64() * 1e3);
    drop(streams);
    let begun = Instant::now();
    while !user.get("/metrics").await.1.as_str().is_some_and(|text| text.contains("imperal_streams_open 0")) {
        tokio::task::yield_now().await;
    }
    println!("all gone {:.1} s after their clients, {:.1} MiB left", begun.elapsed().as_secs_f64(), mib(memory(&node)));
    node.kill().await;
}

/// A stream of the n-th user, its greeting read.
async fn open(url: &str, n: usize) -> TcpStream {
    let address = url.strip_prefix("http://").expect("an HTTP address");
    let token = token(&Claims::of(&format!("user-{n}")), JWT_SECRET);
    let mut stream = TcpStream::connect(address).await.expect("it accepts");
    let request = format!("GET /v1/events/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    until(&mut stream, "event: hello").await;
    stream
}

/// Reads on until a text has come.
async fn until(stream: &mut TcpStream, text: &str) {
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&read).contains(text) {
        let bytes = stream.read(&mut part).await.expect("the stream goes on");
        assert!(bytes > 0, "the stream ended");
        read.extend_from_slice(&part[..bytes]);
    }
}

/// Resident memory of the node, in bytes.
fn memory(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("the process is there");
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
