//! The state and settings of an extension's binary, set up in `main`.
//!
//! It knows no commands; `cli` runs them on an `App`.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;

use crate::context::States;
#[cfg(feature = "mcp")]
use crate::mcp::McpSettings;
use crate::platform::{Queue, Settings};

/// State and settings of an extension's binary, set up before the commands run.
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
    states: States,
    deferred: Vec<DeferredState>,
    pub(crate) settings: Settings,
    #[cfg(feature = "mcp")]
    pub(crate) mcp: McpSettings,
}

/// Makes a state once the data folder is open.
type DeferredState = Box<dyn FnOnce(&Path, &mut States) -> Result<(), StateError> + Send>;

/// A state that could not be made.
#[derive(Debug)]
pub(crate) struct StateError(Box<dyn StdError + Send + Sync>);

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a state of the extension could not be made in the data folder: {}", self.0)
    }
}

impl StdError for StateError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

impl App {
    /// Nothing registered, every setting at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a value that every call and task reaches by `ctx.state::<T>()`. There is one per type: a second
    /// replaces the first.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Registers a value that is made once the data folder is open, such as a store of the extension's own.
    /// Otherwise like [`state`](Self::state).
    ///
    /// `make` gets the folder of `--data-dir`, `.imperal` by default. No other process has it open. Create a folder
    /// of your own name in it: the other names belong to the platform. `make` runs before any call is accepted, and
    /// only in commands that start a platform; it may block. Each node of a shared database has its own data folder,
    /// so put data that all nodes need into a database.
    ///
    /// # Errors
    /// An error of `make` ends the command with its text.
    ///
    /// ```no_run
    /// # use std::process::ExitCode;
    /// struct Notes(std::fs::File);
    ///
    /// fn main() -> ExitCode {
    ///     imperal::App::new()
    ///         .state_in(|folder| std::fs::File::create(folder.join("notes.txt")).map(Notes))
    ///         .run()
    /// }
    /// ```
    #[must_use]
    pub fn state_in<T, E>(mut self, make: impl FnOnce(&Path) -> Result<T, E> + Send + 'static) -> Self
    where
        T: Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.deferred.push(Box::new(move |folder, states| {
            states.insert(make(folder).map_err(|error| StateError(error.into()))?);
            Ok(())
        }));
        self
    }

    /// All states, once the data folder is open.
    pub(crate) fn states_in(&mut self, folder: &Path) -> Result<States, StateError> {
        for make in self.deferred.drain(..) {
            make(folder, &mut self.states)?;
        }
        Ok(std::mem::take(&mut self.states))
    }

    /// Declares a queue of durable tasks, for [`DurableTask::queue`](crate::context::DurableTask::queue).
    ///
    /// ```no_run
    /// # use std::process::ExitCode;
    /// use imperal::{App, Queue};
    ///
    /// fn main() -> ExitCode {
    ///     App::new().queue(Queue::new("render").at_most(4).per_user(1)).run()
    /// }
    /// ```
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.settings.queues.push(queue);
        self
    }

    /// Changes how MCP clients are served at `/mcp`.
    ///
    /// ```no_run
    /// # use std::process::ExitCode;
    /// use imperal::{App, mcp::Destructive};
    ///
    /// fn main() -> ExitCode {
    ///     App::new().mcp(|mcp| mcp.destructive = Destructive::Allow).run()
    /// }
    /// ```
    #[cfg(feature = "mcp")]
    #[must_use]
    pub fn mcp(mut self, change: impl FnOnce(&mut McpSettings)) -> Self {
        change(&mut self.mcp);
        self
    }

    /// Changes the default settings. Options of the command line win.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("states", &self.states)
            .field("deferred", &self.deferred.len())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
