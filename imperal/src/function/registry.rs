//! Finds a binary's extensions and functions at start, and refuses what cannot be served.
//!
//! `inventory` yields in no fixed order, so everything is sorted by where it stands. Each refusal
//! names file and line: a function that is silently absent is the worst failure a framework has.

use std::collections::BTreeMap;
use std::fmt;

use super::{DurableDef, FunctionDef, JobDef};
use crate::extension::{ExtensionDef, HostedCrate, crate_of};
use crate::secrets::Secret;

/// One extension with its functions in order of declaration.
#[derive(Debug, Clone)]
pub struct Extension {
    def: &'static ExtensionDef,
    functions: Vec<&'static FunctionDef>,
    durable_tasks: Vec<&'static DurableDef>,
    jobs: Vec<&'static JobDef>,
}

impl Extension {
    fn new(def: &'static ExtensionDef) -> Self {
        Self { def, functions: Vec::new(), durable_tasks: Vec::new(), jobs: Vec::new() }
    }

    /// Its `app_id`.
    pub fn app_id(&self) -> &'static str {
        self.def.app_id
    }

    /// The declaration by `extension!`.
    #[doc(hidden)]
    pub fn def(&self) -> &'static ExtensionDef {
        self.def
    }

    /// The secrets that it declares.
    pub fn secrets(&self) -> &'static [Secret] {
        self.def.secrets
    }

    /// Its functions, in order of file and line.
    #[doc(hidden)]
    pub fn functions(&self) -> &[&'static FunctionDef] {
        &self.functions
    }

    /// Its durable tasks, in order of file and line.
    #[doc(hidden)]
    pub fn durable_tasks(&self) -> &[&'static DurableDef] {
        &self.durable_tasks
    }

    /// Its functions under `#[schedule]`, in order of file and line.
    #[doc(hidden)]
    pub fn jobs(&self) -> &[&'static JobDef] {
        &self.jobs
    }

    /// The durable task of that name.
    #[doc(hidden)]
    pub fn durable_task(&self, name: &str) -> Option<&'static DurableDef> {
        self.durable_tasks.iter().copied().find(|task| task.name == name)
    }

    /// The function of that name.
    #[doc(hidden)]
    pub fn function(&self, name: &str) -> Option<&'static FunctionDef> {
        self.functions.iter().copied().find(|f| f.name == name)
    }
}

/// Every extension of this binary, by `app_id`.
#[derive(Debug, Clone)]
pub struct Registry {
    extensions: BTreeMap<&'static str, Extension>,
    /// An extension of the platform itself. It has durable tasks and no functions.
    builtin: Option<Extension>,
}

impl Registry {
    /// Everything that the linked crates registered.
    ///
    /// # Errors
    /// All of [`StartError`]'s causes at once: no extension, two of one `app_id` or in one crate,
    /// no function, two of one name, a function whose crate declares no extension, a crate named
    /// by [`extensions!`](crate::extensions) that registers none.
    pub fn collect() -> Result<Self, StartError> {
        Self::build(
            inventory::iter::<ExtensionDef>.into_iter().collect(),
            inventory::iter::<FunctionDef>.into_iter().collect(),
            inventory::iter::<DurableDef>.into_iter().collect(),
            inventory::iter::<JobDef>.into_iter().collect(),
            inventory::iter::<HostedCrate>.into_iter().collect(),
        )
    }

    /// For unit tests that call no function.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self { extensions: BTreeMap::new(), builtin: None }
    }

    fn build(
        mut defs: Vec<&'static ExtensionDef>,
        mut functions: Vec<&'static FunctionDef>,
        mut durable_tasks: Vec<&'static DurableDef>,
        mut jobs: Vec<&'static JobDef>,
        hosted: Vec<&'static HostedCrate>,
    ) -> Result<Self, StartError> {
        defs.sort_by_key(|d| (d.app_id, d.file, d.line));
        functions.sort_by_key(|f| (f.file, f.line, f.name));
        durable_tasks.sort_by_key(|task| (task.file, task.line, task.name));
        jobs.sort_by_key(|job| (job.file, job.line, job.name));
        let mut faults = Vec::new();
        if defs.is_empty() {
            faults
                .push("this binary has no extension: write `imperal::extension! { .. }` once in your crate".to_owned());
        }
        let mut by_crate: BTreeMap<&str, &'static ExtensionDef> = BTreeMap::new();
        let mut extensions: BTreeMap<&'static str, Extension> = BTreeMap::new();
        for def in defs {
            if let Some(first) = by_crate.insert(crate_of(def.module_path), def) {
                faults.push(format!(
                    "crate `{}` declares two extensions: {}:{} and {}:{}; a crate is one extension",
                    crate_of(def.module_path),
                    first.file,
                    first.line,
                    def.file,
                    def.line
                ));
            } else if let Some(first) = extensions.insert(def.app_id, Extension::new(def)) {
                faults.push(format!(
                    "two extensions have the app_id `{}`: {}:{} and {}:{}; give one of them another",
                    def.app_id, first.def.file, first.def.line, def.file, def.line
                ));
            }
        }
        for function in functions {
            let Some(def) = by_crate.get(crate_of(function.module_path)) else {
                faults.push(format!(
                    "chat function `{}` at {}:{} belongs to crate `{}`, which declares no extension: write `imperal::extension! {{ .. }}` there",
                    function.name, function.file, function.line, crate_of(function.module_path)
                ));
                continue;
            };
            let Some(extension) = extensions.get_mut(def.app_id) else { continue };
            if let Some(first) = extension.function(function.name) {
                faults.push(format!(
                    "two chat functions of `{}` are named `{}`: {}:{} and {}:{}; rename one or give it `name = \"..\"`",
                    def.app_id, function.name, first.file, first.line, function.file, function.line
                ));
            } else {
                extension.functions.push(function);
            }
        }
        for task in durable_tasks {
            let Some(def) = by_crate.get(crate_of(task.module_path)) else {
                faults.push(format!(
                    "durable task `{}` at {}:{} belongs to crate `{}`, which declares no extension: write `imperal::extension! {{ .. }}` there",
                    task.name, task.file, task.line, crate_of(task.module_path)
                ));
                continue;
            };
            let Some(extension) = extensions.get_mut(def.app_id) else { continue };
            if let Some(first) = extension.durable_task(task.name) {
                faults.push(format!(
                    "two durable tasks of `{}` are named `{}`: {}:{} and {}:{}; rename one or give it `name = \"..\"`",
                    def.app_id, task.name, first.file, first.line, task.file, task.line
                ));
            } else {
                extension.durable_tasks.push(task);
            }
        }
        for job in jobs {
            let Some(def) = by_crate.get(crate_of(job.module_path)) else {
                faults.push(format!(
                    "schedule `{}` at {}:{} belongs to crate `{}`, which declares no extension: write `imperal::extension! {{ .. }}` there",
                    job.name, job.file, job.line, crate_of(job.module_path)
                ));
                continue;
            };
            let Some(extension) = extensions.get_mut(def.app_id) else { continue };
            if let Some(first) = extension.jobs.iter().find(|first| first.name == job.name) {
                faults.push(format!(
                    "two schedules of `{}` are named `{}`: {}:{} and {}:{}; rename one or give it `name = \"..\"`",
                    def.app_id, job.name, first.file, first.line, job.file, job.line
                ));
            } else {
                extension.jobs.push(job);
            }
        }
        for extension in extensions.values() {
            if extension.functions.is_empty() {
                faults.push(format!(
                    "extension `{}` at {}:{} has no chat function: put `#[chat_function(..)]` on an async fn",
                    extension.def.app_id, extension.def.file, extension.def.line
                ));
            }
        }
        for named in hosted {
            if !by_crate.contains_key(named.name) {
                faults.push(format!(
                    "`{}` at {}:{} is named by `extensions!` but declares no extension",
                    named.name, named.file, named.line
                ));
            }
        }
        if faults.is_empty() { Ok(Self { extensions, builtin: None }) } else { Err(StartError { faults }) }
    }

    /// The extension of that `app_id`.
    pub fn extension(&self, app_id: &str) -> Option<&Extension> {
        self.extensions.get(app_id)
    }

    /// Adds an extension of the platform itself, whose tasks run like those of authors. It has no functions and is in
    /// no list.
    pub(crate) fn with_builtin(self, def: &'static ExtensionDef, durable_tasks: Vec<&'static DurableDef>) -> Self {
        Self { builtin: Some(Extension { def, functions: Vec::new(), durable_tasks, jobs: Vec::new() }), ..self }
    }

    /// The extension of the platform itself, if there is one.
    pub(crate) fn builtin(&self) -> Option<&Extension> {
        self.builtin.as_ref()
    }

    /// The extension that a task belongs to: of an author, or of the platform itself.
    pub(crate) fn extension_of_task(&self, app_id: &str) -> Option<&Extension> {
        self.extension(app_id).or_else(|| self.builtin().filter(|builtin| builtin.app_id() == app_id))
    }

    /// All extensions, by `app_id`.
    pub fn extensions(&self) -> impl ExactSizeIterator<Item = &Extension> {
        self.extensions.values()
    }
}

/// Why a binary cannot be served; every cause, each with file and line.
#[derive(Debug, Clone)]
pub struct StartError {
    faults: Vec<String>,
}

impl StartError {
    /// One sentence a cause.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(app_id: &'static str, module_path: &'static str) -> &'static ExtensionDef {
        Box::leak(Box::new(ExtensionDef {
            app_id,
            name: "Name",
            module_path,
            file: "src/lib.rs",
            line: 3,
            ..ExtensionDef::BLANK
        }))
    }

    fn function(name: &'static str, module_path: &'static str, line: u32) -> &'static FunctionDef {
        Box::leak(Box::new(FunctionDef { name, module_path, file: "src/work.rs", line, ..FunctionDef::BLANK }))
    }

    fn faults(defs: Vec<&'static ExtensionDef>, functions: Vec<&'static FunctionDef>) -> String {
        Registry::build(defs, functions, vec![], vec![], vec![]).unwrap_err().to_string()
    }

    #[test]
    fn functions_come_in_order_of_their_lines() {
        let registry = Registry::build(
            vec![extension("a1", "a")],
            vec![function("second", "a::x", 20), function("first", "a", 4)],
            vec![],
            vec![],
            vec![],
        )
        .unwrap();
        let names: Vec<_> = registry.extension("a1").unwrap().functions().iter().map(|f| f.name).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn duplicates_are_refused_with_both_places() {
        let text = faults(vec![extension("a1", "a")], vec![function("f", "a", 4), function("f", "a::m", 9)]);
        assert!(text.contains("src/work.rs:4 and src/work.rs:9"), "{text}");
        let text = faults(
            vec![extension("a1", "a"), extension("a1", "b")],
            vec![function("f", "a", 4), function("g", "b", 4)],
        );
        assert!(text.contains("app_id `a1`"), "{text}");
        let text = faults(vec![extension("a1", "a"), extension("a2", "a::m")], vec![function("f", "a", 4)]);
        assert!(text.contains("declares two extensions"), "{text}");
    }

    #[test]
    fn durable_tasks_are_refused_as_functions_are() {
        let task = |name, module_path, line| -> &'static DurableDef {
            Box::leak(Box::new(DurableDef { name, module_path, file: "src/tasks.rs", line, ..DurableDef::BLANK }))
        };
        let build = |tasks| {
            let defs = vec![extension("a1", "a"), extension("a2", "b")];
            let functions = vec![function("generate", "a", 4), function("g", "b", 5)];
            Registry::build(defs, functions, tasks, vec![], vec![])
        };
        // One name in two extensions, and the name of a function, are other names.
        let registry = build(vec![task("generate", "a::m", 9), task("generate", "b", 7), task("cut", "a", 3)]).unwrap();
        let names: Vec<_> = registry.extension("a1").unwrap().durable_tasks().iter().map(|task| task.name).collect();
        assert_eq!(names, ["cut", "generate"]);
        let text = build(vec![task("generate", "a::m", 9), task("generate", "a", 4)]).unwrap_err().to_string();
        assert!(text.contains("two durable tasks of `a1` are named `generate`"), "{text}");
        assert!(text.contains("src/tasks.rs:4 and src/tasks.rs:9"), "{text}");
        assert!(text.contains("`name = \"..\"`"), "{text}");
        let text = build(vec![task("lost", "c::m", 2)]).unwrap_err().to_string();
        assert!(text.contains("durable task `lost` at src/tasks.rs:2 belongs to crate `c`"), "{text}");
    }

    #[test]
    fn schedules_are_refused_as_functions_are() {
        let job = |name, module_path, line| -> &'static JobDef {
            Box::leak(Box::new(JobDef { name, module_path, file: "src/jobs.rs", line, ..JobDef::BLANK }))
        };
        let build =
            |jobs| Registry::build(vec![extension("a1", "a")], vec![function("digest", "a", 4)], vec![], jobs, vec![]);
        let registry = build(vec![job("digest", "a::m", 9), job("clean", "a", 3)]).unwrap();
        let names: Vec<_> = registry.extension("a1").unwrap().jobs().iter().map(|job| job.name).collect();
        assert_eq!(names, ["clean", "digest"]);
        let text = build(vec![job("digest", "a::m", 9), job("digest", "a", 4)]).unwrap_err().to_string();
        assert!(text.contains("two schedules of `a1` are named `digest`: src/jobs.rs:4 and src/jobs.rs:9"), "{text}");
        let text = build(vec![job("lost", "c", 2)]).unwrap_err().to_string();
        assert!(text.contains("schedule `lost` at src/jobs.rs:2 belongs to crate `c`"), "{text}");
    }

    #[test]
    fn silence_is_refused() {
        assert!(faults(vec![], vec![]).contains("has no extension"));
        assert!(faults(vec![extension("a1", "a")], vec![]).contains("has no chat function"));
        let text = faults(vec![extension("a1", "a")], vec![function("f", "a", 1), function("g", "other", 7)]);
        assert!(text.contains("`g` at src/work.rs:7"), "{text}");
        let hosted: &'static HostedCrate = Box::leak(Box::new(HostedCrate { name: "b", file: "src/main.rs", line: 2 }));
        let error =
            Registry::build(vec![extension("a1", "a")], vec![function("f", "a", 1)], vec![], vec![], vec![hosted])
                .unwrap_err();
        assert!(error.to_string().contains("`b` at src/main.rs:2"), "{error}");
    }
}
