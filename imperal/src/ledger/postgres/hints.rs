//! What other nodes commit, told to this process's watchers.
//!
//! A commit here is told to the [`Feed`] at once and to other nodes by a NOTIFY that names owners,
//! on a connection of its own, one every 10 ms in the long run and a few at once after a rest. A
//! NOTIFY that arrives makes this node look at those owners. A look at all watched owners every second
//! does the same without any NOTIFY: a hint saves time, nothing rests on it. A cancel that was asked here of another node's task is told
//! in the same way, so that its node need not wait for its next renewal.
//!
//! What was told is remembered by the owner's latest number: whoever subscribes later reads at
//! least as far, so only a higher number needs telling.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Row};
use tokio_util::sync::CancellationToken;

use super::fault::{Fault, reasons};
use super::pool::{Param, STATEMENT, Store, ints, texts};
use super::rows::{get, get_id, stored};
use crate::failpoint;
use crate::ids::TaskId;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{Feed, LedgerError, Owner, Progress, decode};
use crate::loops::{Loops, Need};

/// Between two NOTIFYs of this node, and between two looks for hints, when they come one after another.
const GAP: Duration = Duration::from_millis(10);
/// How many may come at once after a rest: a call and its reply need not wait for each other.
const AT_ONCE: u32 = 16;
/// Between two looks at all watched owners.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks whether the connection for hints still lives.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Owners that one NOTIFY names; more of them are "all". The server takes 8,000 bytes.
const NAMED: usize = 64;
/// Owners whose latest number is remembered. To forget one costs a needless hint.
const REMEMBERED: usize = 65_536;

/// Columns: owner, tenant, user, head, and a running task's progress.
const LOOK: &str = "SELECT w.owner_id, w.tenant_id, w.user_id, w.head,
        t.task_id::text AS task_id, t.percent, t.message, t.progress_at, t.progress_no
    FROM @.owner w LEFT JOIN @.task t ON t.owner_id = w.owner_id AND t.state = 'running'
        AND t.progress_at IS NOT NULL AND t.node_id <> ALL ($1)";

/// Begins a word of a NOTIFY that means a node.
const TAG: char = '!';

/// A node's name as a NOTIFY says it: names may hold anything.
fn tag(node: &str) -> String {
    let hash = Sha256::digest(node.as_bytes());
    hash.iter().take(8).fold(TAG.to_string(), |tag, byte| format!("{tag}{byte:02x}"))
}

/// Which owners to look at.
#[derive(Debug, Default)]
struct Due {
    all: bool,
    ids: HashSet<i64>,
}

#[derive(Debug, Default)]
struct Known {
    /// The latest number that this process's watchers were told of.
    heads: HashMap<Owner, u64>,
    /// Of watched owners: the latest report of tasks that run elsewhere.
    progress: HashMap<TaskId, i64>,
    /// The ids of watched owners, as far as they are in the database.
    watched: HashSet<i64>,
    /// Nodes that joined by this handle: it tells of their progress itself.
    own: HashSet<i64>,
    /// The same nodes by [`tag`].
    own_tags: HashSet<String>,
    outgoing: HashSet<i64>,
    /// Nodes, by [`tag`], with a task that was asked here to stop.
    asked: HashSet<String>,
    due: Due,
}

/// Between this process's feed and other nodes.
#[derive(Debug)]
pub(super) struct Hints {
    feed: Feed,
    /// Tells this handle's NOTIFYs from others'.
    handle: String,
    known: Mutex<Known>,
    to_send: Notify,
    to_look: Notify,
}

/// Ends the work behind a handle with the handle.
#[derive(Debug)]
pub(super) struct Running(Vec<AbortHandle>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Hints {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            handle: uuid::Uuid::now_v7().simple().to_string(),
            known: Mutex::default(),
            to_send: Notify::new(),
            to_look: Notify::new(),
        }
    }

    /// Both loops run until what is returned is dropped, again after a panic.
    pub(super) fn start(self: &Arc<Self>, store: &Store, loops: &Loops) -> Running {
        let never = CancellationToken::new;
        let listen = {
            let (hints, store) = (self.clone(), store.clone());
            move || keep_listening(hints.clone(), store.clone())
        };
        let look = {
            let (hints, store) = (self.clone(), store.clone());
            move || keep_looking(hints.clone(), store.clone())
        };
        Running(vec![
            loops.spawn("notifier", Need::Helpful, never(), listen),
            loops.spawn("notifier-look", Need::Helpful, never(), look),
        ])
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn joined(&self, node_id: i64, node: &str) {
        let mut known = self.known();
        known.own.insert(node_id);
        known.own_tags.insert(tag(node));
    }

    /// After a cancel was noted: the task's node should look.
    pub(super) fn cancelled(&self, node: &str) {
        let tag = tag(node);
        let mut known = self.known();
        if known.own_tags.contains(&tag) {
            return;
        }
        known.asked.insert(tag);
        drop(known);
        self.to_send.notify_one();
    }

    /// After a commit: the owner's latest event is `seq`.
    pub(super) fn events(&self, owner_id: i64, owner: &Owner, seq: u64) {
        let mut known = self.known();
        known.remember(owner, seq);
        known.outgoing.insert(owner_id);
        drop(known);
        self.feed.events(owner);
        self.to_send.notify_one();
    }

    /// After a report was stored.
    pub(super) fn progress(&self, owner_id: i64, owner: &Owner, progress: Progress) {
        self.known().outgoing.insert(owner_id);
        self.feed.progress(owner, progress);
        self.to_send.notify_one();
    }

    /// What to tell other nodes, if there is anything.
    fn take_outgoing(&self) -> Option<String> {
        let mut known = self.known();
        let (ids, asked) = (std::mem::take(&mut known.outgoing), std::mem::take(&mut known.asked));
        drop(known);
        if ids.is_empty() && asked.is_empty() {
            return None;
        }
        let mut words = vec![self.handle.clone()];
        if ids.len() <= NAMED {
            words.extend(ids.iter().map(i64::to_string));
        } else {
            words.push("*".to_owned());
        }
        words.extend(asked.into_iter().take(NAMED));
        Some(words.join(" "))
    }

    fn anything_outgoing(&self) -> bool {
        let known = self.known();
        !known.outgoing.is_empty() || !known.asked.is_empty()
    }

    fn heard(&self, payload: &str) {
        let mut words = payload.split(' ');
        if words.next() == Some(&*self.handle) {
            return;
        }
        let mut known = self.known();
        // Of watched owners that are not in the database yet, no id is known.
        let unknown = self.feed.watched().len() != known.watched.len();
        for word in words {
            match word.parse() {
                Ok(id) if known.watched.contains(&id) => drop(known.due.ids.insert(id)),
                Ok(_) if !unknown => {}
                Err(_) if word.starts_with(TAG) => {
                    if known.own_tags.contains(word) {
                        self.feed.ask();
                    }
                }
                _ => known.due.all = true,
            }
        }
        let wanted = known.due.all || !known.due.ids.is_empty();
        drop(known);
        if wanted {
            self.to_look.notify_one();
        }
    }

    /// Looks at what is due, and tells watchers what is new there.
    async fn look(&self, store: &Store) -> Result<(), Fault> {
        let Due { all, ids } = std::mem::take(&mut self.known().due);
        let watched = self.feed.watched();
        let own: Vec<i64> = self.known().own.iter().copied().collect();
        let rows = if watched.is_empty() {
            Vec::new()
        } else if all {
            let tenants: Vec<_> = watched.iter().map(|owner| stored(&owner.tenant_id)).collect();
            let users: Vec<_> = watched.iter().map(|owner| stored(&owner.user_id)).collect();
            let sql = format!(
                "{LOOK} WHERE w.owner_key IN \
                 (SELECT @.owner_key(tenant, name) FROM unnest($2::text[], $3::text[]) AS n (tenant, name))"
            );
            store.repeatable(&sql, &[ints(&own), texts(&tenants), texts(&users)]).await?
        } else if ids.is_empty() {
            return Ok(());
        } else {
            let ids: Vec<i64> = ids.into_iter().collect();
            store.repeatable(&format!("{LOOK} WHERE w.owner_id = ANY ($2)"), &[ints(&own), ints(&ids)]).await?
        };
        if all {
            let mut known = self.known();
            known.watched = rows.iter().map(|row| get(row, 0)).collect::<Result<_, Fault>>()?;
            let tasks = rows.iter().filter_map(|row| get_id(row, 4).ok());
            let tasks: HashSet<TaskId> = tasks.collect();
            known.progress.retain(|task_id, _| tasks.contains(task_id));
        }
        rows.iter().try_for_each(|row| self.tell(row, store.unreadable()))
    }

    fn tell(&self, row: &Row, unreadable: &Unreadable) -> Result<(), Fault> {
        let owner = decode::owner(row, unreadable);
        let head = u64::try_from(get::<i64>(row, 3)?).unwrap_or_default();
        if self.known().remember(&owner, head) {
            self.feed.events(&owner);
        }
        let Some(number) = get::<Option<i64>>(row, 8)? else { return Ok(()) };
        let task_id = get_id(row, 4)?;
        if self.known().progress.insert(task_id, number) != Some(number) {
            self.feed.progress(&owner, decode::progress(row, task_id, unreadable));
        }
        Ok(())
    }
}

/// One every [`GAP`] in the long run, [`AT_ONCE`] of them without a wait.
#[derive(Debug)]
struct Pace {
    /// When the next would be due if each had waited its turn.
    due: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { due: Instant::now() }
    }

    /// From when on the next one may come.
    fn next(&self) -> Instant {
        self.due.checked_sub(GAP * (AT_ONCE - 1)).unwrap_or(self.due)
    }

    fn taken(&mut self) {
        self.due = self.due.max(Instant::now()) + GAP;
    }
}

impl Known {
    /// Whether that is news.
    fn remember(&mut self, owner: &Owner, head: u64) -> bool {
        if self.heads.len() >= REMEMBERED && !self.heads.contains_key(owner) {
            self.heads.clear();
        }
        let told = self.heads.entry(owner.clone()).or_default();
        let news = head > *told;
        *told = head.max(*told);
        news
    }
}

async fn keep_looking(hints: Arc<Hints>, store: Store) {
    let mut pace = Pace::new();
    let mut next = Instant::now() + LOOK_EVERY;
    loop {
        tokio::select! {
            () = hints.to_look.notified() => {}
            () = sleep_until(next) => {
                hints.known().due.all = true;
                next = Instant::now() + LOOK_EVERY;
            }
        }
        failpoint::hit("notifier-look");
        if let Err(fault) = hints.look(&store).await {
            let error = LedgerError::from(fault);
            tracing::warn!(%error, "looking for what other nodes wrote failed");
        }
        pace.taken();
        sleep_until(pace.next()).await;
    }
}

async fn keep_listening(hints: Arc<Hints>, store: Store) {
    loop {
        failpoint::hit("notifier");
        let why = listen(&hints, &store).await;
        tracing::debug!(why, "hints of other nodes are late: their connection ended");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One connection's life; says why it ended.
async fn listen(hints: &Hints, store: &Store) -> String {
    let connecting = tokio::time::timeout(STATEMENT, store.config().connect(store.tls()));
    let (client, mut connection) = match connecting.await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return reasons(&error),
        Err(_) => return "the server did not answer".to_owned(),
    };
    let (heard, mut hear) = mpsc::unbounded_channel();
    let driver: JoinHandle<()> = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(note) = message {
                // An error means that nobody hears any more.
                let _ = heard.send(note.payload().to_owned());
            }
        }
    });
    let _driver = Running(vec![driver.abort_handle()]);
    if let Err(why) = in_time(client.batch_execute(&format!("LISTEN \"{}\"", store.schema()))).await {
        return why;
    }
    // What was said before is lost.
    hints.known().due.all = true;
    hints.to_look.notify_one();
    let mut pace = Pace::new();
    let mut check = tokio::time::interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
    loop {
        let sendable = async {
            while !hints.anything_outgoing() {
                hints.to_send.notified().await;
            }
            sleep_until(pace.next()).await;
        };
        let sent = tokio::select! {
            payload = hear.recv() => match payload {
                Some(payload) => {
                    hints.heard(&payload);
                    Ok(())
                }
                None => return "the server ended it".to_owned(),
            },
            () = sendable => {
                pace.taken();
                let Some(payload) = hints.take_outgoing() else { continue };
                let params: [Param<'_>; 2] = [(&store.schema(), Type::TEXT), (&payload, Type::TEXT)];
                in_time(client.query_typed("SELECT pg_notify($1, $2)", &params)).await
            }
            // A way that swallows everything ends nothing by itself.
            _ = check.tick() => in_time(client.query_typed("SELECT", &[])).await,
        };
        if let Err(why) = sent {
            return why;
        }
    }
}

async fn in_time<T>(statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<(), String> {
    match tokio::time::timeout(STATEMENT, statement).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(reasons(&error)),
        Err(_) => Err("the server did not answer".to_owned()),
    }
}
