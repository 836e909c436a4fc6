//! Removes rows that are older than the operator keeps them.
//!
//! Runs on every node; each row is removed once. A pass is many small writes. The pause after a write is three
//! times as long as the write, so calls hardly wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Node;
use crate::failpoint;
use crate::ledger::{LedgerError, Pruned};

/// Most rows of one write.
const BATCH: u32 = 500;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Passes per shortest retention time.
const PASSES_PER_PERIOD: u32 = 4;
/// Largest clock jump accepted before pruning pauses.
const MAX_CLOCK_JUMP: Duration = Duration::from_secs(60);

impl Node {
    /// Prunes until the platform ends: when everything is kept for ever, only values of steps of ended tasks, and
    /// documents whose time is over. Then it sweeps files.
    pub(super) async fn retention_loop(self: Arc<Self>) {
        let shortest = self.settings.keep.shortest().unwrap_or(Duration::MAX);
        let every = (shortest / PASSES_PER_PERIOD).max(Duration::from_secs(1)).min(self.settings.prune_every);
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut watch = ClockWatch::start();
        while self.ended.run_until_cancelled(tick.tick()).await.is_some() {
            failpoint::hit("retention");
            // A clock that jumps a year ahead would make every row old.
            if let Some(ahead) = watch.jumped() {
                tracing::warn!(seconds = ahead.as_secs(), "the clock jumped forward: nothing is pruned this time");
                continue;
            }
            match self.ended.run_until_cancelled(self.prune()).await {
                None => return,
                Some(Ok(pruned)) if pruned.rows() > 0 => {
                    let Pruned { turns, calls, tasks, events, audit, step_values, documents, .. } = pruned;
                    tracing::info!(turns, calls, tasks, events, audit, step_values, documents, "pruned");
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::warn!(%error, "pruning failed and goes on at the next pass"),
            }
            match self.ended.run_until_cancelled(self.sweep_files()).await {
                None => return,
                Some(Ok(0)) => {}
                Some(Ok(files)) => tracing::info!(files, "deleted files are gone"),
                Some(Err(error)) => tracing::warn!(%error, "sweeping files failed and goes on at the next pass"),
            }
        }
    }

    /// One pass through all owners.
    async fn prune(&self) -> Result<Pruned, LedgerError> {
        let (mut sum, mut from) = (Pruned::default(), Some(0));
        while let Some(at) = from {
            let begun = Instant::now();
            let step = self.ledger.prune(&self.settings.keep, at, BATCH).await?;
            self.meters.pruned(&step);
            (sum, from) = (sum.plus(step), step.next);
            if from.is_some() {
                tokio::time::sleep((begun.elapsed() * 3).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
            }
        }
        Ok(sum)
    }
}

/// Detects that the machine's clock was set forward, or that the machine was suspended.
struct ClockWatch(Instant, SystemTime);

impl ClockWatch {
    fn start() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// The jump since the last call, when it is too large to be accepted.
    fn jumped(&mut self) -> Option<Duration> {
        let Self(instant, system) = std::mem::replace(self, Self::start());
        let ahead = self.1.duration_since(system).ok()?.checked_sub(self.0.duration_since(instant))?;
        (ahead > MAX_CLOCK_JUMP).then_some(ahead)
    }
}
