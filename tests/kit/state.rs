//! State of a test platform: what a crash takes away, what it leaves, and functions that remember.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup};
use serde_json::json;

/// Remembers printed pages: in a file for ever, in memory for the life of the process.
struct Printer {
    file: PathBuf,
    since_start: Mutex<Vec<String>>,
}

impl Printer {
    fn open(folder: &Path) -> std::io::Result<Self> {
        let file = folder.join("pages.txt");
        std::fs::OpenOptions::new().create(true).append(true).open(&file)?;
        Ok(Self { file, since_start: Mutex::default() })
    }

    fn has(&self, page: &str) -> std::io::Result<bool> {
        Ok(std::fs::read_to_string(&self.file)?.lines().any(|line| line == page))
    }

    fn print(&self, page: String) -> std::io::Result<()> {
        writeln!(std::fs::OpenOptions::new().append(true).open(&self.file)?, "{page}")?;
        self.since_start.lock().unwrap().push(page);
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
struct PrintParams {
    job: String,
}

/// Print the pages of a job that are not printed yet.
#[chat_function(action_type = "write", event = "printed", effects = ["create:page"])]
async fn print_pages(ctx: Context, params: PrintParams) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        let printer = ctx.state::<Printer>()?;
        for page in 1..=3 {
            let name = format!("{} {page}", params.job);
            if !printer.has(&name)? {
                printer.print(name)?;
                ctx.progress(page * 30, format!("Page {page}")).await?;
            }
        }
        Ok(ActionResult::done(format!("{} pages", printer.since_start.lock().unwrap().len())))
    })
    .await?;
    Ok(ActionResult::done("Printing…"))
}

#[imperal::test]
async fn each_cancelled_run_gets_parameters_of_its_own(setup: TestSetup) {
    let platform = setup.state_in(Printer::open).start().await;
    let mut ends = Vec::new();
    let job = async |run| json!({"job": format!("job {run}")});
    platform
        .user("anna")
        .cancel_at_each_progress_with("print_pages", job, async |end| {
            end.assert_state(TaskState::Cancelled);
            ends.push(end.task.percent);
        })
        .await;
    assert_eq!(ends, [Some(30.0), Some(60.0), Some(90.0)]);
}

#[imperal::test]
#[should_panic(expected = "the task ended before the report at which to cancel it")]
async fn a_function_with_checkpoints_does_not_report_twice_for_equal_parameters(setup: TestSetup) {
    let platform = setup.state_in(Printer::open).start().await;
    platform.user("anna").cancel_at_each_progress("print_pages", json!({"job": "book"}), async |_| {}).await;
}

#[imperal::test]
async fn a_crash_takes_the_memory_of_a_store_and_leaves_its_folder(setup: TestSetup) {
    let platform = setup.state_in(Printer::open).start().await;
    let anna = platform.user("anna");
    anna.run("print_pages", json!({"job": "one"})).await.assert_says("3 pages");
    platform.crash().await;
    anna.run("print_pages", json!({"job": "one"})).await.assert_says("0 pages");
    anna.run("print_pages", json!({"job": "two"})).await.assert_says("3 pages");
}

/// How often a process was started.
struct Starts(AtomicUsize);

/// How often this value was asked for.
struct Asked(AtomicUsize);

/// Count how often this was called.
#[chat_function(action_type = "write", event = "counted", effects = ["update:page"])]
async fn count_calls(ctx: Context, _params: crate::Nothing) -> Result<ActionResult> {
    let (starts, asked) = (ctx.state::<Starts>()?, ctx.state::<Asked>()?);
    Ok(ActionResult::done(format!("{} {}", starts.0.fetch_add(1, SeqCst), asked.0.fetch_add(1, SeqCst))))
}

#[imperal::test]
async fn a_crash_makes_state_with_again_and_keeps_state(setup: TestSetup) {
    let setup = setup.state_with(|| Starts(AtomicUsize::new(0)));
    let platform = setup.state(Asked(AtomicUsize::new(0))).start().await;
    let anna = platform.user("anna");
    anna.call("count_calls", json!({})).await.unwrap();
    anna.call("count_calls", json!({})).await.unwrap();
    platform.crash().await;
    anna.call("count_calls", json!({})).await.unwrap();
    anna.assert_chat_has("1 1").await;
    anna.assert_chat_has("0 2").await;
}

#[test]
fn the_data_folder_is_removed_with_the_platform() {
    let folder = std::sync::Arc::new(Mutex::new(PathBuf::new()));
    let seen = folder.clone();
    imperal::testing::run(true, async move {
        let open = move |folder: &Path| {
            folder.clone_into(&mut seen.lock().unwrap());
            Printer::open(folder)
        };
        let platform = TestPlatform::setup().state_in(open).start().await;
        platform.user("anna").run("print_pages", json!({"job": "one"})).await.assert_success();
    });
    let folder = folder.lock().unwrap();
    assert!(folder.is_absolute() && !folder.exists(), "{}", folder.display());
}

#[imperal::test]
#[should_panic(expected = "the state of the test cannot be made: no paper")]
async fn a_state_that_cannot_be_made_fails_the_start(setup: TestSetup) {
    setup.state_in(|_| Err::<Printer, _>("no paper")).start().await;
}
