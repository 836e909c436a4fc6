//! Imports inside the crate `imperal` go downwards only: between its top-level modules, and between the modules
//! inside the largest of these. Test modules may import everything. `imports` reads the imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::imports::Sources;

/// The top-level modules from the floor to the top. A module imports only modules that are listed before it.
const ORDER: &[(&str, &str)] = &[
    // The floor: plain values and small tools that know nothing of chat functions.
    ("codes", "error codes are texts"),
    ("ids", "ids are UUIDs with a type"),
    ("private_file", "writes a file that its owner alone can read"),
    ("tls", "chooses the cryptography of TLS"),
    ("sync", "locks, which one suite replaces"),
    ("failpoint", "named places where a test ends the process"),
    ("meters", "counters that the layers above increment"),
    ("rate", "limits how often something happens"),
    ("keyed_semaphore", "limits how much happens at once, by key"),
    ("backoff", "waits between attempts"),
    ("truncate", "shortens texts to a limit"),
    ("panic_text", "the text of a panic, for the log"),
    ("user", "the user of a call"),
    ("schedule", "times at which something is due"),
    // Results of a function.
    ("error", "the error of handlers, and the failure of an outgoing call"),
    ("result", "a success with data, or an error"),
    ("rows", "stored turns, calls, tasks and audit rows"),
    ("files", "references to files, and the store of their bytes"),
    ("secrets", "declarations of secrets, and the guard of their values"),
    ("vault", "seals and opens stored secrets"),
    // Declarations and surfaces of an author.
    ("context", "the surfaces of a running function; knows its host by one trait"),
    ("extension", "an extension's declaration"),
    ("function", "definitions of chat functions, whose handlers take a context"),
    ("assistant", "answers messages with a model; a durable task over the context's host"),
    // The platform and its storage.
    ("loops", "background loops that log with the context's spans"),
    ("trace", "spans of calls and tasks, trace context in and out"),
    ("ledger", "stores calls, turns, tasks and events with their results"),
    ("task", "runs the body of one background task"),
    ("platform", "runs calls and tasks on a ledger"),
    // Faces of the platform.
    ("manifest", "describes the registry of functions"),
    ("mcp", "shows the functions to MCP clients as tools"),
    ("gateway", "serves a platform over HTTP"),
    ("app", "the extensions of a binary with their settings, before it starts"),
    ("server", "a platform with its gateway, started from an app"),
    ("cli", "the commands, which start a server or call one"),
    ("testing", "the test kit, which uses all of these"),
];

/// The modules inside a top-level module, from the floor to the top, in the same way.
const INSIDE: &[(&str, &str)] = &[
    (
        "context",
        "hazard background log progress signal span state documents step_files fan_out durable on_cancel
         blocking chat draft http poll schedules files assistant host guarded_host secrets",
    ),
    (
        "ledger",
        "clock page unreadable feed retention meters contract decode rounds rules no_spans spans dynamic
         memory sqlite postgres audit_check conformance",
    ),
    (
        "platform",
        "error ledger_errors readable_name refusals messages queue settings call_reply lease_age
         acceptance first_tasks active drafts progress assistant_meters meters http_meter admission step_quota answer_types hazards seen file_store node
         lease retention durable_write durable_digest settling recovery questions documents files secrets host task_run hazard_checks
         chat injection tasks durable idempotency call_writes call_run dispatch schedules tool_calls resume follow_up timeline export access",
    ),
    (
        "gateway",
        "api_error headers body limits panics connection listener auth hosts idempotency
         health metrics page extensions allowed audit chat tasks drafts operators documents files questions schedules secrets say session draft_cursor crowd stream calls inject follow_up mcp openapi",
    ),
];

/// Imports that still go upwards. An entry that is no longer needed fails the test.
const KNOWN: &[(&str, &str)] = &[];

fn sources(path: &[&str]) -> Sources {
    Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../imperal/src"), path)
}

fn top_level() -> Vec<&'static str> {
    ORDER.iter().map(|(module, _)| *module).collect()
}

#[test]
fn every_module_has_a_place_in_its_order() {
    let check = |path: &[&str], order: &[&str]| {
        let listed: BTreeSet<String> = order.iter().map(|&module| module.to_owned()).collect();
        assert_eq!(listed, sources(path).modules, "the order and the modules of {path:?}");
    };
    check(&[], &top_level());
    for (module, order) in INSIDE {
        check(&[module], &order.split_whitespace().collect::<Vec<_>>());
    }
}

/// What is wrong with the imports, except for those in `known`.
fn import_faults(sources: &Sources, order: &[&str], known: &[(&str, &str)]) -> Vec<String> {
    let place = |module: &str| order.iter().position(|listed| *listed == module);
    let upward: BTreeMap<_, _> =
        sources.edges().into_iter().filter(|((from, to), _)| place(from) <= place(to)).collect();
    let unknown = upward
        .iter()
        .filter(|((from, to), _)| !known.contains(&(from.as_str(), to.as_str())))
        .map(|((from, to), file)| format!("{from} imports {to}, which the order lists after it: {}", file.display()));
    let needless = known
        .iter()
        .filter(|(from, to)| !upward.contains_key(&((*from).to_owned(), (*to).to_owned())))
        .map(|(from, to)| format!("{from} no longer imports {to}: take it out of KNOWN"));
    unknown.chain(needless).collect()
}

#[test]
fn modules_import_downwards_only() {
    let all = sources(&[]);
    assert!(all.files > 100, "found {} files only", all.files);
    let mut faults = import_faults(&all, &top_level(), KNOWN);
    for (module, order) in INSIDE {
        let (inside, order) = (sources(&[module]), order.split_whitespace().collect::<Vec<_>>());
        assert!(inside.edges().len() > order.len(), "found {} imports in {module} only", inside.edges().len());
        faults.extend(import_faults(&inside, &order, &[]));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults of a module of a crate with these files.
fn faults_in(path: &[&str], order: &[&str], files: &[(&str, &str)], known: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, code) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, code).unwrap();
    }
    let faults = import_faults(&Sources::read(folder.path(), path), order, known).into_iter();
    faults.map(|fault| fault.replace(&format!("{}/", folder.path().display()), "")).collect()
}

/// The faults between the top-level modules.
fn faults_of(files: &[(&str, &str)], known: &[(&str, &str)]) -> Vec<String> {
    faults_in(&[], &top_level(), files, known)
}

#[test]
fn upward_import_is_a_fault() {
    let lib = ("lib.rs", "mod codes; mod ledger; mod cli; pub use cli::{Args, run as start};");
    let cli = ("cli.rs", "use crate::codes::A; use crate::ledger::B; pub struct Args; pub fn run() {}");
    let ledger = |code| [lib, cli, ("codes.rs", ""), ("ledger/mod.rs", "mod rows;"), ("ledger/rows.rs", code)];
    assert_eq!(faults_of(&ledger("use crate::codes::A;"), &[]), Vec::<String>::new());
    let fault = "ledger imports cli, which the order lists after it: ledger/rows.rs";
    for import in ["use crate::cli::Args;", "fn f(args: super::super::cli::Args) {}", "use crate::start;"] {
        assert_eq!(faults_of(&ledger(import), &[]), [fault], "{import}");
        assert_eq!(faults_of(&ledger(import), &[("ledger", "cli")]), Vec::<String>::new());
    }
    let needless = faults_of(&ledger(""), &[("ledger", "cli")]);
    assert_eq!(needless, ["ledger no longer imports cli: take it out of KNOWN"]);
}

#[test]
fn upward_import_inside_a_module_is_a_fault() {
    let files = |code| {
        [
            ("lib.rs", "mod context;"),
            ("context/mod.rs", "mod chat; mod durable; pub use chat::Chat;"),
            ("context/chat.rs", "use super::durable::Run;"),
            ("context/durable/mod.rs", "mod run;"),
            ("context/durable/run.rs", code),
        ]
    };
    let faults = |code| faults_in(&["context"], &["durable", "chat"], &files(code), &[]);
    assert_eq!(faults("use crate::ids::Id; use super::chat;"), Vec::<String>::new());
    let fault = "durable imports chat, which the order lists after it: context/durable/run.rs";
    for import in [
        "use crate::context::Chat;",
        "use crate::context::{Other, chat::Chat};",
        "use crate::{context::chat, ids::Id};",
        "use super::super::Chat;",
        "fn f() { super::super::chat::f() }",
    ] {
        assert_eq!(faults(import), [fault], "{import}");
    }
}

/// One of a circle's imports goes upwards, in whichever order the modules are listed.
#[test]
fn circle_of_imports_is_a_fault() {
    let circle = [
        ("lib.rs", "mod ids; mod rate; mod user;"),
        ("ids.rs", "use crate::user::User;"),
        ("rate.rs", "use crate::ids::Id;"),
        ("user.rs", "use crate::rate::Rate;"),
    ];
    assert_eq!(faults_of(&circle, &[]), ["ids imports user, which the order lists after it: ids.rs"]);
}
