//! Commits between nodes: announces this node's to others, and others' to this process's watchers.
//!
//! A commit on this node reaches the [`Feed`] at once, and other nodes by a NOTIFY that names the owners. An
//! incoming NOTIFY makes this node poll those owners. A poll of all watched owners every second finds the same
//! without any NOTIFY: a NOTIFY saves time, and nothing depends on it. A cancel of another node's task travels the
//! same way, so that its node need not wait for its next renewal, and so does the word that durable tasks may be ready
//! to be claimed.
//!
//! The latest number of each owner is remembered. A later subscriber reads at least that far, so only a higher
//! number is announced. The loops that poll, listen and send are in [`listener`](super::listener).

mod state;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_postgres::Row;

use self::state::{NotifierState, is_node_tag, node_tag};
use super::drafts;
use super::fault::Fault;
use super::pool::{Store, ints, texts};
use super::rows::{get, get_id};
use super::stored_text::stored;
use crate::ids::TaskId;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{DraftPiece, Feed, Owner, Progress, decode};

/// Owners that one NOTIFY names; more of them are sent as "all". The server takes 8,000 bytes.
const MAX_NAMED_OWNERS: usize = 64;

/// The word of a NOTIFY that says that durable tasks may be ready to be claimed.
const READY_PAYLOAD: &str = "ready";

/// Begins the word of a NOTIFY that names an owner with news of drafts.
const DRAFT_MARK: char = 'd';

/// An owner's latest number, and the progress of its running tasks on other nodes.
const OWNER_PROGRESS: &str = "SELECT w.owner_id, w.tenant_id, w.user_id, w.head,
        t.task_id::text AS task_id, t.percent, t.message, t.progress_at, t.progress_no, t.steps
    FROM @.owner w LEFT JOIN @.task t ON t.owner_id = w.owner_id AND t.state = 'running' AND t.finished_at IS NULL
        AND t.progress_at IS NOT NULL AND t.node_id <> ALL ($1)";

/// Connects this process's feed with other nodes.
#[derive(Debug)]
pub(super) struct PeerNotifier {
    feed: Feed,
    /// Tells this ledger's own NOTIFYs from others'.
    sender: String,
    state: Mutex<NotifierState>,
    /// Wakes the loop that sends.
    pub(super) to_send: Notify,
    /// Wakes the loop that polls.
    pub(super) to_poll: Notify,
}

impl PeerNotifier {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            sender: uuid::Uuid::now_v7().simple().to_string(),
            state: Mutex::default(),
            to_send: Notify::new(),
            to_poll: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, NotifierState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn joined(&self, node_id: i64, node: &str) {
        let mut state = self.state();
        state.own_nodes.insert(node_id);
        state.own_tags.insert(node_tag(node));
    }

    /// After a cancel request was committed: asks the task's node to renew its lease, which tells it of the cancel.
    pub(super) fn cancel_requested(&self, node: &str) {
        let tag = node_tag(node);
        let mut state = self.state();
        if state.own_tags.contains(&tag) {
            return;
        }
        state.to_renew.insert(tag);
        drop(state);
        self.to_send.notify_one();
    }

    /// After a commit: the owner's latest event is `seq`.
    pub(super) fn events(&self, owner_id: i64, owner: &Owner, seq: u64) {
        let mut state = self.state();
        state.remember(owner, seq);
        state.outgoing.insert(owner_id);
        drop(state);
        self.feed.publish_events(owner);
        self.to_send.notify_one();
    }

    /// After a commit that may have made a durable task ready to be claimed.
    pub(super) fn task_is_ready(&self) {
        self.state().has_ready_tasks = true;
        self.feed.announce_ready_task();
        self.to_send.notify_one();
    }

    /// After a progress report was stored.
    pub(super) fn progress(&self, owner_id: i64, owner: &Owner, progress: Progress) {
        self.state().outgoing.insert(owner_id);
        self.feed.publish_progress(owner, progress);
        self.to_send.notify_one();
    }

    /// After a piece of a draft was stored.
    pub(super) fn draft(&self, owner_id: i64, owner: &Owner, piece: DraftPiece) {
        self.state().drafts_of.insert(owner_id);
        self.feed.publish_draft(owner, piece);
        self.to_send.notify_one();
    }

    /// The next poll reads all watched owners.
    pub(super) fn poll_all(&self) {
        self.state().pending.all = true;
    }

    /// The payload of the next NOTIFY, if there is anything to send.
    pub(super) fn take_outgoing(&self) -> Option<String> {
        let mut state = self.state();
        if !state.has_outgoing() {
            return None;
        }
        let (ids, to_renew) = (std::mem::take(&mut state.outgoing), std::mem::take(&mut state.to_renew));
        let has_ready_tasks = std::mem::take(&mut state.has_ready_tasks);
        let drafts_of = std::mem::take(&mut state.drafts_of);
        drop(state);
        let mut words = vec![self.sender.clone()];
        if ids.len() <= MAX_NAMED_OWNERS {
            words.extend(ids.iter().map(i64::to_string));
        } else {
            words.push("*".to_owned());
        }
        if drafts_of.len() <= MAX_NAMED_OWNERS {
            words.extend(drafts_of.iter().map(|id| format!("{DRAFT_MARK}{id}")));
        } else {
            words.push(format!("{DRAFT_MARK}*"));
        }
        words.extend(to_renew.into_iter().take(MAX_NAMED_OWNERS));
        if has_ready_tasks {
            words.push(READY_PAYLOAD.to_owned());
        }
        Some(words.join(" "))
    }

    pub(super) fn has_outgoing(&self) -> bool {
        self.state().has_outgoing()
    }

    /// Notes what another node's NOTIFY names.
    pub(super) fn on_notify(&self, payload: &str) {
        let mut words = payload.split(' ');
        if words.next() == Some(&*self.sender) {
            return;
        }
        let mut state = self.state();
        // A watched owner that is not in the database yet has no id: any id may be that owner's.
        let has_unknown = self.feed.watched().len() != state.watched.len();
        for word in words {
            if let Some(id) = word.strip_prefix(DRAFT_MARK) {
                match id.parse() {
                    Ok(id) if state.watched.contains(&id) => drop(state.pending.drafts_of.insert(id)),
                    Ok(_) if !has_unknown => {}
                    _ => state.pending.all = true,
                }
                continue;
            }
            match word.parse() {
                Ok(id) if state.watched.contains(&id) => drop(state.pending.ids.insert(id)),
                Ok(_) if !has_unknown => {}
                Err(_) if word == READY_PAYLOAD => self.feed.announce_ready_task(),
                Err(_) if is_node_tag(word) => {
                    if state.own_tags.contains(word) {
                        self.feed.request_renewal();
                    }
                }
                _ => state.pending.all = true,
            }
        }
        let is_wanted = !state.pending.is_empty();
        drop(state);
        if is_wanted {
            self.to_poll.notify_one();
        }
    }

    /// Reads the pending owners and publishes what is new.
    pub(super) async fn poll(&self, store: &Store) -> Result<(), Fault> {
        let pending = std::mem::take(&mut self.state().pending);
        let watched = self.feed.watched();
        let own_nodes: Vec<i64> = self.state().own_nodes.iter().copied().collect();
        let rows = if watched.is_empty() {
            Vec::new()
        } else if pending.all {
            let tenants: Vec<_> = watched.iter().map(|owner| stored(&owner.tenant_id)).collect();
            let users: Vec<_> = watched.iter().map(|owner| stored(&owner.user_id)).collect();
            let sql = format!(
                "{OWNER_PROGRESS} WHERE w.owner_key IN \
                 (SELECT @.owner_key(tenant, name) FROM unnest($2::text[], $3::text[]) AS n (tenant, name))"
            );
            store.repeatable(&sql, &[ints(&own_nodes), texts(&tenants), texts(&users)]).await?
        } else if pending.ids.is_empty() {
            Vec::new()
        } else {
            let ids: Vec<i64> = pending.ids.into_iter().collect();
            store
                .repeatable(&format!("{OWNER_PROGRESS} WHERE w.owner_id = ANY ($2)"), &[ints(&own_nodes), ints(&ids)])
                .await?
        };
        if pending.all {
            let mut state = self.state();
            state.watched = rows.iter().map(|row| get(row, 0)).collect::<Result<_, Fault>>()?;
            let tasks: HashSet<TaskId> = rows.iter().filter_map(|row| get_id(row, 4).ok()).collect();
            state.progress.retain(|task_id, _| tasks.contains(task_id));
        }
        rows.iter().try_for_each(|row| self.publish(row, store.unreadable()))?;
        let drafts_of: Vec<i64> = if pending.all {
            self.state().watched.iter().copied().collect()
        } else {
            pending.drafts_of.into_iter().collect()
        };
        self.poll_drafts(store, &own_nodes, &drafts_of).await
    }

    /// Reads what other nodes have written of these owners' drafts, once for all watchers, and publishes it.
    async fn poll_drafts(&self, store: &Store, own_nodes: &Vec<i64>, owners: &Vec<i64>) -> Result<(), Fault> {
        if owners.is_empty() {
            return Ok(());
        }
        let known = self.state().known_drafts();
        let news = drafts::news(store, own_nodes, owners, known).await?;
        for (owner, piece) in news {
            self.state().remember_draft(piece.draft_id, piece.end());
            self.feed.publish_draft(&owner, piece);
        }
        Ok(())
    }

    /// Announces one row of a poll to the feed, as far as it is new.
    fn publish(&self, row: &Row, unreadable: &Unreadable) -> Result<(), Fault> {
        let owner = decode::owner(row, unreadable);
        let head = u64::try_from(get::<i64>(row, 3)?).unwrap_or_default();
        if self.state().remember(&owner, head) {
            self.feed.publish_events(&owner);
        }
        let Some(number) = get::<Option<i64>>(row, 8)? else { return Ok(()) };
        let task_id = get_id(row, 4)?;
        if self.state().progress.insert(task_id, number) != Some(number) {
            self.feed.publish_progress(&owner, decode::progress(row, task_id, unreadable));
        }
        Ok(())
    }
}
