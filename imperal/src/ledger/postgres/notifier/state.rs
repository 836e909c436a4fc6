//! The notifier's memory between commits, polls and NOTIFYs.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::ids::{DraftId, TaskId};
use crate::ledger::Owner;

/// Owners whose latest number is remembered. Forgetting one costs a needless announcement.
const MAX_OWNERS: usize = 65_536;

/// Drafts whose end is remembered. Forgetting one costs one read of its text.
const MAX_DRAFTS: usize = 512;

/// Begins a word of a NOTIFY that names a node.
const NODE_MARK: char = '!';

/// A node in a NOTIFY. Hashed, because a node's name may hold any character.
pub(super) fn node_tag(node: &str) -> String {
    let hash = Sha256::digest(node.as_bytes());
    hash.iter().take(8).fold(NODE_MARK.to_string(), |tag, byte| format!("{tag}{byte:02x}"))
}

pub(super) fn is_node_tag(word: &str) -> bool {
    word.starts_with(NODE_MARK)
}

/// Owners that the next poll reads.
#[derive(Debug, Default)]
pub(super) struct PendingOwners {
    /// All watched owners.
    pub(super) all: bool,
    pub(super) ids: HashSet<i64>,
    /// Owners whose drafts alone are read.
    pub(super) drafts_of: HashSet<i64>,
}

impl PendingOwners {
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.ids.is_empty() && self.drafts_of.is_empty()
    }
}

#[derive(Debug, Default)]
pub(super) struct NotifierState {
    /// The latest number that this process's watchers have heard of.
    heads: HashMap<Owner, u64>,
    /// The latest report of each running task of a watched owner, where another node runs it.
    pub(super) progress: HashMap<TaskId, i64>,
    /// The ids of those watched owners that are in the database.
    pub(super) watched: HashSet<i64>,
    /// Ids of the nodes that joined through this ledger. It announces their progress itself.
    pub(super) own_nodes: HashSet<i64>,
    /// The same nodes as [`node_tag`]s.
    pub(super) own_tags: HashSet<String>,
    /// Owners to name in the next NOTIFY.
    pub(super) outgoing: HashSet<i64>,
    /// Owners whose drafts have news, to name in the next NOTIFY.
    pub(super) drafts_of: HashSet<i64>,
    /// How far this process's watchers know the drafts of other nodes.
    drafts: HashMap<DraftId, u64>,
    /// [`node_tag`]s of the nodes whose tasks were asked to cancel here.
    pub(super) to_renew: HashSet<String>,
    /// Whether the next NOTIFY says that durable tasks may be ready.
    pub(super) has_ready_tasks: bool,
    pub(super) pending: PendingOwners,
}

impl NotifierState {
    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty() || !self.drafts_of.is_empty() || !self.to_renew.is_empty() || self.has_ready_tasks
    }

    /// The ids of the known drafts, and how far they are known.
    pub(super) fn known_drafts(&self) -> (Vec<String>, Vec<i64>) {
        let known = |(id, end): (&DraftId, &u64)| (id.to_string(), i64::try_from(*end).unwrap_or(i64::MAX));
        self.drafts.iter().map(known).unzip()
    }

    /// Remembers how far a draft is known.
    pub(super) fn remember_draft(&mut self, draft_id: DraftId, end: u64) {
        if self.drafts.len() >= MAX_DRAFTS && !self.drafts.contains_key(&draft_id) {
            self.drafts.clear();
        }
        self.drafts.insert(draft_id, end);
    }

    /// Remembers an owner's latest number; false if it is not new.
    pub(super) fn remember(&mut self, owner: &Owner, head: u64) -> bool {
        if self.heads.len() >= MAX_OWNERS && !self.heads.contains_key(owner) {
            self.heads.clear();
        }
        let known = self.heads.entry(owner.clone()).or_default();
        let is_new = head > *known;
        *known = head.max(*known);
        is_new
    }
}
