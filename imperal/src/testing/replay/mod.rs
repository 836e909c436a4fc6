//! Replays of exported tasks: today's code against the steps that a task has stored, before a deploy.
//!
//! The body runs from its top, as it would in the next process. Stored steps return their values. The replay ends
//! where the body asks for something that is not stored: it writes, sends and asks nothing. Its report lists the
//! misfits.

mod host;

use std::collections::HashMap;
use std::fmt;
use std::future::IntoFuture;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use self::host::{NoNetwork, ReplayHost, Wanted, after_every_wait};
use crate::context::{Context, DurableRun, HttpPool, Leaving, Origin, Services, States, StoredSteps, WorkSpan};
use crate::function::{BoundTask, DurableDef, Registry};
use crate::ids::CallId;
use crate::ledger::{Attempt, StepKind, StoredStep, TaskState};
use crate::panic_text::panic_text;
use crate::platform::{ExportedStep, TaskExport, durable_body};
use crate::secrets::SecretsInUse;
use crate::task::Returned;
use crate::user::User;

/// Longest run of a body that waits for something that is no step.
const PATIENCE: Duration = Duration::from_secs(30);

/// Replays an exported task, or every `.json` file of a folder, against this test binary's durable tasks. The path is
/// relative to the crate's folder.
///
/// `export TASK --out FILE` of an extension's binary writes such a file. Take some of tasks that are under way, and of
/// tasks that have ended, and let CI replay them before each deploy:
///
/// ```no_run
/// # async fn test() {
/// imperal::testing::replay("tests/tasks").await.assert_fits();
/// # }
/// ```
///
/// It finds an input and a stored value that the types no longer read, and stored steps that the code no longer asks
/// for, because they were renamed or removed: a renamed step would run again. Of a task that has succeeded it also
/// finds steps that it asks for and that are not stored.
///
/// The code outside of steps runs, and the closures of steps do not. `ctx.user()` is a user named `replay`.
///
/// # Panics
/// When a file cannot be read, or a folder has none.
pub fn replay(path: impl Into<PathBuf>) -> Replay {
    Replay { path: path.into(), states: States::default() }
}

/// A replay: await it. Made by [`replay()`].
#[must_use = "nothing is replayed unless this is awaited: add `.await.assert_fits()`"]
pub struct Replay {
    path: PathBuf,
    states: States,
}

impl Replay {
    /// Registers a value for `ctx.state::<T>()` outside of steps.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    async fn run(self) -> ReplayReport {
        let Self { path, states } = self;
        let states = Arc::new(states);
        let registry = Registry::collect().unwrap_or_else(|error| panic!("{error}"));
        let mut tasks = Vec::new();
        for file in files_of(&path) {
            let export = read(&file);
            let (end, problems) = replay_task(&registry, &states, &export).await;
            tasks.push(ReplayedTask { file, task_name: export.task_name, end, problems });
        }
        ReplayReport { tasks }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("path", &self.path).finish_non_exhaustive()
    }
}

impl IntoFuture for Replay {
    type Output = ReplayReport;
    type IntoFuture = Pin<Box<dyn Future<Output = ReplayReport>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The findings of replays.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReplayReport {
    /// Each file, in the order of their names.
    pub tasks: Vec<ReplayedTask>,
}

impl ReplayReport {
    /// Panics with every problem, if there is any.
    ///
    /// # Panics
    /// When the code does not fit one of the tasks.
    #[track_caller]
    pub fn assert_fits(&self) {
        assert!(self.tasks.iter().all(|task| task.problems.is_empty()), "stored tasks do not fit this code:\n{self}");
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for task in &self.tasks {
            writeln!(f, "{} (`{}`): {}", task.file.display(), task.task_name, task.end)?;
            for problem in &task.problems {
                writeln!(f, "  {problem}")?;
            }
        }
        Ok(())
    }
}

/// The findings of the replay of one task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReplayedTask {
    /// Its file.
    pub file: PathBuf,
    /// The name of the durable task.
    pub task_name: String,
    /// Where the replay ended.
    pub end: ReplayEnd,
    /// What does not fit.
    pub problems: Vec<ReplayProblem>,
}

/// Where a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayEnd {
    /// The body returned.
    Returned,
    /// The body failed with this error.
    Failed(String),
    /// The body wanted something that is not stored.
    At(String),
    /// The body could not go on: see the problems.
    Misfit,
}

impl fmt::Display for ReplayEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned => f.write_str("runs to its end"),
            Self::Failed(error) => write!(f, "fails: {error}"),
            Self::At(what) => write!(f, "goes on with {what}"),
            Self::Misfit => f.write_str("does not fit"),
        }
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayProblem {
    /// The program does not have the durable task: it was renamed or removed. The task would be stuck.
    UnknownTask,
    /// The input does not fit: the task would be stuck.
    Input(String),
    /// A stored value does not fit, the first one: the task would be stuck.
    Value(String),
    /// Stored steps that the body did not ask for: renamed or removed. A renamed step would run again.
    NotAskedFor(Vec<String>),
    /// Of a task that has succeeded: steps that the body asks for and that are not stored.
    NotStored(Vec<String>),
    /// The body panicked.
    Panicked(String),
    /// The body waited for something that is no step.
    Waited,
}

impl fmt::Display for ReplayProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask => f.write_str("this program does not have the durable task: it was renamed or removed"),
            Self::Input(why) => write!(f, "the input does not fit: {why}"),
            Self::Value(why) => f.write_str(why),
            Self::NotAskedFor(names) => {
                write!(f, "stored, but not asked for: {} (renamed or removed?)", names.join(", "))
            }
            Self::NotStored(names) => {
                write!(f, "asked for, but the task succeeded without storing it: {}", names.join(", "))
            }
            Self::Panicked(text) => write!(f, "the body panicked: {text}"),
            Self::Waited => write!(f, "the body waits for something that is no step"),
        }
    }
}

/// The files at a path, in the order of their names.
fn files_of(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let listed = std::fs::read_dir(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let files = listed.filter_map(|file| file.ok().map(|file| file.path()));
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no .json file: `export TASK --out FILE` writes one", path.display());
    files
}

fn read(file: &Path) -> TaskExport {
    let shown = file.display();
    let text = std::fs::read(file).unwrap_or_else(|error| panic!("cannot read {shown}: {error}"));
    let read: Result<TaskExport, _> = imperal_manifest::json::read(&text);
    let export = read.unwrap_or_else(|error| panic!("{shown} is no exported task: {error}"));
    let (format, known) = (export.format, TaskExport::FORMAT);
    assert!(format == known, "{shown} has format {format}, this version reads {known}: export the task again");
    export
}

async fn replay_task(
    registry: &Registry,
    states: &Arc<States>,
    export: &TaskExport,
) -> (ReplayEnd, Vec<ReplayProblem>) {
    let extension = registry.extension(&export.app_id);
    let Some((extension, def)) = extension.and_then(|one| Some((one, one.durable_task(&export.task_name)?))) else {
        return (ReplayEnd::Misfit, vec![ReplayProblem::UnknownTask]);
    };
    let bound = match bind(def, export) {
        Ok(bound) => bound,
        Err(why) => return (ReplayEnd::Misfit, vec![ReplayProblem::Input(why)]),
    };
    let attempt = Attempt { task_id: export.task_id, number: next_attempt(export) };
    let mut stored = StoredSteps::default();
    stored.add_rows(export.steps.iter().map(row_of).collect());
    let run = DurableRun::replayed(attempt, export.root_task, stored);
    let now = tokio::time::Instant::now();
    run.set_ledger_time(after_every_wait(), now, now);
    let wanted = Arc::new(Wanted::default());
    let values = export.steps.iter().map(|step| (step.ordinal, step.value.to_json())).collect::<HashMap<_, _>>();
    let host = ReplayHost { run: run.clone(), wanted: wanted.clone(), values };
    let network = NoNetwork { run: run.clone(), wanted: wanted.clone() };
    let http = HttpPool::new().unwrap_or_else(|error| panic!("{error}")).over(Arc::new(network));
    let services = Services::new(Arc::new(host), http, states.clone());
    let origin = Origin {
        app_id: extension.app_id(),
        function: def.name,
        user: User::new("replay", "replay"),
        call_id: CallId::generate(),
        task_id: Some(export.task_id),
        attempt: attempt.number,
        secrets: SecretsInUse::default(),
    };
    let ctx = Context::durable(origin, services, WorkSpan::of(&tracing::Span::none()), run.clone());
    let body = AssertUnwindSafe(durable_body(&ctx, bound)).catch_unwind();
    let ended = tokio::time::timeout(PATIENCE, body).await;

    let unstored = run.unstored();
    let first = unstored.first().map(|name| format!("`{name}`")).or_else(|| wanted.first());
    let mut problems = Vec::new();
    let end = match ended {
        Err(_) => {
            problems.push(ReplayProblem::Waited);
            ReplayEnd::Misfit
        }
        Ok(Err(payload)) => {
            problems.push(ReplayProblem::Panicked(panic_text(payload)));
            ReplayEnd::Misfit
        }
        Ok(Ok(Returned::Left(Leaving::Misfit(why)))) => {
            problems.push(ReplayProblem::Value(why));
            return (ReplayEnd::Misfit, problems);
        }
        Ok(Ok(returned)) => match (first, returned) {
            (Some(first), _) => ReplayEnd::At(first),
            (None, Returned::Answer(Err(error))) => ReplayEnd::Failed(error.to_string()),
            (None, Returned::Answer(Ok(_))) => ReplayEnd::Returned,
            (None, Returned::Left(_)) => ReplayEnd::At("a wait".to_owned()),
        },
    };
    let mut not_asked_for = run.unasked();
    not_asked_for.sort();
    if !not_asked_for.is_empty() {
        problems.push(ReplayProblem::NotAskedFor(not_asked_for));
    }
    if export.state == TaskState::Succeeded && !unstored.is_empty() {
        problems.push(ReplayProblem::NotStored(unstored));
    }
    (end, problems)
}

/// Reads the input. The author's own code may panic in it.
fn bind(def: &DurableDef, export: &TaskExport) -> Result<BoundTask, String> {
    let input = export.input.to_json();
    let bound = std::panic::catch_unwind(|| (def.bind)(&input));
    bound.unwrap_or_else(|payload| Err(format!("reading it panicked: {}", panic_text(payload))))
}

/// The attempt after every one that has stored something.
fn next_attempt(export: &TaskExport) -> u32 {
    export.steps.iter().map(|step| step.attempt).max().unwrap_or_default() + 1
}

fn row_of(step: &ExportedStep) -> StoredStep {
    let value = step.value.to_json();
    let at = after_every_wait();
    let bytes = value.len() as u64;
    let value = (bytes <= StoredStep::INLINE || step.kind == StepKind::Message).then_some(value);
    let (ordinal, name, kind, attempt) = (step.ordinal, step.name.clone(), step.kind, step.attempt);
    StoredStep { ordinal, name, kind, attempt, began_at: at, done_at: at, bytes, value, log: None }
}
