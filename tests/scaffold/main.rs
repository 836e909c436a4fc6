//! `cargo imperal new` and `cargo imperal dev`, with a real cargo, compiler and process.
//!
//! Both compile in this repository's target folder with its profile and lock file, so that most of their
//! dependencies are already compiled. They run in one test, in sequence, because they share the compiler.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest time of a build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Variables of the cargo that runs this test, and of its caller.
const ELSEWHERE: [&str; 8] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_TARGET_DIR",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "IMPERAL_DATA_DIR",
    "IMPERAL_LISTEN",
    "IMPERAL_URL",
    "IMPERAL_TOKEN",
];

/// A new extension `hello`, created by the command.
struct Hello {
    _folder: TempDir,
    path: PathBuf,
}

impl Hello {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = imperal_tests::sibling("cargo-imperal");
        let target = target.parent().and_then(Path::parent).unwrap();
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let config = format!(
            "[build]\ntarget-dir = '{}'\n[profile.dev]\ndebug = \"line-tables-only\"\n[profile.dev.package.\"*\"]\ndebug = false\n",
            target.display()
        );
        std::fs::write(folder.path().join(".cargo/config.toml"), config).unwrap();
        let made = imperal(folder.path()).args(["new", "hello"]).output().unwrap();
        assert!(made.status.success(), "{}", shown(&made));
        let path = folder.path().join("hello");
        std::fs::copy(root.join("Cargo.lock"), path.join("Cargo.lock")).unwrap();
        Self { _folder: folder, path }
    }

    fn source(&self) -> String {
        std::fs::read_to_string(self.path.join("src/main.rs")).unwrap()
    }

    fn write(&self, source: &str) {
        std::fs::write(self.path.join("src/main.rs"), source).unwrap();
    }
}

fn imperal(folder: &Path) -> Command {
    let mut command = Command::new(imperal_tests::sibling("cargo-imperal"));
    command.arg("imperal").current_dir(folder).env("RUST_LOG", "warn").stdin(Stdio::null());
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command
}

fn shown(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Lines of an output stream, which a test reads until one matches.
struct Lines(Receiver<String>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    fn until(&self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.0.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} did not come after {}", before.join("\n")));
            if line.contains(text) {
                return line;
            }
            before.push(line);
        }
    }
}

/// A browser that opened a link, with its cookie.
struct Page {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Page {
    async fn open(link: &str) -> Option<Self> {
        // A pooled connection to the previous process would fail, and not every client retries.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).redirect(reqwest::redirect::Policy::none());
        let http = http.build().unwrap();
        // The request of the page behind the link.
        let answer = http.post(link).send().await.unwrap();
        let cookie = answer.headers().get("set-cookie")?.to_str().unwrap().split(';').next().unwrap().to_owned();
        let url = link.split("/open/").next().unwrap().to_owned();
        Some(Self { http, url, cookie })
    }

    async fn call(&self, function: &str, params: Value) -> Value {
        let url = format!("{}/v1/extensions/hello/call", self.url);
        let body = json!({ "function": function, "params": params });
        let sent = self.http.post(url).header("cookie", &self.cookie).header("origin", &self.url).json(&body);
        let answer = sent.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn greet(&self) -> String {
        self.call("greet", json!({"name": "Anna"})).await["turn"]["text"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn turns(&self) -> Vec<Value> {
        self.get("/v1/chat/turns?latest=100").await["turns"].as_array().unwrap().clone()
    }
}

fn listening(hello: &Hello) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(hello.path.join(".imperal/listening.json")).ok()?).ok()
}

struct Dev {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Dev {
    fn start(hello: &Hello) -> Self {
        let mut command = imperal(&hello.path);
        command.args(["dev", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = Lines::of(child.stdout.take().unwrap());
        let err = Lines::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }
}

/// A failed test leaves no process behind.
impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `tests/run` runs this test apart from the suites that measure time.
mod compiler {
    use super::{
        Hello, hostile_json_does_not_end_a_build_with_raw_value, killed_supervisor_leaves_no_process_behind,
        new_extension_is_complete, reload_loses_no_work, run_and_test_share_one_build_of_imperal,
        tutorial_ends_in_passing_tests,
    };

    #[tokio::test]
    async fn new_extension_is_tested_built_validated_and_developed() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let hello = Hello::new();
        run_and_test_share_one_build_of_imperal(&hello);
        new_extension_is_complete(&hello);
        tutorial_ends_in_passing_tests(&hello);
        reload_loses_no_work(&hello).await;
        killed_supervisor_leaves_no_process_behind(&hello).await;
        hostile_json_does_not_end_a_build_with_raw_value(&hello);
    }
}

fn cargo(hello: &Hello, args: &[&str]) -> Output {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command.args(args).current_dir(&hello.path).output().unwrap()
}

fn cargo_test(hello: &Hello) -> Output {
    cargo(hello, &["test"])
}

fn run_and_test_share_one_build_of_imperal(hello: &Hello) {
    let built = cargo(hello, &["build"]);
    assert!(built.status.success(), "{}", shown(&built));
    let tests = cargo(hello, &["test", "--no-run", "--message-format", "json"]);
    assert!(tests.status.success(), "{}", shown(&tests));
    let messages = String::from_utf8_lossy(&tests.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_imperal: Vec<_> = messages
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "imperal")
        .map(|message| message["fresh"].clone())
        .collect();
    assert_eq!(of_imperal, [json!(true)], "one build of the library, and it was there already");
}

/// Follows the tutorial's text alone: its files, its change of main.rs, its commands.
fn tutorial_ends_in_passing_tests(hello: &Hello) {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let text = std::fs::read_to_string(text).unwrap();
    let files: Vec<_> = text.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(files.len(), 4, "the slow function, the one in the background, the durable one, and the one that asks");
    std::fs::write(hello.path.join("src/research.rs"), files[2]).unwrap();
    std::fs::write(hello.path.join("src/post.rs"), files[3]).unwrap();
    let scaffold = hello.source();
    hello.write(&scaffold.replacen(
        "use imperal::prelude::*;\n",
        "use imperal::prelude::*;\n\nmod post;\nmod research;\n",
        1,
    ));
    let stale = shown(&cargo_test(hello));
    for line in
        ["a_cancel_ends_it ... ok", "nothing_is_posted_without_a_yes ... ok", "the_manifest_is_fresh ... FAILED"]
    {
        assert!(stale.contains(line), "{stale}");
    }
    for args in [["build"], ["validate"]] {
        let done = imperal(&hello.path).args(args).output().unwrap();
        assert!(done.status.success(), "{}", shown(&done));
    }
    let tested = cargo_test(hello);
    assert!(shown(&tested).contains("test result: ok. 8 passed"), "{}", shown(&tested));
}

fn new_extension_is_complete(hello: &Hello) {
    let tested = cargo_test(hello);
    assert!(tested.status.success(), "{}", shown(&tested));
    assert!(shown(&tested).contains("test result: ok. 4 passed"), "{}", shown(&tested));
    assert!(!shown(&tested).contains("warning"), "{}", shown(&tested));

    let checked = imperal(&hello.path).args(["build", "--check"]).output().unwrap();
    assert!(checked.status.success(), "the manifest of the scaffold is fresh: {}", shown(&checked));
    let valid = imperal(&hello.path).args(["validate", "--json"]).output().unwrap();
    assert!(valid.status.success(), "{}", shown(&valid));
    assert!(!String::from_utf8_lossy(&valid.stdout).contains("\"error\""), "{}", shown(&valid));

    let called = imperal(&hello.path).args(["call", "greet", "name=Anna"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&called.stdout), "Hello, Anna!\ntext  Hello, Anna!\n", "{}", shown(&called));
    let slip = imperal(&hello.path).args(["cal", "greet"]).output().unwrap();
    assert_eq!(slip.status.code(), Some(2));
    assert!(shown(&slip).contains("did you mean `call`?"), "{}", shown(&slip));
    let refused = imperal(&hello.path).args(["call", "greet"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "the extension's own exit code: {}", shown(&refused));
}

async fn reload_loses_no_work(hello: &Hello) {
    let mut dev = Dev::start(hello);
    let link = dev.out.until("/open/").replace("open ", "");
    let page = Page::open(&link).await.expect("the link opens the page");
    assert_eq!(page.greet().await, "Hello, Anna!");
    let unopened = imperal(&hello.path).arg("link").output().unwrap();
    let unopened = String::from_utf8(unopened.stdout).unwrap().trim().to_owned();
    page.call("greet_at_length", json!({"name": "Ben"})).await;
    let first = listening(hello).unwrap();

    hello.write(&hello.source().replace("\"Hello, {}!\"", "\"Servus, {}!\""));
    dev.err.until("serving the new build");
    assert_eq!(page.greet().await, "Servus, Anna!", "the same session, the same address");
    let second = listening(hello).unwrap();
    assert_eq!((&first["url"], first["pid"] == second["pid"]), (&second["url"], false));
    let ends: Vec<_> = page.turns().await.into_iter().filter(|turn| turn["task_id"].is_string()).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0]["text"], "Hello, Ben! It is good to have you here.", "the running task had its grace");
    assert!(Page::open(&unopened).await.is_some(), "an unused link still opens the page");
    assert!(Page::open(&unopened).await.is_none(), "once");

    let good = hello.source();
    hello.write(&good.replace("fn main()", "fn main("));
    dev.err.until("the last good build goes on serving");
    assert_eq!(page.greet().await, "Servus, Anna!", "the old one still serves");
    assert_eq!(listening(hello).unwrap()["pid"], second["pid"]);

    // This compiles but cannot be served: two functions have the same name.
    let twice = "\n/// Greet a second time under the same name.\n#[chat_function(action_type = \"read\", name = \"greet\")]\nasync fn again(_ctx: Context, params: GreetParams) -> Result<ActionResult<Greeting>> {\n    Ok(ActionResult::success(Greeting { text: params.name }, \"Again.\"))\n}\n";
    hello.write(&format!("{good}{twice}"));
    dev.err.until("the new build does not start");
    assert_eq!(page.greet().await, "Servus, Anna!");

    hello.write(&good.replace("\"Servus, {}!\"", "\"Salut, {}!\""));
    dev.err.until("serving the new build");
    assert_eq!(page.greet().await, "Salut, Anna!");
    durable_task_goes_on_in_the_new_build(hello, &page, &dev, &good).await;

    let told = Command::new("kill").args(["-TERM", &dev.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(dev.child.wait().unwrap().success());
    assert!(listening(hello).is_none(), "the process has gone with it");
}

/// The task reads ten sources for two seconds each, which outlasts the build and not the grace.
async fn durable_task_goes_on_in_the_new_build(hello: &Hello, page: &Page, dev: &Dev, source: &str) {
    for build in 0..3 {
        let started = page.call("research", json!({"topic": format!("tea {build}")})).await;
        let pid = listening(hello).unwrap()["pid"].clone();
        hello.write(&source.replace("\"Servus, {}!\"", &format!("\"Salut {build}, {{}}!\"")));
        dev.err.until("serving the new build");
        assert_ne!(listening(hello).unwrap()["pid"], pid);
        let call = started["call_id"].as_str().unwrap();
        let task = async || page.get(&format!("/v1/tasks?call_id={call}")).await["tasks"][0].clone();
        if task().await["state"] == "succeeded" {
            continue; // the build took longer than the task
        }
        while task().await["finished_at"].is_null() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let task = task().await;
        assert_eq!((&task["state"], &task["attempt"]), (&json!("succeeded"), &json!(2)), "{task}");
        let steps = page.get(&format!("/v1/tasks/{}/steps", task["task_id"].as_str().unwrap())).await;
        let attempts: Vec<_> = steps["steps"].as_array().unwrap().iter().map(|step| step["attempt"].clone()).collect();
        assert_eq!(attempts.len(), 10, "each source once: {steps}");
        assert_eq!((&attempts[0], &attempts[9]), (&json!(1), &json!(2)), "{steps}");
        return;
    }
    panic!("three builds took longer than 20 s each");
}

async fn killed_supervisor_leaves_no_process_behind(hello: &Hello) {
    let mut dev = Dev::start(hello);
    let link = dev.out.until("/open/").replace("open ", "");
    assert!(Page::open(&link).await.is_some());
    dev.child.kill().unwrap();
    dev.child.wait().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while listening(hello).is_some() {
        assert!(std::time::Instant::now() < deadline, "its process still runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An extension can enable the feature of `serde_json` that makes its parser recurse without a limit.
fn hostile_json_does_not_end_a_build_with_raw_value(hello: &Hello) {
    let manifest = hello.path.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with = "[dependencies]\nserde_json = { version = \"1\", features = [\"raw_value\"] }\n";
    std::fs::write(&manifest, text.replacen("[dependencies]\n", with, 1)).unwrap();
    let bomb = (0..10).fold("0".to_owned(), |inner, _| {
        let inner = inner.replace('\\', "\\u005c").replace('"', "\\u0022");
        "[".repeat(120) + "{\"$serde_json::private::RawValue\":\"" + &inner + "\"}" + &"]".repeat(120)
    });
    std::fs::write(hello.path.join("bomb.json"), format!("{{\"app_id\":{bomb}}}")).unwrap();
    let validated = imperal(&hello.path).args(["validate", "bomb.json"]).output().unwrap();
    assert_eq!(validated.status.code(), Some(1), "{}", shown(&validated));
    assert!(shown(&validated).contains("$serde_json::private::"), "{}", shown(&validated));
    let params = format!("{{\"name\":{bomb}}}");
    let called = imperal(&hello.path).args(["call", "greet", "--params", &params]).output().unwrap();
    assert_eq!(called.status.code(), Some(2), "{}", shown(&called));
}
