//! Imports inside the crate `imperal` go downwards only.
//!
//! The test reads the modules that `lib.rs` declares, with all their files, and takes each path that
//! starts with `crate::` or leads to the crate's root with `super::` for an import. Test modules may
//! import everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The top-level modules from the floor to the top. A module imports only modules that are listed before it.
const ORDER: &[(&str, &str)] = &[
    // The floor: plain values and small tools that know nothing of chat functions.
    ("codes", "error codes are texts"),
    ("ids", "ids are UUIDs with a type"),
    ("private_file", "writes a file that its owner alone can read"),
    ("sync", "locks, which one suite replaces"),
    ("failpoint", "named places where a test ends the process"),
    ("meters", "counters that the layers above increment"),
    ("rate", "limits how often something happens"),
    ("keyed_semaphore", "limits how much happens at once, by key"),
    ("backoff", "waits between attempts"),
    ("truncate", "shortens texts to a limit"),
    ("panic_text", "the text of a panic, for the log"),
    ("user", "the user of a call"),
    // Results of a function.
    ("error", "the error of handlers, and the failure of an outgoing call"),
    ("result", "a success with data, or an error"),
    ("rows", "stored turns, calls, tasks and audit rows"),
    // Declarations and surfaces of an author.
    ("context", "the surfaces of a running function; knows its host by one trait"),
    ("extension", "an extension's declaration"),
    ("function", "definitions of chat functions, whose handlers take a context"),
    // The platform and its storage.
    ("loops", "background loops that log with the context's spans"),
    ("trace", "spans of calls and tasks, trace context in and out"),
    ("ledger", "stores calls, turns, tasks and events with their results"),
    ("task", "runs the body of one background task"),
    ("platform", "runs calls and tasks on a ledger"),
    // Faces of the platform.
    ("manifest", "describes the registry of functions"),
    ("gateway", "serves a platform over HTTP"),
    ("app", "the extensions of a binary with their settings, before it starts"),
    ("server", "a platform with its gateway, started from an app"),
    ("cli", "the commands, which start a server or call one"),
    ("testing", "the test kit, which uses all of these"),
];

/// Imports that still go upwards. An entry that is no longer needed fails the test.
const KNOWN: &[(&str, &str)] = &[];

/// The crate as its module declarations make it.
#[derive(Default)]
struct Sources {
    /// By top-level module, the names that its code takes from the crate's root, each with a file.
    imports: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// By name that `lib.rs` re-exports, the module it comes from.
    exported: BTreeMap<String, String>,
    files: usize,
}

fn source_of(folder: &Path, module: &str) -> (PathBuf, PathBuf) {
    let inside = folder.join(module);
    let flat = inside.with_extension("rs");
    let file = if flat.is_file() { flat } else { inside.join("mod.rs") };
    assert!(file.is_file(), "no file of the module {}", inside.display());
    (file, inside)
}

fn tokens(file: &Path) -> TokenStream {
    std::fs::read_to_string(file).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Whether an attribute's tokens are a `cfg` that holds in tests only.
fn only_in_tests(attribute: &TokenStream) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text.starts_with("cfg(test") || text.starts_with("cfg(all(test")
}

impl Sources {
    fn read(root: &Path) -> Self {
        let mut sources = Self::default();
        sources.read_exports(tokens(&root.join("lib.rs")));
        let mut rooms = Vec::new();
        modules(&tokens(&root.join("lib.rs")), &mut |name: &str, body| {
            if body.is_none() {
                rooms.push(name.to_owned());
            }
        });
        for room in rooms {
            let (file, folder) = source_of(root, &room);
            sources.read_file(&room, &file, &folder, 1);
        }
        sources
    }

    /// `pub use room::{A, B as C}` of `lib.rs`.
    fn read_exports(&mut self, lib: TokenStream) {
        let tokens: Vec<TokenTree> = lib.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let (TokenTree::Ident(word), Some(TokenTree::Ident(room))) = (token, tokens.get(at + 1)) else { continue };
            if word != "use" {
                continue;
            }
            let path: TokenStream = tokens[at + 1..]
                .iter()
                .take_while(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
                .cloned()
                .collect();
            for name in last_names(path) {
                self.exported.insert(name, room.to_string());
            }
        }
    }

    /// Reads a file and the files of the modules in it, which is `depth` modules below the root.
    fn read_file(&mut self, room: &str, file: &Path, folder: &Path, depth: usize) {
        self.files += 1;
        self.read_code(room, file, folder, depth, &tokens(file));
    }

    fn read_code(&mut self, room: &str, file: &Path, folder: &Path, depth: usize, code: &TokenStream) {
        let mut below = Vec::new();
        let rest = modules(code, &mut |name: &str, body| below.push((name.to_owned(), body)));
        for name in names_of_the_root(&rest, depth) {
            self.imports.entry(room.to_owned()).or_default().entry(name).or_insert_with(|| file.to_owned());
        }
        for (name, body) in below {
            if let Some(body) = body {
                self.read_code(room, file, &folder.join(name), depth + 1, &body);
            } else {
                let (file, folder) = source_of(folder, &name);
                self.read_file(room, &file, &folder, depth + 1);
            }
        }
    }

    /// The imports from one top-level module to another.
    fn edges(&self) -> BTreeMap<(String, String), PathBuf> {
        let mut edges = BTreeMap::new();
        for (room, names) in &self.imports {
            for (name, file) in names {
                let target = self.exported.get(name).unwrap_or(name);
                if target != room && self.imports.contains_key(target) | ORDER.iter().any(|(known, _)| known == target)
                {
                    edges.insert((room.clone(), target.clone()), file.clone());
                }
            }
        }
        edges
    }
}

/// Calls `found` for each module outside of tests, with its body if it is inline; returns the other code.
fn modules(code: &TokenStream, found: &mut impl FnMut(&str, Option<TokenStream>)) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mut rest = Vec::new();
    let mut in_tests = false;
    let mut at = 0;
    while at < tokens.len() {
        let next = (tokens.get(at + 1), tokens.get(at + 2));
        match (&tokens[at], next) {
            (TokenTree::Punct(p), (Some(TokenTree::Group(group)), _))
                if p.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
            {
                in_tests |= only_in_tests(&group.stream());
                rest.extend_from_slice(&tokens[at..at + 2]);
                at += 2;
            }
            (TokenTree::Ident(word), (Some(TokenTree::Ident(name)), end)) if word == "mod" => {
                let body = match end {
                    Some(TokenTree::Group(group)) => Some(group.stream()),
                    _ => None,
                };
                if !in_tests {
                    found(&name.to_string(), body);
                }
                in_tests = false;
                at += 3;
            }
            // The end of an item.
            (TokenTree::Punct(p), _) if p.as_char() == ';' => {
                in_tests = false;
                rest.push(tokens[at].clone());
                at += 1;
            }
            (TokenTree::Group(group), _) if group.delimiter() == Delimiter::Brace => {
                if !in_tests {
                    rest.push(tokens[at].clone());
                }
                in_tests = false;
                at += 1;
            }
            _ => {
                rest.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    rest
}

/// The first names of paths that start at the crate's root, in code `depth` modules below it.
fn names_of_the_root(code: &[TokenTree], depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut at = 0;
    while at < code.len() {
        let mut supers = 0;
        let mut to_root = false;
        match &code[at] {
            TokenTree::Group(group) => {
                names.extend(names_of_the_root(&group.stream().into_iter().collect::<Vec<_>>(), depth));
            }
            TokenTree::Ident(word) if word == "crate" || word == "super" => {
                // `pub(crate)` and `$crate` have no path behind them, or start one of another crate.
                let after_dollar = at > 0 && matches!(&code[at - 1], TokenTree::Punct(p) if p.as_char() == '$');
                to_root = word == "crate" && !after_dollar;
                supers += usize::from(word == "super");
                while is_path(code, at + 1) && matches!(code.get(at + 3), Some(TokenTree::Ident(w)) if w == "super") {
                    supers += 1;
                    at += 3;
                }
            }
            _ => {}
        }
        if (to_root || supers > 0 && supers == depth) && is_path(code, at + 1) {
            match code.get(at + 3) {
                Some(TokenTree::Ident(name)) => {
                    names.insert(name.to_string());
                }
                Some(TokenTree::Group(group)) => names.extend(first_names(group.stream())),
                _ => {}
            }
        }
        at += 1;
    }
    names
}

/// Whether `::` is at this place.
fn is_path(code: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(code.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// `a` and `b` of `a::{x, y}, b`.
fn first_names(list: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let mut first = true;
    for token in list {
        match token {
            TokenTree::Ident(name) if first => {
                names.push(name.to_string());
                first = false;
            }
            TokenTree::Punct(p) if p.as_char() == ',' => first = true,
            _ => {}
        }
    }
    names
}

/// The names that a `use` brings in: `x`, `z` and `b` of `a::{x, y as z}, b`.
fn last_names(path: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let mut last = None;
    for token in path {
        match token {
            TokenTree::Ident(name) => last = Some(name.to_string()),
            TokenTree::Group(group) => {
                last = None;
                names.extend(last_names(group.stream()));
            }
            TokenTree::Punct(p) if p.as_char() == ',' => names.extend(last.take()),
            _ => {}
        }
    }
    names.extend(last);
    names
}

fn sources() -> Sources {
    let sources = Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../imperal/src"));
    assert!(sources.files > 100, "found {} files only", sources.files);
    sources
}

#[test]
fn every_top_level_module_has_a_place_in_the_order() {
    let mut listed: Vec<&str> = ORDER.iter().map(|(room, _)| *room).collect();
    let mut declared = Vec::new();
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../imperal/src/lib.rs");
    modules(&tokens(&lib), &mut |name: &str, body| {
        if body.is_none() {
            declared.push(name.to_owned());
        }
    });
    listed.sort_unstable();
    declared.sort_unstable();
    declared.dedup();
    assert_eq!(listed, declared, "the table ORDER and the modules of lib.rs");
}

/// What is wrong with the imports, except for those in `known`.
fn import_faults(sources: &Sources, known: &[(&str, &str)]) -> Vec<String> {
    let place = |room: &str| ORDER.iter().position(|(listed, _)| *listed == room);
    let upward: BTreeMap<_, _> =
        sources.edges().into_iter().filter(|((from, to), _)| place(from) <= place(to)).collect();
    let unknown = upward
        .iter()
        .filter(|((from, to), _)| !known.contains(&(from.as_str(), to.as_str())))
        .map(|((from, to), file)| format!("{from} imports {to}, which ORDER lists after it: {}", file.display()));
    let needless = known
        .iter()
        .filter(|(from, to)| !upward.contains_key(&((*from).to_owned(), (*to).to_owned())))
        .map(|(from, to)| format!("{from} no longer imports {to}: take it out of KNOWN"));
    unknown.chain(needless).collect()
}

#[test]
fn modules_import_downwards_only() {
    let faults = import_faults(&sources(), KNOWN);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults of a crate with these files.
fn faults_of(files: &[(&str, &str)], known: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, code) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, code).unwrap();
    }
    let faults = import_faults(&Sources::read(folder.path()), known).into_iter();
    faults.map(|fault| fault.replace(&format!("{}/", folder.path().display()), "")).collect()
}

#[test]
fn upward_import_is_a_fault() {
    let lib = ("lib.rs", "mod codes; mod ledger; mod cli; pub use cli::{Args, run as start};");
    let cli = ("cli.rs", "use crate::codes::A; use crate::ledger::B; pub struct Args; pub fn run() {}");
    let ledger = |code| [lib, cli, ("codes.rs", ""), ("ledger/mod.rs", "mod rows;"), ("ledger/rows.rs", code)];
    assert_eq!(faults_of(&ledger("use crate::codes::A;"), &[]), Vec::<String>::new());
    let fault = "ledger imports cli, which ORDER lists after it: ledger/rows.rs";
    for import in ["use crate::cli::Args;", "fn f(args: super::super::cli::Args) {}", "use crate::start;"] {
        assert_eq!(faults_of(&ledger(import), &[]), [fault], "{import}");
        assert_eq!(faults_of(&ledger(import), &[("ledger", "cli")]), Vec::<String>::new());
    }
    let needless = faults_of(&ledger(""), &[("ledger", "cli")]);
    assert_eq!(needless, ["ledger no longer imports cli: take it out of KNOWN"]);
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
    assert_eq!(faults_of(&circle, &[]), ["ids imports user, which ORDER lists after it: ids.rs"]);
}

#[test]
fn the_reader_finds_imports_of_every_form() {
    let code = "
        use crate::{a::b, c as d};
        use super::super::e;
        use super::not_the_root;
        fn f(x: crate::g::H) { crate::i::j(); }
        pub(crate) struct S;
        #[cfg(test)] mod tests { use crate::k; }
        mod inline { use super::super::super::l; }
    ";
    let mut found = Vec::new();
    let rest = modules(&code.parse().unwrap(), &mut |name: &str, body| found.push((name.to_owned(), body.unwrap())));
    assert_eq!(names_of_the_root(&rest, 2).into_iter().collect::<Vec<_>>(), ["a", "c", "e", "g", "i"]);
    let (name, body) = found.pop().unwrap();
    assert_eq!((name.as_str(), found.len()), ("inline", 0));
    assert_eq!(names_of_the_root(&body.into_iter().collect::<Vec<_>>(), 3).into_iter().collect::<Vec<_>>(), ["l"]);
    assert_eq!(last_names("a::{x, y as z}".parse().unwrap()), ["x", "z"]);
}
