//! The documents of each user: groups of domains by their names, and the latest audit.
//!
//! An audit is stored when it is done; the platform knows running audits.

use imperal::documents::Collection;
use serde::{Deserialize, Serialize};

use crate::summary::Audit;

/// Under their names.
pub(crate) const GROUPS: Collection<Group> = Collection::new("groups");

/// The latest audit of all, under [`LATEST`].
pub(crate) const AUDITS: Collection<Audit> = Collection::new("audits");
pub(crate) const LATEST: &str = "latest";

/// A named list of domains.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) domains: Vec<String>,
    /// Its latest audit.
    #[serde(default)]
    pub(crate) latest: Option<Audit>,
}
