//! The load: callers in threads of their own, with one kept-alive connection each, over plain HTTP/1.1.
//!
//! `load` reads one JSON document from standard input (see `Plan`) and prints one line of JSON. A caller sends a
//! request, checks the answer, and optionally waits until the result is known: by polling, or on an event stream.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use imperal_bench_peers::http::{Connection, Request};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Plan {
    /// Caller `k` uses the address `k % addresses.len()`.
    addresses: Vec<String>,
    callers: usize,
    seconds: f64,
    /// Requests of all callers together.
    limit: Option<usize>,
    request: Request,
    /// The answer contains this text.
    accepted: String,
    /// Bearer token of each caller, in turn.
    #[serde(default)]
    tokens: Vec<String>,
    /// The text in front of the id in the answer. The id ends at the next quotation mark.
    id_after: Option<String>,
    /// How a caller learns the result, unless the answer is the result.
    known: Option<Known>,
    #[serde(default)]
    returns_ids: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Known {
    Poll {
        request: Request,
        contains: String,
        every_ms: f64,
    },
    /// A line with the id and this text.
    Stream {
        path: String,
        contains: String,
    },
}

#[derive(Default)]
struct Caller {
    millis: Vec<f64>,
    ids: Vec<String>,
    failed: usize,
    error: String,
}

impl Plan {
    fn headers(&self, caller: usize) -> String {
        if self.tokens.is_empty() {
            return String::new();
        }
        format!("authorization: Bearer {}\r\n", self.tokens[caller % self.tokens.len()])
    }

    /// One piece of work; returns its id.
    fn once(
        &self,
        own: &str,
        number: usize,
        main: &mut Connection,
        stream: &mut Option<Connection>,
    ) -> Result<String, String> {
        let (status, body) = main.send(&self.request.with("{n}", &number.to_string()), own)?;
        if status >= 300 || !body.contains(&self.accepted) {
            return Err(format!("{status} {body}"));
        }
        let id = match &self.id_after {
            None => String::new(),
            Some(mark) => {
                let (_, after) = body.split_once(mark.as_str()).ok_or(format!("no id in {body}"))?;
                after.split('"').next().unwrap_or_default().to_owned()
            }
        };
        match &self.known {
            None => {}
            Some(Known::Poll { request, contains, every_ms }) => {
                let (request, begun) = (request.with("{id}", &id), Instant::now());
                loop {
                    let (status, body) = main.send(&request, own)?;
                    if body.contains(contains.as_str()) {
                        break;
                    }
                    if begun.elapsed() > Duration::from_secs(60) {
                        return Err(format!("no result after 60 s: {status} {body}"));
                    }
                    std::thread::sleep(Duration::from_secs_f64(every_ms / 1e3));
                }
            }
            Some(Known::Stream { contains, .. }) => {
                let stream = stream.as_mut().ok_or("no stream")?;
                while !stream.line(|line| line.contains(&id) && line.contains(contains.as_str()))? {}
            }
        }
        Ok(id)
    }

    fn run(&self, caller: usize, next: &AtomicUsize, start: &Barrier) -> Caller {
        let (mut done, own) = (Caller::default(), self.headers(caller));
        let address = &self.addresses[caller % self.addresses.len()];
        let mut main = Connection::new(address);
        let mut stream = None;
        if let Some(Known::Stream { path, .. }) = &self.known {
            let mut connection = Connection::new(address);
            if let Err(error) = connection.open_stream(path, &own) {
                done.error = error;
            }
            stream = Some(connection);
        }
        start.wait();
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < self.seconds && done.failed < 20 {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if self.limit.is_some_and(|limit| number >= limit) {
                break;
            }
            let sent = Instant::now();
            match self.once(&own, number, &mut main, &mut stream) {
                Ok(id) => {
                    done.millis.push(sent.elapsed().as_secs_f64() * 1e3);
                    if self.returns_ids {
                        done.ids.push(id);
                    }
                }
                Err(error) => {
                    done.failed += 1;
                    done.error = error;
                    main = Connection::new(address);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        done
    }
}

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let plan: Plan = serde_json::from_str(&text).unwrap();
    let (next, start) = (AtomicUsize::new(0), Barrier::new(plan.callers + 1));
    let (all, mut seconds) = (Mutex::new(Caller::default()), 0.0);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..plan.callers)
            .map(|caller| {
                let (plan, next, start, all) = (&plan, &next, &start, &all);
                scope.spawn(move || {
                    let own = plan.run(caller, next, start);
                    let mut all = all.lock().unwrap();
                    all.millis.extend(own.millis);
                    all.ids.extend(own.ids);
                    all.failed += own.failed;
                    if !own.error.is_empty() {
                        all.error = own.error;
                    }
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        for caller in callers {
            caller.join().unwrap();
        }
        seconds = begun.elapsed().as_secs_f64();
    });
    let mut all = all.into_inner().unwrap();
    all.millis.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = |share: f64| all.millis.get(((all.millis.len().saturating_sub(1)) as f64 * share) as usize).copied();
    let error: String = all.error.chars().take(300).collect();
    let line = json!({
        "done": all.millis.len(), "seconds": seconds, "p50_ms": at(0.5), "p99_ms": at(0.99),
        "failed": all.failed, "error": error, "ids": all.ids,
    });
    println!("{line}");
}
