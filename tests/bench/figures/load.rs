//! One node as its users meet it: many of them, each with an open stream, and mixed calls over HTTP for minutes.
//!
//! Every user pauses between two calls, so the number of calls a second is given. The bench measures how long they
//! take, and whether memory and file grow by more than the kept rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use imperal_tests::{Claims, JWT_SECRET, NodeOptions, User, token};
use serde_json::json;

use super::Size;
use super::sample::{Sample, Table, rate, resident, time};
use super::streams::open;

/// Mean pause of a user between two calls.
const PAUSE: Duration = Duration::from_secs(1);

/// A kind of call. Of twenty calls twelve read, five write, two start a background task, and one reads the chat.
#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
    Background,
    Chat,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Background, Self::Chat];

    fn of(number: u64) -> Self {
        match number % 20 {
            0..12 => Self::Read,
            12..17 => Self::Write,
            17..19 => Self::Background,
            _ => Self::Chat,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Read => "a read call",
            Self::Write => "a write call",
            Self::Background => "a call with a background task of 60 ms, until its acknowledgement",
            Self::Chat => "the latest 50 turns of the chat",
        }
    }

    async fn run(self, user: &User) {
        match self {
            Self::Read => drop(user.call("echo", json!({"text": "Is it still raining?", "times": 3})).await),
            Self::Write => drop(user.call("linger", json!({"millis": 0})).await),
            Self::Background => drop(user.call("steps", json!({"steps": 3, "step_ms": 20})).await),
            Self::Chat => drop(user.get("/v1/chat/turns?limit=50").await),
        }
    }
}

/// A sequence of numbers that looks random and is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Between a half and one and a half times the mean.
    fn pause(&mut self) -> Duration {
        let mean = u64::try_from(PAUSE.as_micros()).unwrap();
        Duration::from_micros(mean / 2 + self.next() % mean)
    }
}

async fn use_it(user: User, number: u64, until: Instant) -> [Sample; 4] {
    let mut samples: [Sample; 4] = std::array::from_fn(|_| Sample::default());
    let mut numbers = Numbers(number);
    tokio::time::sleep(numbers.pause()).await;
    while Instant::now() < until {
        let kind = Kind::of(numbers.next());
        let begun = Instant::now();
        kind.run(&user).await;
        samples[kind as usize].push(begun.elapsed());
        tokio::time::sleep(numbers.pause()).await;
    }
    samples
}

/// Bytes of the files of a folder.
fn stored(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
pub(crate) async fn run(size: Size, table: &mut Table) {
    let (count, lasts) = (size.of(1_000, 4), Duration::from_secs(size.of(600, 3) as u64));
    let folder = tempfile::tempdir_in(".").unwrap();
    let data = folder.path().join("data");
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), &data);
    options.args.extend(["--connections".to_owned(), "3000".to_owned()]);
    options.log_into(folder.path());
    let node = options.start().await;
    let process = node.pid().to_string();

    let (ended, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let streams = open(&node, count, |n| format!("user-{n}")).await;
    let listening: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let (ended, heard) = (ended.clone(), heard.clone());
            tokio::spawn(async move {
                let mut line = String::new();
                while stream.read("event: ", &mut line).await {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
                assert!(ended.load(Ordering::Relaxed), "a stream ended before its time");
            })
        })
        .collect();
    let http = reqwest::Client::new();
    let users =
        (0..count).map(|n| User::by(http.clone(), &node.url, &token(&Claims::of(&format!("user-{n}")), JWT_SECRET)));

    let begun = Instant::now();
    let using: Vec<_> =
        users.zip(0..).map(|(user, number)| tokio::spawn(use_it(user, number, begun + lasts))).collect();
    // Memory at tenths of the time, after the first.
    let mut memory = Vec::new();
    let mut files = 0;
    for tenth in 1..=10_u32 {
        tokio::time::sleep_until((begun + lasts * tenth / 10).into()).await;
        memory.push(resident(&process));
        files = if tenth == 1 { stored(&data) } else { files };
    }
    let mut samples: [Sample; 4] = std::array::from_fn(|_| Sample::default());
    for one in using {
        for (all, of_one) in samples.iter_mut().zip(one.await.unwrap()) {
            all.extend_from(&of_one);
        }
    }
    let took = begun.elapsed();
    let calls: usize = samples.iter().map(Sample::len).sum();
    let grown = stored(&data).saturating_sub(files) as f64;
    table.row(
        format!("{count} users with open streams, {} minutes: requests a second", lasts.as_secs() / 60),
        format!("{:.0}", rate(calls, took)),
        "",
    );
    for kind in Kind::ALL {
        let sample = &samples[kind as usize];
        if sample.len() > 0 {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| time(sample.at(share)));
            table.row(format!("{}: p50, p99, p99.9", kind.words()), format!("{p50}, {p99}, {p999}"), "");
        }
    }
    let events = heard.load(Ordering::Relaxed);
    table.row(
        "events read from the streams a second",
        format!("{:.0}", rate(usize::try_from(events).unwrap(), took)),
        "",
    );
    let mebi = |bytes: f64| format!("{:.0}", bytes / 1_048_576.0);
    table.row(
        "resident memory at the tenths of the time, in MiB",
        memory.iter().map(|bytes| mebi(*bytes)).collect::<Vec<_>>().join(", "),
        "",
    );
    table.row(
        "growth of the data folder after the first tenth, a request",
        format!("{:.2} KiB", grown / (calls as f64 * 0.9) / 1024.0),
        "",
    );
    ended.store(true, Ordering::Relaxed);
    node.kill().await;
    for stream in listening {
        stream.await.unwrap();
    }
}
