//! The binary of an extension: its state, its settings, `run`.

use std::fmt;
use std::process::ExitCode;

use crate::cli;
use crate::context::States;
use crate::platform::Settings;

/// What `main` sets up before the commands take over.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// struct Glossary(Vec<String>);
///
/// fn main() -> ExitCode {
///     imperal::App::new().state(Glossary(vec!["imperal".into()])).run()
/// }
/// ```
#[derive(Default)]
pub struct App {
    pub(crate) states: States,
    pub(crate) settings: Settings,
}

impl App {
    /// Nothing registered, every setting at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a value that every call and task reaches by `ctx.state::<T>()`. One per type: a
    /// second replaces the first.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Changes defaults; options of the command line win.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Runs the command that the command line names; `dev` when it names none.
    #[must_use = "return it from main"]
    pub fn run(self) -> ExitCode {
        cli::run(self)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("states", &self.states).field("settings", &self.settings).finish()
    }
}

/// The `main` of an extension without state of its own: `fn main() -> ExitCode { imperal::run() }`.
#[must_use = "return it from main"]
pub fn run() -> ExitCode {
    App::new().run()
}
