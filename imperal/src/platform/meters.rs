//! The metrics of a node, in Prometheus' text format.
//!
//! Owns the names, labels and help texts, except the ledger's. The platform and the gateway count here. No label
//! names a user. Counting takes no lock and allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::assistant_meters::AssistantMeters;
use crate::codes;
#[cfg(feature = "platform")]
use crate::codes::ErrorCode;
use crate::function::Registry;
#[cfg(feature = "platform")]
use crate::ledger::LedgerMeters;
use crate::ledger::{Backlog, Pruned, QueueLoad, TaskState};
#[cfg(feature = "platform")]
use crate::loops::Loops;
#[cfg(feature = "platform")]
use crate::meters::Text;
use crate::meters::{CALLS, Counter, DELAYS, Gauge, Histogram, TASKS};
use crate::task::Ending;

/// Defines an enum whose variants are the values of a label.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $text)),*];
        }
    };
}

labels! {
    /// How a call ended.
    CallOutcome {
        Success "success" Error "error" Timeout "timeout" Cancelled "cancelled" Panic "panic"
        Interrupted "interrupted"
    }
}

labels! {
    /// The outcome of a lease renewal.
    Renewal { Renewed "renewed" Failed "failed" Lost "lost" }
}

labels! {
    /// The kinds of events that a stream sent.
    Sent { Turn "turn" Task "task" Progress "progress" Draft "draft" Pruned "pruned" }
}

labels! {
    /// Why a connection was closed: a request's header took too long, no request came for too long, the client
    /// read nothing of a response, or another connection needed the permit.
    Cut { Header "header" Idle "idle" Write "write" Crowded "crowded" }
}

labels! {
    /// Where an outgoing request went.
    HostKind { Loopback "loopback" Private "private" Public "public" }
}

labels! {
    /// The outcome of an outgoing request. Aborted: its call or task ended or dropped it.
    HttpOutcome {
        Informational "1xx" Success "2xx" Redirect "3xx" Refused "4xx" Failed "5xx" Timeout "timeout"
        Connect "connect" Decode "decode" Aborted "aborted"
    }
}

labels! {
    /// An action of this node on a durable task: it took one up; took up one whose attempts crashed their processes; gave
    /// one back because it stops; or because this program cannot continue it.
    Durable { Resumed "resumed" Suspect "suspect" HandedOver "handed_over" Parked "parked" Refused "refused" }
}

labels! {
    /// What this node did with a schedule that was due: it began a run; skipped one because the run before was still
    /// running; or stopped the schedule, which needs its user.
    Scheduled { Started "started" Skipped "skipped" Stopped "stopped" }
}

labels! {
    /// Unfinished work of an incarnation that has ended.
    Reclaimed { Call "call" Task "task" }
}

impl CallOutcome {
    pub(crate) const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl HttpOutcome {
    pub(crate) const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The kinds of what retention removes, in the order of [`Meters::pruned`].
const PRUNED: [&str; 7] = ["turn", "call", "task", "event", "audit", "step_value", "document"];
const ENDS: [TaskState; 5] =
    [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled, TaskState::TimedOut, TaskState::Reclaimed];

impl From<&Ending> for CallOutcome {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Answered(answer) if answer.is_success() => Self::Success,
            Ending::Answered(_) | Ending::Failed(_) => Self::Error,
            Ending::Panicked(_) => Self::Panic,
            Ending::Cancelled => Self::Cancelled,
            Ending::TimedOut | Ending::Silent => Self::Timeout,
            Ending::Interrupted | Ending::Left(_) => Self::Interrupted,
        }
    }
}

fn counters<T>(of: &[T]) -> Vec<Counter> {
    of.iter().map(|_| Counter::default()).collect()
}

/// Everything that one node counts.
#[derive(Debug)]
#[cfg_attr(not(feature = "platform"), expect(dead_code, reason = "the gateway counts some and shows all"))]
pub(crate) struct Meters {
    calls: HashMap<(&'static str, &'static str), Vec<Histogram>>,
    tasks: Vec<Histogram>,
    pub(crate) tasks_started: Counter,
    reclaimed: Vec<Counter>,
    pub(crate) unsettled: Gauge,
    durable: Vec<Counter>,
    scheduled: Vec<Counter>,
    stuck: Gauge,
    oldest_ready: Gauge,
    unknown_effects: Gauge,
    queues: Mutex<Vec<(QueueLoad, u64)>>,
    resumes: Histogram,
    renewals: Vec<Counter>,
    pub(crate) connections_open: Gauge,
    cut: Vec<Counter>,
    pub(crate) streams_open: Gauge,
    pub(crate) streams_opened: Counter,
    sent: Vec<Counter>,
    pub(crate) refusals_only_counted: Counter,
    /// By the platform's codes; the last counter is for all other codes.
    refusals: Vec<Counter>,
    http: Vec<Vec<Histogram>>,
    pruned: [Counter; PRUNED.len()],
    files_written: Counter,
    file_bytes: Counter,
    files_failed: Counter,
    files_removed: Counter,
    pub(super) assistant: AssistantMeters,
}

impl Meters {
    pub(crate) fn new(registry: &Registry) -> Self {
        let functions = registry.extensions().flat_map(|extension| {
            extension.functions().iter().map(move |function| (extension.app_id(), function.name))
        });
        let histograms = |count: usize, scale| (0..count).map(|_| Histogram::new(scale)).collect::<Vec<_>>();
        Self {
            calls: functions.map(|name| (name, histograms(CallOutcome::ALL.len(), &CALLS))).collect(),
            tasks: histograms(ENDS.len(), &TASKS),
            tasks_started: Counter::default(),
            reclaimed: counters(Reclaimed::ALL),
            unsettled: Gauge::default(),
            durable: counters(Durable::ALL),
            scheduled: counters(Scheduled::ALL),
            stuck: Gauge::default(),
            oldest_ready: Gauge::default(),
            unknown_effects: Gauge::default(),
            queues: Mutex::default(),
            resumes: Histogram::new(&DELAYS),
            renewals: counters(Renewal::ALL),
            connections_open: Gauge::default(),
            cut: counters(Cut::ALL),
            streams_open: Gauge::default(),
            streams_opened: Counter::default(),
            sent: counters(Sent::ALL),
            refusals_only_counted: Counter::default(),
            refusals: (0..=codes::ALL.len()).map(|_| Counter::default()).collect(),
            http: HostKind::ALL.iter().map(|_| histograms(HttpOutcome::ALL.len(), &CALLS)).collect(),
            pruned: Default::default(),
            files_written: Counter::default(),
            file_bytes: Counter::default(),
            files_failed: Counter::default(),
            files_removed: Counter::default(),
            assistant: AssistantMeters::new(),
        }
    }

    pub(crate) fn call(&self, app_id: &'static str, function: &'static str, outcome: CallOutcome, took: Duration) {
        if let Some(outcomes) = self.calls.get(&(app_id, function)) {
            outcomes[outcome as usize].took(took);
        }
    }

    pub(crate) fn task(&self, state: TaskState, took: Duration) {
        if let Some(place) = ENDS.iter().position(|end| *end == state) {
            self.tasks[place].took(took);
        }
    }

    pub(crate) fn reclaimed(&self, what: Reclaimed) {
        self.reclaimed[what as usize].inc();
    }

    pub(crate) fn durable(&self, what: Durable) {
        self.durable[what as usize].inc();
    }

    pub(crate) fn scheduled(&self, what: Scheduled) {
        self.scheduled[what as usize].inc();
    }

    /// The durable tasks of all nodes that wait for a process.
    pub(crate) fn backlog(&self, backlog: &Backlog, queues: Vec<QueueLoad>) {
        let age = |at: Timestamp| u64::try_from(Timestamp::now().duration_since(at).as_secs()).unwrap_or_default();
        let queues = queues.into_iter().map(|load| (load.oldest_ready_at.map_or(0, age), load));
        *self.queues.lock().unwrap_or_else(PoisonError::into_inner) = queues.map(|(age, load)| (load, age)).collect();
        self.stuck.set(backlog.stuck);
        self.oldest_ready.set(backlog.oldest_ready.unwrap_or_default().as_secs());
        self.unknown_effects.set(backlog.unknown_effects);
    }

    /// The body of a durable task runs again, after the task has been ready for this long.
    pub(crate) fn resumed(&self, waited: Duration) {
        self.resumes.took(waited);
    }

    pub(crate) fn renewal(&self, what: Renewal) {
        self.renewals[what as usize].inc();
    }

    #[cfg(feature = "platform")]
    pub(crate) fn sent(&self, what: Sent) {
        self.sent_many(what, 1);
    }

    /// Counts several events of one kind.
    #[cfg(feature = "platform")]
    pub(crate) fn sent_many(&self, what: Sent, count: u64) {
        self.sent[what as usize].add(count);
    }

    #[cfg(feature = "platform")]
    pub(crate) fn cut(&self, why: Cut) {
        self.cut[why as usize].inc();
    }

    #[cfg(feature = "platform")]
    pub(crate) fn refused(&self, code: &ErrorCode) {
        let place = codes::ALL.iter().position(|known| known == code).unwrap_or(codes::ALL.len());
        self.refusals[place].inc();
    }

    pub(crate) fn pruned(&self, step: &Pruned) {
        let Pruned { turns, calls, tasks, events, audit, step_values, documents, .. } = *step;
        let counts: [u64; PRUNED.len()] = [turns, calls, tasks, events, audit, step_values, documents];
        for (counter, count) in self.pruned.iter().zip(counts) {
            counter.add(count);
        }
    }

    /// A file was written.
    pub(crate) fn file_written(&self, bytes: u64) {
        self.files_written.inc();
        self.file_bytes.add(bytes);
    }

    /// The store of files did not write or read.
    pub(crate) fn file_failed(&self) {
        self.files_failed.inc();
    }

    /// The bytes of deleted files were removed.
    pub(crate) fn files_removed(&self, files: u64) {
        self.files_removed.add(files);
    }

    /// Measures an outgoing request from now until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>, host: HostKind) -> RequestMeter {
        RequestMeter { meters: self.clone(), host, begun: Instant::now(), outcome: HttpOutcome::Aborted }
    }

    /// All metrics as text. `at_work` are the numbers of calls, of tasks and of suspects that run here.
    #[cfg(feature = "platform")]
    pub(crate) fn text(&self, at_work: (u64, u64, u64), ledger: &LedgerMeters, loops: &Loops) -> String {
        let mut text = Text::default();
        text.metric("imperal_build_info", "gauge", "The version of the platform, as a label.");
        text.sample("imperal_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.work(&mut text, at_work);
        ledger.text(&mut text);
        Loops::text(&[loops, ledger.loops()], &mut text);
        let by = |text: &mut Text, name: &str, help: &str, label: &str, counts: &[Counter], values: &[&str]| {
            text.metric(name, "counter", help);
            for (value, count) in values.iter().zip(counts) {
                text.sample(name, &[(label, value)], count.get());
            }
        };
        let names = |all: &[(Renewal, &'static str)]| all.iter().map(|(_, name)| *name).collect::<Vec<_>>();
        let help = "Renewals of this node's lease: lost means that another node took its work.";
        by(&mut text, "imperal_lease_renewals_total", help, "outcome", &self.renewals, &names(Renewal::ALL));
        text.gauge("imperal_connections_open", "Connections of clients.", &self.connections_open);
        let names: Vec<_> = Cut::ALL.iter().map(|(_, name)| *name).collect();
        by(&mut text, "imperal_connections_cut_total", "Connections cut, by reason.", "reason", &self.cut, &names);
        text.gauge("imperal_streams_open", "Live event streams.", &self.streams_open);
        text.counter("imperal_streams_opened_total", "Live event streams since the start.", &self.streams_opened);
        let names: Vec<_> = Sent::ALL.iter().map(|(_, name)| *name).collect();
        by(&mut text, "imperal_stream_events_total", "Events sent to streams.", "event", &self.sent, &names);
        let codes: Vec<_> = codes::ALL.iter().map(ErrorCode::as_str).chain(["other"]).collect();
        by(&mut text, "imperal_refusals_total", "Requests refused, by code.", "code", &self.refusals, &codes);
        let name = "imperal_refusals_not_audited_total";
        text.counter(
            name,
            "Refusals of actors that are refused often: counted, not audited.",
            &self.refusals_only_counted,
        );
        by(&mut text, "imperal_pruned_rows_total", "Rows that retention took.", "kind", &self.pruned, &PRUNED);
        text.counter("imperal_files_written_total", "Files written on this node.", &self.files_written);
        text.counter("imperal_file_bytes_written_total", "Bytes of files written on this node.", &self.file_bytes);
        let help = "Files that the store did not write or read, or whose bytes are gone.";
        text.counter("imperal_file_failures_total", help, &self.files_failed);
        let help = "Deleted files whose bytes this node removed.";
        text.counter("imperal_files_removed_total", help, &self.files_removed);
        self.assistant.text(&mut text);
        let name = "imperal_http_client_duration_seconds";
        text.metric(name, "histogram", "Requests of extensions, by where they went and what came of them.");
        for ((_, host), outcomes) in HostKind::ALL.iter().zip(&self.http) {
            for ((_, outcome), histogram) in HttpOutcome::ALL.iter().zip(outcomes) {
                if histogram.count() > 0 {
                    text.histogram(name, &[("host", host), ("outcome", outcome)], histogram);
                }
            }
        }
        text.into_string()
    }

    /// The load of each queue of durable tasks, on all nodes.
    #[cfg(feature = "platform")]
    fn queue_lines(&self, text: &mut Text) {
        type Value = fn(&(QueueLoad, u64)) -> u64;
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lines: [(&str, &str, Value); 3] = [
            ("imperal_queue_running", "Durable tasks that hold a slot of a queue; of all nodes.", |(load, _)| {
                load.running
            }),
            ("imperal_queue_ready", "Durable tasks that wait for a slot of a queue; of all nodes.", |(load, _)| {
                load.ready
            }),
            (
                "imperal_queue_oldest_ready_seconds",
                "How long the first task of a queue has waited for a slot.",
                |(_, age)| *age,
            ),
        ];
        for (name, help, value) in lines {
            text.metric(name, "gauge", help);
            for queue in &queues {
                let (load, _) = queue;
                text.sample(name, &[("app", &load.app_id), ("queue", &load.queue)], value(queue));
            }
        }
    }

    #[cfg(feature = "platform")]
    fn work(&self, text: &mut Text, (calls, tasks, suspects): (u64, u64, u64)) {
        text.metric("imperal_calls_open", "gauge", "Calls whose handler is at work on this node.");
        text.sample("imperal_calls_open", &[], calls);
        let name = "imperal_call_duration_seconds";
        text.metric(name, "histogram", "Calls from acceptance to their handler's end, by function and outcome.");
        for ((app, function), outcomes) in &self.calls {
            for ((outcome, label), histogram) in CallOutcome::ALL.iter().zip(outcomes) {
                // An outcome that never happened takes no lines. Success is the exception: rates need it.
                if *outcome == CallOutcome::Success || histogram.count() > 0 {
                    text.histogram(name, &[("app", app), ("function", function), ("outcome", label)], histogram);
                }
            }
        }
        text.metric("imperal_tasks_running", "gauge", "Background tasks at work on this node.");
        text.sample("imperal_tasks_running", &[], tasks);
        text.counter("imperal_tasks_started_total", "Background tasks started on this node.", &self.tasks_started);
        let name = "imperal_task_duration_seconds";
        text.metric(name, "histogram", "Background tasks of this node from start to end, by end state.");
        for (state, histogram) in ENDS.iter().zip(&self.tasks) {
            text.histogram(name, &[("state", state.as_str())], histogram);
        }
        let name = "imperal_reclaimed_total";
        text.metric(name, "counter", "Work of ended lives that this node settled.");
        for ((_, kind), count) in Reclaimed::ALL.iter().zip(&self.reclaimed) {
            text.sample(name, &[("kind", kind)], count.get());
        }
        let name = "imperal_schedule_runs_total";
        text.metric(name, "counter", "Due schedules on this node, by what it did with them.");
        for ((_, outcome), count) in Scheduled::ALL.iter().zip(&self.scheduled) {
            text.sample(name, &[("outcome", outcome)], count.get());
        }
        let help = "Work of ended lives that the last pass of this node could not settle.";
        text.gauge("imperal_unsettled", help, &self.unsettled);
        let name = "imperal_durable_attempts_total";
        text.metric(name, "counter", "Attempts of durable tasks on this node, by how they began or were given back.");
        for ((_, event), count) in Durable::ALL.iter().zip(&self.durable) {
            text.sample(name, &[("event", event)], count.get());
        }
        let name = "imperal_durable_suspects";
        text.metric(
            name,
            "gauge",
            "Durable tasks at work on this node whose attempts crashed their processes: at most 1.",
        );
        text.sample(name, &[], suspects);
        let help = "Durable tasks that no running program can continue, counted up to 10000; of all nodes.";
        text.gauge("imperal_durable_stuck", help, &self.stuck);
        let help = "How long the oldest durable task has been ready that no process has taken; of all nodes.";
        text.gauge("imperal_durable_oldest_ready_seconds", help, &self.oldest_ready);
        let help = "Effects that may have happened or not, of durable tasks that no process runs; of all nodes.";
        text.gauge("imperal_durable_unknown_effects", help, &self.unknown_effects);
        self.queue_lines(text);
        let name = "imperal_durable_resume_seconds";
        text.metric(name, "histogram", "Durable tasks that this node took up: from ready to their fn's run.");
        text.histogram(name, &[], &self.resumes);
    }
}

/// Measures one outgoing request. When it is dropped without an outcome, the request was aborted.
#[derive(Debug)]
pub(crate) struct RequestMeter {
    meters: Arc<Meters>,
    host: HostKind,
    begun: Instant,
    pub(crate) outcome: HttpOutcome,
}

impl Drop for RequestMeter {
    fn drop(&mut self) {
        self.meters.http[self.host as usize][self.outcome as usize].took(self.begun.elapsed());
    }
}
