//! What a failing test says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use imperal::ledger::TaskState;
use imperal::testing::{Outcome, Reply, TestPlatform, run};
use serde_json::json;

fn panic_of(test: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| (*payload.downcast_ref::<&str>().unwrap()).to_owned())
}

#[test]
fn a_call_that_no_rule_answers_fails_the_test_with_the_rules() {
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::setup().scripted_http().start().await;
            platform.http().get("https://a.example/other").reply(Reply::text("other"));
            platform.http().get("/page").query("lang", "de").replies([Reply::status(200)]);
            let anna = platform.user("anna");
            // The extension swallows the error; the test fails all the same.
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
fn a_failing_assertion_shows_the_whole_chat() {
    let fail = |check: fn(&Outcome)| {
        panic_of(|| {
            run(true, async {
                let platform = TestPlatform::setup().scripted_http().start().await;
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
fn a_cancel_that_never_comes_is_a_failure() {
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::setup().scripted_http().start().await;
            platform.user("anna").run_and_cancel_when("fail", json!({}), |_| true).await;
        });
    });
    assert!(text.contains("without a report at which it was to be cancelled"), "{text}");
    let text = panic_of(|| {
        run(true, async {
            let platform = TestPlatform::setup().scripted_http().start().await;
            platform.user("anna").cancel_at_each_progress("fail", json!({}), async |_| {}).await;
        });
    });
    assert!(text.starts_with("`fail` reports no progress"), "{text}");
}
