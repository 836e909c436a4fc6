//! Reads which module of a folder imports which other module of it.
//!
//! Knows no order. It follows the `mod` declarations from the folder's root file, and takes each path that starts
//! with the folder's own path (`crate::context::..`), or leads to it with `super::`, for an import. Names that
//! the root file re-exports count as imports of the module they come from. Test modules are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The modules of a folder, as its root file declares them.
#[derive(Default)]
pub(crate) struct Sources {
    /// The folder's path in its crate; empty for the crate itself.
    path: Vec<String>,
    /// The modules that the root file declares.
    pub(crate) modules: BTreeSet<String>,
    /// By module, the names that its code takes from the folder's root, each with a file.
    imports: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// By name that the root file re-exports, the module it comes from.
    exported: BTreeMap<String, String>,
    pub(crate) files: usize,
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
    /// Reads the module at `path` in the crate whose `lib.rs` is in `root`.
    pub(crate) fn read(root: &Path, path: &[&str]) -> Self {
        let (mut file, mut folder) = (root.join("lib.rs"), root.to_owned());
        for module in path {
            (file, folder) = source_of(&folder, module);
        }
        let mut sources = Self { path: path.iter().map(|&module| module.to_owned()).collect(), ..Self::default() };
        sources.read_exports(tokens(&file));
        modules(&tokens(&file), &mut |name: &str, body| {
            if body.is_none() {
                sources.modules.insert(name.to_owned());
            }
        });
        for module in sources.modules.clone() {
            let (file, folder) = source_of(&folder, &module);
            sources.read_file(&module, &file, &folder, 1);
        }
        sources
    }

    /// `pub use module::{A, B as C}` of the root file.
    fn read_exports(&mut self, lib: TokenStream) {
        let tokens: Vec<TokenTree> = lib.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let (TokenTree::Ident(word), Some(TokenTree::Ident(module))) = (token, tokens.get(at + 1)) else {
                continue;
            };
            if word != "use" {
                continue;
            }
            let path: TokenStream = tokens[at + 1..]
                .iter()
                .take_while(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
                .cloned()
                .collect();
            for name in last_names(path) {
                self.exported.insert(name, module.to_string());
            }
        }
    }

    /// Reads a file and the files of the modules in it, which is `depth` modules below the folder's root.
    fn read_file(&mut self, module: &str, file: &Path, folder: &Path, depth: usize) {
        self.files += 1;
        self.read_code(module, file, folder, depth, &tokens(file));
    }

    fn read_code(&mut self, module: &str, file: &Path, folder: &Path, depth: usize, code: &TokenStream) {
        let mut below = Vec::new();
        let rest = modules(code, &mut |name: &str, body| below.push((name.to_owned(), body)));
        for name in names_of_the_root(&rest, &self.path, depth) {
            self.imports.entry(module.to_owned()).or_default().entry(name).or_insert_with(|| file.to_owned());
        }
        for (name, body) in below {
            if let Some(body) = body {
                self.read_code(module, file, &folder.join(name), depth + 1, &body);
            } else {
                let (file, folder) = source_of(folder, &name);
                self.read_file(module, &file, &folder, depth + 1);
            }
        }
    }

    /// The imports from one module to another, each with a file.
    pub(crate) fn edges(&self) -> BTreeMap<(String, String), PathBuf> {
        let mut edges = BTreeMap::new();
        for (module, names) in &self.imports {
            for (name, file) in names {
                let target = self.exported.get(name).unwrap_or(name);
                if target != module && self.modules.contains(target) {
                    edges.insert((module.clone(), target.clone()), file.clone());
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

/// The first names of paths that start at the folder's root, in code `depth` modules below it.
fn names_of_the_root(code: &[TokenTree], path: &[String], depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut at = 0;
    while at < code.len() {
        let mut supers = 0;
        let mut to_root = false;
        match &code[at] {
            TokenTree::Group(group) => {
                names.extend(names_of_the_root(&group.stream().into_iter().collect::<Vec<_>>(), path, depth));
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
        if is_path(code, at + 1) {
            if to_root {
                names.extend(names_under(path, &code[at + 3..]));
            } else if supers > 0 && supers == depth {
                names.extend(names_under(&[], &code[at + 3..]));
            }
        }
        at += 1;
    }
    names
}

/// The first names behind `path` in a path or in a list of paths: `x` and `y` of `a::{x, y::z}`, for `a`.
fn names_under(path: &[String], code: &[TokenTree]) -> Vec<String> {
    match (code.first(), path) {
        (Some(TokenTree::Ident(name)), []) => vec![name.to_string()],
        (Some(TokenTree::Ident(name)), [first, rest @ ..]) if name == first && is_path(code, 1) => {
            names_under(rest, &code[3..])
        }
        (Some(TokenTree::Group(list)), _) => {
            let list: Vec<TokenTree> = list.stream().into_iter().collect();
            let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
            list.split(comma).flat_map(|entry| names_under(path, entry)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether `::` is at this place.
fn is_path(code: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(code.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(at) && colon(at + 1)
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
    let names = |code: &[TokenTree], path: &[String], depth| {
        names_of_the_root(code, path, depth).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(names(&rest, &[], 2), ["a", "c", "e", "g", "i"]);
    let inside = |module: &str| names(&rest, &[module.to_owned()], 1);
    assert_eq!(inside("a"), ["b", "not_the_root"]);
    assert_eq!(inside("g"), ["H", "not_the_root"]);
    assert_eq!(inside("c"), ["not_the_root"]);
    let (name, body) = found.pop().unwrap();
    assert_eq!((name.as_str(), found.len()), ("inline", 0));
    assert_eq!(names(&body.into_iter().collect::<Vec<_>>(), &[], 3), ["l"]);
    assert_eq!(last_names("a::{x, y as z}".parse().unwrap()), ["x", "z"]);
}
