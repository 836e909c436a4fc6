//! What an operator can set, with the numbers the platform promises by default.

use std::time::Duration;

use crate::ledger::Keep;

/// Times and limits of a platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The node's name: the same over restarts, different from every other node's.
    pub node: String,
    /// Cap of a foreground call. 300 s.
    pub call_cap: Duration,
    /// Cap of a background task. 180 s.
    pub task_cap: Duration,
    /// Cap of a background task with `long_running`. 1800 s.
    pub long_task_cap: Duration,
    /// Longest silence of a background task. 300 s, longer than the longest `ctx.http` call.
    pub liveness: Duration,
    /// From a cancel to the work being dropped. 10 s.
    pub cancel_grace: Duration,
    /// How long the node's right to its tasks lasts without renewal. 15 s.
    pub lease: Duration,
    /// How often it is renewed, and other nodes' lapsed work looked for. 5 s.
    pub renew_every: Duration,
    /// Running tasks a user may have. 100.
    pub tasks_per_user: u32,
    /// How long running work may go on after a stop was asked for. 10 s.
    pub shutdown_grace: Duration,
    /// How long turns, ended tasks, events and audit rows are kept. For ever.
    pub keep: Keep,
    /// How often what is older is looked for, at least. 1 h; more often when something is kept for
    /// less than 4 h.
    pub prune_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            call_cap: Duration::from_secs(300),
            task_cap: Duration::from_secs(180),
            long_task_cap: Duration::from_secs(1800),
            liveness: Duration::from_secs(300),
            cancel_grace: Duration::from_secs(10),
            lease: Duration::from_secs(15),
            renew_every: Duration::from_secs(5),
            tasks_per_user: 100,
            shutdown_grace: Duration::from_secs(10),
            keep: Keep::FOREVER,
            prune_every: Duration::from_secs(3600),
        }
    }
}
