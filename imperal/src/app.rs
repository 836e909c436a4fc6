//! What an extension's `main` sets up: state and settings.
//!
//! It knows no commands; `cli` runs them on an `App`.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;

use crate::context::States;
use crate::platform::Settings;

/// What `main` sets up before the commands take over.
///
/// ```no_run
/// ///
/// struct Glossary(Vec<String>);
///
/// fn main() -> ExitCode {
///     imperal::App::new().state(Glossary(vec!["imperal".into()])).run()
/// }
/// ```
#[derive(Default)]
pub struct App {
    states: States,
    waiting: Vec<Waiting>,
    pub(crate) settings: Settings,
}

type Source = Box<dyn StdError + Send + Sync>;

/// A state that waits for the data folder.
type Waiting = Box<dyn FnOnce(&Path, &mut States) -> Result<(), StateError> + Send>;

/// A state that could not be made.
#[derive(Debug)]
pub(crate) struct StateError(Source);

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what the extension keeps in its data folder cannot be opened: {}", self.0)
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

    /// Registers a value that every call and task reaches by `ctx.state::<T>()`. One per type: a
    /// second replaces the first.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Registers a value that is made once the data folder is known and open: a store of the
    /// extension's own. Otherwise as [`state`](Self::state).
    ///
    /// The folder is the one of `--data-dir`, `.imperal` when not given; no other process has it
    /// open. Make a folder of your own name in it: the other names are the platform's. It is asked
    /// for by the commands that start a platform only, before any call is accepted; it may block.
    /// With several nodes on one database each node has a data folder of its own, so what all of
    /// them must see belongs into a database.
    ///
    /// # Errors
    /// An error of `make` ends the command with its text.
    ///
    /// ```no_run
    /// #     /// struct Notes(std::fs::File);
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
        self.waiting.push(Box::new(move |folder, states| {
            states.insert(make(folder).map_err(|error| StateError(error.into()))?);
            Ok(())
        }));
        self
    }

    /// All that was registered, once the data folder is open.
    pub(crate) fn states_in(&mut self, folder: &Path) -> Result<States, StateError> {
        for waiting in self.waiting.drain(..) {
            waiting(folder, &mut self.states)?;
        }
        Ok(std::mem::take(&mut self.states))
    }

    /// Changes defaults; options of the command line win.
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
            .field("waiting", &self.waiting.len())
            .field("settings", &self.settings)
            .finish()
    }
}
