//! `ctx.state::<T>()`: values that the author registers once at the start.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Context;
use crate::error::Error;
use crate::result::Result;

/// One value per type. A clone shares the values.
#[derive(Clone, Default)]
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}

impl Context {
    /// The value of type `T` that the binary registered with `App::state`: a database pool, a
    /// client, settings. One value per type, shared by all calls of the process.
    ///
    /// # Errors
    /// `INTERNAL` when none was registered; the log names the type and the line to add.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<&T> {
        self.services().states.get().ok_or_else(|| {
            Error::internal(format!(
                "no state of type `{0}`: register it in main with `imperal::App::new().state(..).run()`",
                type_name::<T>()
            ))
        })
    }
}
