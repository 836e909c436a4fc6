//! Questions of tasks at the terminal: answered in a script, by a person, and left open.

use std::path::{Path, PathBuf};

use imperal_tests::{Node, NodeOptions, Terminal, eventually};
use tempfile::TempDir;

use super::{PROBE, json_lines, run, text};

const PLAIN: &[(&str, &str)] = &[("NO_COLOR", "1")];

/// A server whose probe asks.
struct Asker {
    folder: TempDir,
    _node: Node,
}

impl Asker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = NodeOptions::new(PROBE, folder.path().join("data")).start().await;
        Self { folder, _node: node }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts a task that asks, and waits until it is parked. Returns its id.
    async fn ask(&self, what: &str) -> String {
        let called = run(&self.data(), &["call", "inquire_user", &format!("what={what}")]).await;
        assert!(called.status.success(), "{}", text(&called.stderr));
        parked(&self.data()).await
    }

    async fn answer(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let args: Vec<_> = ["answer"].into_iter().chain(args.iter().copied()).collect();
        let output = run(&self.data(), &args).await;
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The text of the latest task's outcome.
    async fn outcome(&self, id: &str) -> String {
        eventually("the task ends", async || {
            let shown = json_lines(&run(&self.data(), &["show", id, "--json"]).await).remove(0);
            shown["result"]["summary"].as_str().map(str::to_owned)
        })
        .await
    }
}

async fn parked(data: &Path) -> String {
    eventually("the latest task is parked", async || {
        let task = json_lines(&run(data, &["tasks", "--json", "-n", "1"]).await).remove(0);
        (task["state"] == "waiting").then(|| task["task_id"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn script_answers_a_choice_once() {
    let asker = Asker::start().await;
    let id = asker.ask("choice").await;
    let listed = text(&run(&asker.data(), &["tasks"]).await.stdout);
    assert!(listed.contains("  asks  "), "{listed}");
    let shown = text(&run(&asker.data(), &["show", &id]).await.stdout);
    assert!(shown.contains("open publish  Publish these images?"), "{shown}");
    assert!(shown.contains("one of: Publish, Later; answer within ") && shown.contains(", else: Later"), "{shown}");
    let (code, _, said) = asker.answer(&[&id]).await;
    assert_eq!((code, said.as_str()), (Some(2), "error: the answer is missing; it takes one of: Publish, Later\n"));
    let (code, _, said) = asker.answer(&[&id, "Latre"]).await;
    assert_eq!(code, Some(4));
    assert!(said.contains("there is Publish, Later") && said.contains("did you mean `Later`?"), "{said}");
    for again in [false, true] {
        let (code, answered, said) = asker.answer(&[&id[id.len() - 8..], "publish"]).await;
        // The question has no open one after the answer.
        let expected = if again { Some(4) } else { Some(0) };
        assert_eq!(code, expected, "{answered}{said}");
        assert!(again || answered.starts_with("inquiry: answered: Publish (by "), "{answered}");
    }
    let (code, _, said) = asker.answer(&[&id, "Publish", "--question", "publish"]).await;
    assert_eq!(code, Some(0), "the same answer again is no error: {said}");
    let (code, _, said) = asker.answer(&[&id, "Later", "--question", "publish"]).await;
    assert_eq!(code, Some(4));
    assert!(said.contains("is no longer open: answered: Publish (by "), "{said}");
    assert_eq!(asker.outcome(&id).await, "The answer was: Publish.");
    let shown = text(&run(&asker.data(), &["show", &id]).await.stdout);
    assert!(shown.contains("asked publish  Publish these images?\n        answered: Publish (by "), "{shown}");
    let json = json_lines(&run(&asker.data(), &["show", &id, "--json"]).await).remove(0);
    assert_eq!(json["questions"][0]["answer"], "Publish");
}

#[tokio::test]
async fn errors_of_a_form_name_the_field_and_what_it_takes() {
    let asker = Asker::start().await;
    let id = asker.ask("form").await;
    for (args, says) in [
        (&["copie=1"][..], "the answer has no field `copie`; it has note, copies"),
        (&["note=x", "copies=99"], "copies"),
        (&["copies=2"], "note"),
        (&["note=x", "--question", "ordr"], "has no question `ordr`; it has order"),
    ] {
        let args: Vec<_> = [id.as_str()].into_iter().chain(args.iter().copied()).collect();
        let (code, _, said) = asker.answer(&args).await;
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains(says), "{said}");
        let hint = if args.contains(&"--question") { "did you mean `order`?" } else { "it takes note=.. (text" };
        assert!(said.contains(hint), "{said}");
    }
    let (code, _, said) = asker.answer(&[&id, "note=a red one", "copies=2"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(asker.outcome(&id).await, "The answer was: 2 x a red one.");
}

#[tokio::test]
async fn of_several_questions_one_is_named() {
    let asker = Asker::start().await;
    let id = asker.ask("both").await;
    let (code, _, said) = asker.answer(&[&id, "Publish"]).await;
    assert_eq!(code, Some(4));
    assert!(said.contains("asks 2 questions: choose with --question: "), "{said}");
    assert!(said.contains("publish") && said.contains("order"), "{said}");
    let (code, _, said) = asker.answer(&[&id, "note=x", "--question", "order", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = asker.answer(&[&id, "Later"]).await;
    assert_eq!(code, Some(0), "the only one that is left: {said}");
    assert_eq!(asker.outcome(&id).await, "The answer was: Later, 1 x x.");
}

#[tokio::test]
async fn follow_in_a_pipe_ends_when_a_task_waits_for_an_answer() {
    let asker = Asker::start().await;
    let call = ["call", "inquire_user", "what=choice", "--follow"];
    let output = run(&asker.data(), &call).await;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("inquiry asks: Publish these images?  one of: Publish, Later"), "{said}");
    let id = parked(&asker.data()).await;
    assert!(said.contains(&format!("probe answer {}", &id[id.len() - 8..])), "{said}");
    assert_eq!(run(&asker.data(), &["follow", "--json"]).await.status.code(), Some(6));
}

#[tokio::test]
async fn sleeping_task_says_until_when_and_is_cancelled_at_once() {
    let asker = Asker::start().await;
    let id = asker.ask("sleep").await;
    let listed = text(&run(&asker.data(), &["tasks"]).await.stdout);
    assert!(listed.contains("  sleeps until 2"), "{listed}");
    let (code, _, said) = asker.answer(&[&id, "x"]).await;
    assert_eq!(code, Some(4));
    assert!(said.contains("inquiry has no open question") && said.contains("`tasks` shows which tasks ask"), "{said}");
    let cancelled = run(&asker.data(), &["cancel", &id]).await;
    assert_eq!(text(&cancelled.stdout), "inquiry was cancelled: no process ran it.\n");
}

#[tokio::test]
async fn answer_without_a_server_is_kept_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = run(&data, &["call", "inquire_user", "what=choice"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("waits for an answer; `probe answer ") && said.contains("`probe dev` goes on"), "{said}");
    let id = parked(&data).await;
    let followed = run(&data, &["follow"]).await;
    assert_eq!(followed.status.code(), Some(6), "{}", text(&followed.stderr));
    assert_eq!(text(&followed.stdout), "inquiry waits for an answer.\n");
    let output = run(&data, &["answer", &id, "Later"]).await;
    assert!(
        output.status.success() && text(&output.stderr).contains("`probe dev` goes on"),
        "{}",
        text(&output.stderr)
    );
    let _node = NodeOptions::new(PROBE, &data).start().await;
    let followed = run(&data, &["follow", &id]).await;
    assert!(text(&followed.stdout).contains("The answer was: Later."), "{}", text(&followed.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_answers_while_a_task_is_watched() {
    let asker = Asker::start().await;
    let call = ["call", "inquire_user", "what=choice", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, asker.folder.path(), PLAIN);
    let at = terminal.until(0, "choose (Enter: not now): ");
    let shown = terminal.written();
    assert!(shown.contains("? inquiry asks: Publish these images?"), "{shown}");
    assert!(shown.contains("  [1] Publish  [2] Later (if nobody answers)\r\n  answer within "), "{shown}");
    // Other keys are no answer.
    terminal.send("x7");
    terminal.send("1");
    let at = terminal.until(at, "inquiry: answered: Publish");
    terminal.until(at, "The answer was: Publish.");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_form_is_refused_at_its_field_and_then_accepted() {
    let asker = Asker::start().await;
    let call = ["call", "inquire_user", "what=form", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, asker.folder.path(), PLAIN);
    let at = terminal.until(0, "answer (Enter: not now): ");
    assert!(terminal.written().contains("note=.. (text"), "{}", terminal.written());
    terminal.send("note='a red one' copies=99\r");
    let at = terminal.until(at, "`copies` must be");
    terminal.send("\x7f\r");
    let at = terminal.until(at, "inquiry: answered: ");
    terminal.until(at, "The answer was: 9 x a red one.");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn question_goes_when_it_is_answered_elsewhere_and_enter_leaves_it_open() {
    let asker = Asker::start().await;
    let call = ["call", "inquire_user", "what=both", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, asker.folder.path(), PLAIN);
    let at = terminal.until(0, "(Enter: not now): ");
    let id = parked(&asker.data()).await;
    // Both are asked at once: either may be the first.
    let (mut first, mut second) = (("Later", "publish", "choose ("), ("note=x", "order", "answer ("));
    if !terminal.written().contains("choose (Enter") {
        std::mem::swap(&mut first, &mut second);
    }
    let (code, _, said) = asker.answer(&[&id, first.0, "--question", first.1]).await;
    assert_eq!(code, Some(0), "{said}");
    terminal.until(at, "inquiry: answered: ");
    let at = terminal.until(at, second.2);
    terminal.send("\r");
    let at = terminal.until(at, "not answered; `probe answer ");
    assert_eq!(asker.answer(&[&id, second.0]).await.0, Some(0));
    terminal.until(at, "The answer was: Later, 1 x x.");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn question_goes_with_its_task_and_the_next_one_is_asked() {
    let asker = Asker::start().await;
    let (choice, why) = (asker.ask("choice").await, asker.ask("text").await);
    let mut terminal = Terminal::start(PROBE, &["follow"], asker.folder.path(), PLAIN);
    let at = terminal.until(0, "(Enter");
    // Either may be the first.
    let (mut first, mut second) = ((choice, "Publish these"), (why, "Why?"));
    if terminal.written().contains(second.1) {
        std::mem::swap(&mut first, &mut second);
    }
    assert!(run(&asker.data(), &["cancel", &first.0]).await.status.success());
    let at = terminal.until(at, "inquiry: the task has ended");
    terminal.until(at, second.1);
    assert!(run(&asker.data(), &["cancel", &second.0]).await.status.success());
    assert_ne!(terminal.ended(), 0, "both were cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_without_a_value_asks() {
    let asker = Asker::start().await;
    let id = asker.ask("form").await;
    let mut terminal = Terminal::start(PROBE, &["answer", &id], asker.folder.path(), PLAIN);
    let at = terminal.until(0, "note (text");
    assert!(terminal.written().contains("? inquiry asks: What shall it be?"), "{}", terminal.written());
    terminal.send("a blue one\r");
    let at = terminal.until(at, "copies (");
    terminal.send("\r");
    terminal.until(at, "inquiry: answered: ");
    assert_eq!(terminal.ended(), 0);
    assert_eq!(asker.outcome(&id).await, "The answer was: 1 x a blue one.");
}

/// A shell that asks the probe for completions.
fn completing_bash(asker: &Asker) -> Terminal {
    let path = Path::new(PROBE).parent().unwrap().display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap());
    let env = [("PS1", "> "), ("PATH", path.as_str())];
    let mut bash = Terminal::start("bash", &["--norc", "--noprofile", "-i"], asker.folder.path(), &env);
    bash.send("eval \"$(probe completions bash)\" && echo rea''dy\r");
    bash.until(0, "ready\r\n");
    bash
}

#[tokio::test(flavor = "multi_thread")]
async fn tab_completes_tasks_that_ask_and_their_choices() {
    let asker = Asker::start().await;
    let id = asker.ask("choice").await;
    let short = &id[id.len() - 8..];
    let mut bash = completing_bash(&asker);
    bash.send("probe answer \t\t");
    let at = bash.until(0, short);
    bash.send(&format!("\x15\rprobe answer {short} Pu\t"));
    bash.until(at, "Publish");
}

/// Several questions are open; the named one is completed.
#[tokio::test(flavor = "multi_thread")]
async fn tab_completes_the_named_question() {
    let asker = Asker::start().await;
    let id = asker.ask("both").await;
    let mut bash = completing_bash(&asker);
    bash.send(&format!("probe answer {id} --question or\t"));
    let at = bash.until(0, "--question order");
    bash.send("no\t");
    let at = bash.until(at, "note=");
    bash.send(&format!("\x15\rprobe answer {id} --question publish Lat\t"));
    bash.until(at, "publish Later");
}
