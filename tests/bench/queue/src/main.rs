//! The PostgreSQL ledger and a job queue, compared on one server in one run.
//!
//! `run` in this folder starts a server and this program. Both sides insert a piece of work, claim it, and
//! write its end. The queue deletes a finished job; the ledger keeps the task, two events, an outcome turn
//! and a chained audit row. The sides alternate.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const CALLERS: usize = 16;
const EACH: usize = 125;
const JOBS: usize = CALLERS * EACH;
const ROUNDS: usize = 5;

#[derive(Deserialize, Serialize)]
struct Refine {
    text: String,
}

impl TaskHandler for Refine {
    const IDENTIFIER: &'static str = "refine";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        Ok::<(), String>(())
    }
}

async fn worker(url: &str, schema: &str, batched: bool) -> Worker {
    let options = WorkerOptions::default()
        .database_url(url)
        .schema(schema)
        .max_pg_conn(u32::try_from(CALLERS).unwrap())
        .concurrency(CALLERS)
        .define_job::<Refine>();
    let options = if batched {
        options
            .local_queue(LocalQueueConfig::default().with_size(500))
            .complete_job_batch_delay(Duration::from_millis(1))
    } else {
        options
    };
    options.init().await.unwrap()
}

/// Inserts all jobs, then runs them; returns the seconds of each.
async fn queue(worker: &Worker) -> [f64; 2] {
    let utils = Arc::new(worker.create_utils());
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let utils = utils.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    utils.add_job(Refine { text: "x".repeat(200) }, JobSpec::default()).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let put = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    worker.run_once().await.unwrap();
    [put, begun.elapsed().as_secs_f64()]
}

/// The ledger's side: `nodes-bench ledger`.
struct Ledger {
    _process: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Ledger {
    fn start(program: &str, url: &str) -> Self {
        let mut command = Command::new(program);
        command.args(["ledger", url, &CALLERS.to_string(), &EACH.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let ask = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { _process: process, ask, answers }
    }

    /// Seconds for calls with replies, task starts, and task ends.
    async fn round(&mut self) -> [f64; 3] {
        self.ask.write_all(b"\n").await.unwrap();
        let line = self.answers.next_line().await.unwrap().expect("the ledger's side continues");
        let times: Vec<f64> = line.split(' ').map(|time| time.parse().unwrap()).collect();
        times.try_into().unwrap()
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn rate(seconds: f64) -> f64 {
    f64::from(u32::try_from(JOBS).unwrap()) / seconds
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the address of a PostgreSQL server");
    let mut ours = Ledger::start(&arguments.next().expect("the program nodes-bench"), &url);
    let plain = worker(&url, "bench_plain", false).await;
    let batched = worker(&url, "bench_batched", true).await;
    let mut times: [Vec<f64>; 7] = Default::default();
    for round in 0..=ROUNDS {
        let all = [&ours.round().await[..], &queue(&plain).await, &queue(&batched).await].concat();
        // The first round warms up.
        if round > 0 {
            all.into_iter().zip(&mut times).for_each(|(time, times)| times.push(time));
        }
    }
    let [called, start, finish, put, work, batched_put, batched_work] = times.map(median);
    println!("{JOBS} pieces of work a round, {CALLERS} at once, medians of {ROUNDS} rounds, in a second:\n");
    println!("| | put in (ledger: and claimed) | ended (queue: claimed and ended) | both |\n|:--|--:|--:|--:|");
    let line = |name: &str, first: f64, second: f64| {
        println!("| {name} | {:.0} | {:.0} | {:.0} |", rate(first), rate(second), rate(first + second));
    };
    line("ledger: `start_task`, `finish_task`", start, finish);
    line("graphile_worker", put, work);
    line("graphile_worker, local queue and batched completion", batched_put, batched_work);
    println!("\nwhole background calls of the ledger (call, task, reply, outcome): {:.0}", rate(called + start + finish));
    println!("ledger to graphile_worker, both: {:.2}", (put + work) / (start + finish));
    println!("ledger to graphile_worker batched, both: {:.2}", (batched_put + batched_work) / (start + finish));
}
