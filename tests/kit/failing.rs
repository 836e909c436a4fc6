//! The output of a failing test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use imperal::ledger::TaskState;
use imperal::testing::{Outcome, Reply, TestPlatform, run};
use serde_json::json;

fn panic_of(test: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| (*payload.downcast_ref::<&str>().unwrap()).to_owned())
}

#[test]
fn request_without_a_rule_fails_the_test_and_lists_the_rules() {
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::start().await;
            platform.http().get("https://a.example/other").reply(Reply::text("other"));
            platform.http().get("/page").query("lang", "de").replies([Reply::status(200)]);
            let anna = platform.user("anna");
            // The test fails although the extension swallows the error.
            let reply = anna.call("fetch", json!({"url": "https://a.example/page?lang=en"})).await.unwrap();
            assert!(reply.turn.body.text.contains("no rule answers"), "{}", reply.turn.body.text);
        });
    });
    assert_eq!(
        text,
        "no rule answers GET https://a.example/page?lang=en\n\
         the rules are:\n  GET https://a.example/other: 200 OK with 5 bytes, answered 0\n  \
         GET /page with lang=de: 1 left, answered 0"
    );
}

#[test]
fn failing_assertion_shows_the_whole_chat() {
    let fail = |check: fn(&Outcome)| {
        panic_of(|| {
            run(true, async {
                let platform = TestPlatform::start().await;
                check(&platform.user("anna").run("fail", json!({})).await);
            });
        })
    };
    let chat = "the chat of default/anna\n   1  user    fail {}\n   3  bot     Printing…\n   5  bot     The printer has \
                no paper.  [NO_PAPER]  (outcome of a task)\ntask  Print  failed\n";
    let text = fail(|outcome| drop(outcome.assert_success().clone()));
    assert_eq!(text, format!("Print ended `failed`, not `succeeded`: The printer has no paper.\n\n{chat}"));
    let text = fail(|outcome| drop(outcome.assert_code("NO_INK").clone()));
    assert!(text.starts_with("Print ended with NO_PAPER, not NO_INK") && text.ends_with(chat), "{text}");
    let text = fail(|outcome| drop(outcome.assert_says("toner").clone()));
    assert!(text.ends_with(chat), "{text}");
    fail(|outcome| drop(outcome.data::<crate::Video>()));
    let fine = fail(|outcome| {
        outcome.assert_state(TaskState::Failed).assert_code("NO_PAPER").assert_says("paper");
        panic!("all of that held");
    });
    assert_eq!(fine, "all of that held");
}

#[test]
fn cancel_that_never_happens_fails_the_test() {
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::start().await;
            platform.user("anna").run_and_cancel_when("fail", json!({}), |_| true).await;
        });
    });
    assert!(text.contains("before the report at which to cancel it"), "{text}");
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::start().await;
            platform.user("anna").cancel_at_each_progress("fail", json!({}), async |_| {}).await;
        });
    });
    assert!(text.starts_with("`fail` reports no progress"), "{text}");
}

#[imperal::test]
#[ignore = "fails on purpose; the test below runs it in a separate process"]
async fn test_with_a_fault(platform: TestPlatform) {
    let reply = platform.user("anna").call("break_inside", json!({})).await.unwrap();
    assert_eq!(reply.result.error, None);
}

#[imperal::test]
#[ignore = "the test below runs it in a separate process"]
async fn test_with_an_expected_fault(platform: TestPlatform) {
    let reply = platform.user("anna").call("break_inside", json!({})).await.unwrap();
    assert_eq!(reply.result.error_code.unwrap(), "INTERNAL");
}

#[imperal::test]
#[ignore = "fails on purpose; a test below runs it in a process of its own"]
async fn failed_assertion_of_the_kit(platform: TestPlatform) {
    platform.user("ben").call("fail", json!({})).await.unwrap();
    platform.user("anna").run("fail", json!({})).await.assert_success();
}

#[imperal::test]
#[ignore = "fails on purpose; a test below runs it in a process of its own"]
async fn failed_assertion_of_the_test(platform: TestPlatform) {
    let outcome = platform.user("anna").run("fail", json!({})).await;
    assert_eq!(outcome.text(), "Printed.");
}

#[imperal::test]
#[ignore = "fails on purpose; a test below runs it in a process of its own"]
async fn failed_assertion_of_a_user(platform: TestPlatform) {
    platform.user("ben").call("fail", json!({})).await.unwrap();
    platform.user("anna").call("fail", json!({})).await.unwrap();
    // Another handle of the same user.
    platform.user("anna").assert_chat_has("Printed.").await;
}

/// Runs an ignored test in a separate process; returns whether it passed, and its output.
fn run_ignored(test: &str) -> (bool, String) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_failing_test_prints_each_chat_once() {
    for (test, users) in [("the_kit", 2), ("a_user", 2), ("the_test", 1)] {
        let (passed, printed) = run_ignored(&format!("failing::failed_assertion_of_{test}"));
        assert!(!passed);
        assert_eq!(printed.matches("the chat of default/anna").count(), 1, "{printed}");
        assert_eq!(printed.matches("the chat of default/ben").count(), users - 1, "{printed}");
    }
}

#[test]
fn failing_test_prints_its_log() {
    let (passed, said) = run_ignored("failing::test_with_a_fault");
    assert!(!passed && said.contains("the drum is stuck"), "the hidden cause: {said}");
    assert!(said.contains("turning the drum"), "on another thread: {said}");
    let (passed, said) = run_ignored("failing::test_with_an_expected_fault");
    assert!(passed && !said.contains("drum"), "{said}");
}

/// Counts log events.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl tracing::Subscriber for Counting {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            self.0.fetch_add(1, SeqCst);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn existing_subscriber_keeps_its_log() {
    let log = Counting::default();
    tracing::subscriber::with_default(log.clone(), || {
        run(true, async {
            let platform = TestPlatform::start().await;
            platform.user("anna").call("break_inside", json!({})).await.unwrap();
        });
    });
    assert_eq!(log.0.load(SeqCst), 1);
}
