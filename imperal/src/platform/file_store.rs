//! The store of the bytes of files, and the permits of its writers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::codes;
use crate::error::Error;
use crate::files::Blobs;
use crate::ledger::Owner;
use crate::result::Result;
use crate::sync::{Mutex, MutexGuard};

/// Files that are written at once on a node, since parts of each are in memory: by users, and by work.
const WRITTEN_AT_ONCE: usize = 16;
/// Uploads of one user among them.
const UPLOADS_PER_USER: usize = 4;

/// The store of bytes, and the permits of its writers.
#[derive(Debug)]
pub(super) struct FileStore {
    blobs: Option<Blobs>,
    pub(super) work: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    uploads_of: Mutex<HashMap<Owner, usize>>,
}

impl FileStore {
    pub(super) fn new(blobs: Option<Blobs>) -> Self {
        let places = || Arc::new(Semaphore::new(WRITTEN_AT_ONCE));
        Self { blobs, work: places(), uploads: places(), uploads_of: Mutex::default() }
    }

    pub(super) fn blobs(&self) -> Result<&Blobs> {
        self.blobs.as_ref().ok_or_else(|| {
            Error::platform(codes::UNAVAILABLE, "This platform has no place for files. Ask its operator for one.")
                .with_source("nodes that share a database need a store of files that they share: --files-url")
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.uploads_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for an upload of a user.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user or the node has as many uploads as it may.
    pub(super) fn begin_upload(self: &Arc<Self>, owner: &Owner) -> Result<UploadPermit> {
        let busy = || Error::user(codes::RATE_LIMITED, "Too many uploads are at work. Try again in a moment.");
        let permit = self.uploads.clone().try_acquire_owned().map_err(|_| busy())?;
        let mut uploads_of = self.lock();
        let held = uploads_of.entry(owner.clone()).or_default();
        if *held >= UPLOADS_PER_USER {
            return Err(busy());
        }
        *held += 1;
        drop(uploads_of);
        Ok(UploadPermit { store: self.clone(), owner: owner.clone(), _permit: permit })
    }
}

/// The right to one upload.
pub(super) struct UploadPermit {
    store: Arc<FileStore>,
    owner: Owner,
    _permit: OwnedSemaphorePermit,
}

impl Drop for UploadPermit {
    fn drop(&mut self) {
        let mut uploads_of = self.store.lock();
        if let Some(held) = uploads_of.get_mut(&self.owner) {
            *held -= 1;
            if *held == 0 {
                uploads_of.remove(&self.owner);
            }
        }
    }
}
