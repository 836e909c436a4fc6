//! The rules of the storage [`contract`](super::contract) as checks, for authors of a backend.
//!
//! Implement [`Backend`] for a fresh, empty ledger and let
//! [`ledger_conformance!`](crate::ledger_conformance) make one test of each check. A check that
//! panics names the rule that is broken. The checks spawn tasks and need tokio's multi-threaded
//! runtime. They assume nothing but the contract: no manual clock, no engine.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use imperal::ledger::conformance::{Backend, BoxFuture};
//! use imperal::ledger::{ManualClock, Ledger, MemoryLedger};
//!
//! struct Memory(Arc<ManualClock>, Arc<MemoryLedger>);
//!
//! impl Memory {
//!     fn new() -> Self {
//!         let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
//!         Self(clock.clone(), Arc::new(MemoryLedger::with_clock(clock)))
//!     }
//! }
//!
//! impl Backend for Memory {
//!     fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>> {
//!         let ledger: Arc<dyn Ledger> = self.1.clone();
//!         Box::pin(async move { ledger })
//!     }
//!
//!     fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()> {
//!         self.0.advance(lease);
//!         Box::pin(async {})
//!     }
//!
//!     fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
//!         self.lapse(time)
//!     }
//!
//!     fn set_back(&self, by: Duration) -> BoxFuture<'_, ()> {
//!         let now = imperal::ledger::Clock::now(&*self.0);
//!         self.0.set(now.checked_sub(jiff::SignedDuration::try_from(by).unwrap()).unwrap());
//!         Box::pin(async {})
//!     }
//! }
//!
//! imperal::ledger_conformance!(Memory::new());
//! # fn main() {}
//! ```
#![allow(clippy::missing_panics_doc, reason = "a check panics when the rule in its docs is broken")]

pub mod attempts;
pub mod audit;
pub mod bounds;
pub mod calls;
mod checks;
pub mod claims;
pub mod crashes;
pub mod document_queries;
pub mod documents;
pub mod drafts;
pub mod durability;
mod durable;
pub mod effects;
pub mod file_totals;
pub mod files;
pub mod follows;
pub mod incarnations;
pub mod keys;
pub mod numbers;
pub mod operators;
pub mod questions;
pub mod queue_turns;
pub mod queues;
pub mod reads;
pub mod reclaim;
pub mod reclaim_calls;
pub mod retention;
mod scene;
pub mod schedules;
pub mod secrets;
pub mod starts;
pub mod steps;
pub mod suspects;
pub mod tasks;
pub mod texts;
pub mod unheld;
pub mod untaken;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Ledger;

/// The future of a [`Backend`] method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A fresh, empty ledger for one check.
pub trait Backend: Send + Sync {
    /// A handle as another node would have it. All handles of one backend see the same ledger. After
    /// the last handle is dropped, the next one reopens the ledger.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>>;

    /// Lets every lease of this length that was taken or renewed so far lapse. Moves the clock if the
    /// backend can, and waits otherwise.
    fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()>;

    /// Lets this much time pass. Moves the clock if the backend can, and waits otherwise.
    fn pass(&self, time: Duration) -> BoxFuture<'_, ()>;

    /// Lets this much time pass for tasks, steps and documents. A backend that cannot move its clock makes their
    /// stored times earlier instead: when a task was claimed, is ready, was queued without an event, was first refused,
    /// became stuck and ended, when an attempt began and ended, when a step ended, until when a question is open, and
    /// when a document was keyed and expires, and when a file expires and is looked at by the sweep.
    fn age_tasks(&self, by: Duration) -> BoxFuture<'_, ()> {
        self.pass(by)
    }

    /// Makes every lease look as if the clock had been set back by this much since it was given.
    fn set_back(&self, by: Duration) -> BoxFuture<'_, ()>;

    /// The lease of checks that let it lapse. A backend that has to wait chooses a short one that is
    /// long enough for a few writes.
    fn lease(&self) -> Duration {
        Duration::from_secs(15)
    }
}
