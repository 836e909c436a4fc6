//! The rules of the [`Ledger`] contract as checks, for whoever writes a backend.
//!
//! Implement [`Backend`] for a fresh, empty ledger and let
//! [`ledger_conformance!`](crate::ledger_conformance) make one test of each check. A check that
//! panics names the rule that is broken. The checks spawn tasks and need tokio's multi-threaded
//! runtime. They rest on nothing but the contract: no clock that can be held, no engine.
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

pub mod audit;
pub mod bounds;
pub mod calls;
pub mod durability;
pub mod incarnations;
pub mod keys;
pub mod numbers;
pub mod reads;
pub mod reclaim;
pub mod retention;
mod scene;
pub mod tasks;
pub mod texts;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Ledger;

/// What a [`Backend`] method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A fresh, empty ledger for one check.
pub trait Backend: Send + Sync {
    /// A handle as another node would have it. All handles of one backend see the same ledger; a
    /// handle that has been dropped may be the last one, and then the next is a reopening.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>>;

    /// Lets every lease of this length that was taken or renewed by now lapse: moves the clock
    /// where the backend can, waits where it cannot.
    fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()>;

    /// Lets this much time pass: moves the clock where the backend can, waits where it cannot.
    fn pass(&self, time: Duration) -> BoxFuture<'_, ()>;

    /// Makes every lease look as if the clock had been set back by so much since it was given.
    fn set_back(&self, by: Duration) -> BoxFuture<'_, ()>;

    /// The lease of checks that let it lapse. A backend that has to wait chooses a short one, long
    /// enough for a few writes all the same.
    fn lease(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// Makes one test of each check; the argument makes a new [`Backend`].
/// With `durable`, also those that close the ledger and open it again.
///
/// The crate that uses it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! ledger_conformance {
    (durable $backend:expr) => {
        $crate::ledger_conformance!($backend);
        $crate::ledger_conformance! { @tests $backend;
            durability {
                everything_is_there_after_a_reopening
                a_incarnation_goes_on_after_a_reopening
                what_was_orphaned_stays_orphaned
            }
        }
    };
    ($backend:expr) => {
        $crate::ledger_conformance! { @tests $backend;
            numbers {
                turns_and_task_changes_share_numbers_without_gaps
                many_writers_of_one_user_leave_no_gap_that_a_reader_can_see
                many_users_are_numbered_apart
                refused_writes_take_no_number
                an_answer_means_that_other_nodes_can_read_it
                a_hint_means_that_there_is_something_to_read
                users_of_different_tenants_share_nothing
            }
            calls {
                a_call_is_a_users_turn_and_its_reply_another
                a_call_is_replied_to_once
                racing_replies_have_one_winner
                a_reply_needs_the_incarnation_that_holds_the_call
                a_call_is_found_with_its_reply
                a_reclaimed_call_is_found_with_its_reply
                racing_requests_with_one_id_have_one_winner
                ids_are_taken_once
            }
            tasks {
                a_task_starts_with_its_event
                a_task_ends_with_result_turn_audit_row_and_two_events
                a_task_ends_once
                racing_ends_have_one_winner
                a_task_never_ends_before_its_calls_reply
                a_task_belongs_to_its_call
                a_running_task_may_start_another
                the_limit_of_running_tasks_holds_in_races
                progress_is_kept_and_told_and_makes_no_event
                progress_of_others_is_passed_over
                a_cancel_is_noted_once_and_audited_each_time
                a_cancel_of_an_ended_task_is_audited_only
                a_cancel_of_an_unknown_task_leaves_nothing
            }
            keys {
                a_key_has_one_running_task
                a_key_is_its_owners_and_its_extensions
                every_end_frees_the_key
                racing_starts_under_one_key_have_one_winner
            }
            incarnations {
                an_earlier_incarnation_can_write_nothing
                a_incarnation_whose_lease_was_taken_over_can_write_nothing
                a_incarnation_that_left_can_write_nothing
                leaving_ends_no_other_incarnation
                a_lapsed_lease_can_be_renewed_until_it_is_taken_over
                a_renewed_lease_holds
                the_asking_incarnation_does_not_end_itself
                renewing_lists_this_incarnations_cancels
                a_lease_from_before_the_clock_was_set_back_lapses_in_time
                a_live_node_keeps_its_work_when_the_clock_is_set_back
            }
            reclaim {
                orphans_are_calls_before_tasks_oldest_first
                orphans_are_listed_without_expiring_leases
                work_of_a_live_node_is_no_orphan
                orphaned_work_is_settled_once
                a_task_is_reclaimed_after_its_call
                racing_reclaimers_have_one_winner
                an_end_that_races_a_reclaimer_is_the_only_one
            }
            audit {
                an_injection_is_a_turn_and_an_audit_row
                an_injection_needs_work_that_is_not_settled
                an_injection_stays_with_its_works_owner_and_incarnation
                audit_rows_are_numbered_and_filtered
                audit_rows_are_chained_for_each_owner
                racing_writers_leave_one_chain
            }
            retention {
                what_is_old_goes_and_what_is_young_stays
                nothing_goes_that_is_kept_for_ever
                each_kind_has_its_own_age
                a_call_is_known_for_as_long_as_its_turn_is_kept
                unsettled_work_keeps_all_from_its_call_on
                small_steps_take_the_same
                the_audit_chain_holds_after_pruning
                pruning_beside_everybody_holds_every_rule
            }
            reads {
                pages_follow_each_other
                a_turn_is_found_by_its_id
                the_latest_turns_come_in_order
                running_tasks_are_oldest_first_and_recent_ones_newest_first
                nothing_is_found_of_a_stranger
                a_ledger_that_writes_says_so
            }
            bounds {
                a_page_ends_at_its_bytes
                lists_and_events_of_tasks_have_no_results
                the_bytes_of_a_day_are_bounded
                a_first_call_over_the_limit_is_refused
            }
            texts {
                odd_texts_come_back_as_they_were
                json_comes_back_as_it_was
                json_that_could_not_be_read_back_is_refused
                names_are_compared_exactly
            }
        }
    };
    (@tests $backend:expr; $($room:ident { $($check:ident)* })*) => {
        $(mod $room {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    $crate::ledger::conformance::$room::$check(&$backend).await;
                }
            )*
        })*
    };
}
