//! The state of a test platform across crashes of its process.
//!
//! Owns the makers of states and the temporary data folder. A value given with `state` stands for
//! something outside of the process and survives a crash. A maker runs again at each start, because a
//! process loses its memory.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::context::States;

type Make = Box<dyn Fn(&Path, &mut States) + Send + Sync>;

/// The values and makers that a setup has registered.
#[derive(Default)]
pub(super) struct StateSetup {
    kept: States,
    makers: Vec<Make>,
}

impl StateSetup {
    pub(super) fn keep<T: Send + Sync + 'static>(&mut self, value: T) {
        self.kept.insert(value);
    }

    pub(super) fn make<T, E>(&mut self, make: impl Fn(&Path) -> Result<T, E> + Send + Sync + 'static)
    where
        T: Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.makers.push(Box::new(move |folder, states| match make(folder) {
            Ok(value) => states.insert(value),
            Err(error) => panic!("the state of the test cannot be made: {}", error.into()),
        }));
    }

    /// The states of one process, the kept ones first.
    ///
    /// # Panics
    /// When a maker fails.
    pub(super) fn states(&self, folder: &DataFolder) -> Arc<States> {
        let mut states = self.kept.clone();
        for make in &self.makers {
            make(folder.path(), &mut states);
        }
        Arc::new(states)
    }

    /// A folder for the makers; an empty path when there are none.
    pub(super) fn folder(&self) -> DataFolder {
        if self.makers.is_empty() { DataFolder(None) } else { DataFolder::create() }
    }
}

/// A temporary folder that is removed when the platform and its users are dropped.
#[derive(Debug)]
pub(super) struct DataFolder(Option<PathBuf>);

impl DataFolder {
    fn create() -> Self {
        let path = std::env::temp_dir().join(format!("imperal-test-{}", uuid::Uuid::new_v4()));
        if let Err(error) = std::fs::create_dir(&path) {
            panic!("the test's data folder {} cannot be created: {error}", path.display());
        }
        Self(Some(path))
    }

    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
