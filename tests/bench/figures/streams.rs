//! Live streams of a real process: time from `ctx.progress` to a byte at the client, events to many
//! clients, and the memory of an idle stream.

use std::time::{Duration, Instant};

use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, token};
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Size;
use super::sample::{Sample, Table, rate, resident, time};

/// Streams that are opened concurrently.
const AT_ONCE: usize = 50;

/// One stream, read line by line. Lines of the chunked encoding match no prefix.
pub(super) struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(url: &str, user: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        let token = token(&Claims::of(user), JWT_SECRET);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request =
            format!("GET /v1/events/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self(BufReader::with_capacity(1024, stream));
        stream.line("event: hello").await;
        stream
    }

    /// The next line with this prefix.
    async fn line(&mut self, begin: &str) -> String {
        let mut line = String::new();
        assert!(self.read(begin, &mut line).await, "the stream ended");
        line
    }

    /// Reads up to the next line with this prefix. `false` at the end of the stream.
    pub(super) async fn read(&mut self, begin: &str, line: &mut String) -> bool {
        loop {
            line.clear();
            if self.0.read_line(line).await.unwrap_or_default() == 0 {
                return false;
            }
            if line.starts_with(begin) {
                return true;
            }
        }
    }

    /// Delay of each of the next progress reports.
    async fn delays(mut self, reports: usize) -> (Self, Sample) {
        let mut delays = Sample::default();
        for _ in 0..reports {
            self.line("event: progress").await;
            let line = self.line("data: ").await;
            let now = Timestamp::now();
            let data: serde_json::Value = serde_json::from_str(line["data: ".len()..].trim()).unwrap();
            let at: Timestamp = data["at"].as_str().unwrap().parse().unwrap();
            delays.push(now.duration_since(at).try_into().unwrap_or_default());
        }
        (self, delays)
    }

    async fn until(mut self, number: u64) -> Self {
        self.line(&format!("id: {number}\n")).await;
        self
    }
}

pub(super) async fn open(node: &Node, count: usize, name: impl Fn(usize) -> String) -> Vec<Stream> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let first = streams.len();
        let opening = (first..count.min(first + AT_ONCE)).map(|n| {
            let (url, user) = (node.url.clone(), name(n));
            async move { Stream::open(&url, &user).await }
        });
        streams.extend(futures_util::future::join_all(opening).await);
    }
    streams
}

async fn all<T: Send + 'static>(work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let running: Vec<_> = work.map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(running.len());
    for one in running {
        done.push(one.await.unwrap());
    }
    done
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
pub(crate) async fn run(size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    // Room for the idle streams and the calls beside them.
    options.args.extend(["--connections".to_owned(), "11000".to_owned()]);
    let node = options.start().await;
    let steps = size.of(40, 2);
    for watchers in [1, size.of(100, 2), size.of(1_000, 3)] {
        let anna = User::of(&node, &format!("anna-{watchers}"));
        let streams = open(&node, watchers, |_| format!("anna-{watchers}")).await;
        // Slower than the merging of reports, so that each is sent at once.
        let watching = tokio::spawn(all(streams.into_iter().map(move |stream| stream.delays(steps))));
        anna.call("steps", json!({"steps": steps, "step_ms": 150})).await;
        let mut delays = Sample::default();
        for (_, of_one) in watching.await.unwrap() {
            delays.extend_from(&of_one);
        }
        table.row(
            format!("progress to a byte at the client, {watchers} watchers of one user, p50 (p99)"),
            format!("{} ({})", time(delays.median()), time(delays.at(0.99))),
            "",
        );
    }

    let (watchers, calls) = (size.of(1_000, 3), size.of(400, 2));
    let busy = User::of(&node, "busy");
    let streams = open(&node, watchers, |_| "busy".to_owned()).await;
    let last = u64::try_from(calls * 2).unwrap();
    let begun = Instant::now();
    let watching = tokio::spawn(all(streams.into_iter().map(move |stream| stream.until(last))));
    let callers = 8;
    all((0..callers).map(|_| {
        let busy = busy.clone();
        async move {
            for _ in 0..calls / callers.min(calls) {
                busy.call("echo", json!({"text": "to all"})).await;
            }
        }
    }))
    .await;
    for _ in 0..calls % callers {
        busy.call("echo", json!({"text": "to all"})).await;
    }
    let heard = watching.await.unwrap();
    let took = begun.elapsed();
    table.row(
        format!("events to {watchers} watchers of one user: delivered a second (events a second)"),
        format!("{:.0} ({:.0})", rate(calls * 2 * watchers, took), rate(calls * 2, took)),
        "",
    );
    drop(heard);

    let before = resident(&node.pid().to_string());
    let idle = size.of(10_000, 20);
    let mut streams = open(&node, idle, |n| format!("idle-{n}")).await;
    let each = (resident(&node.pid().to_string()) - before) / idle as f64;
    table.row(format!("{idle} idle streams of as many users, memory of each"), format!("{:.1} KiB", each / 1024.0), "");
    let user = User::of(&node, "idle-7");
    let mut answers = Sample::default();
    let mut number = 0;
    let mut stream = streams.swap_remove(7);
    for _ in 0..size.of(100, 2) {
        let begun = Instant::now();
        user.call("echo", json!({"text": "one of many"})).await;
        number += 2;
        stream = stream.until(number).await;
        answers.push(begun.elapsed());
    }
    table.row("a call until both its turns arrive at one of them, p50", time(answers.median()), "");
    drop((stream, streams));
    let begun = Instant::now();
    while !user.get("/metrics").await.1.as_str().is_some_and(|text| text.contains("imperal_streams_open 0")) {
        assert!(begun.elapsed() < Duration::from_secs(30), "streams are closed");
        tokio::task::yield_now().await;
    }
    table.row("until all of them are closed after their clients", time(begun.elapsed().as_secs_f64()), "");
    node.kill().await;
}
