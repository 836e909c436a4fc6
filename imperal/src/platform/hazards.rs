//! The places of faults in durable tasks' bodies that this process has logged: each is logged once. Also decides whether
//! this process looks for files at paths.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::{Hazard, Origin};

/// Places that are remembered. Beyond it nothing new is logged.
const PLACES: usize = 1_000;

/// The places that were logged.
#[derive(Debug)]
pub(super) struct Hazards {
    places: Mutex<HashSet<(&'static str, String)>>,
    /// One look at a time: a path may lead to a disk or a network that never answers, and then its thread is lost.
    looks: Arc<Semaphore>,
    gave_up: AtomicBool,
}

impl Default for Hazards {
    fn default() -> Self {
        Self { places: Mutex::default(), looks: Arc::new(Semaphore::new(1)), gave_up: AtomicBool::new(false) }
    }
}

impl Hazards {
    /// Whether this is the first hazard of its function and place.
    pub(super) fn is_new(&self, origin: &Origin, hazard: &Hazard) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.len() < PLACES && places.insert((origin.function, hazard.place()))
    }

    /// The right to look at the file system; `None` once a look has got no answer.
    pub(super) async fn may_look(&self) -> Option<OwnedSemaphorePermit> {
        if self.gave_up.load(Ordering::Relaxed) {
            return None;
        }
        self.looks.clone().acquire_owned().await.ok()
    }

    /// A look has got no answer in time.
    pub(super) fn give_up(&self) {
        if !self.gave_up.swap(true, Ordering::Relaxed) {
            tracing::warn!("a path in a step's value does not answer: paths in values are no longer looked at");
        }
    }
}
