//! The locks, atomics and wake-ups of what threads share.
//!
//! The standard library's and tokio's, but in one suite: compiled with `--cfg imperal_explore` the locks and
//! atomics are those of shuttle, which runs a scenario once for every order in which its threads
//! can reach them, and a wake-up is a step of its own among them. The tests named `explored` of the
//! modules that use this are those scenarios:
//! `RUSTC_WORKSPACE_WRAPPER=$PWD/tests/explore-rustc cargo test --workspace --lib explored`.

#[cfg(not(all(test, imperal_explore)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(all(test, imperal_explore)))]
pub(crate) use tokio::sync::Notify;

#[cfg(all(test, imperal_explore))]
pub(crate) use self::explored::Notify;
#[cfg(all(test, imperal_explore))]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

#[cfg(all(test, imperal_explore))]
mod explored {
    use tokio::sync::futures::Notified;

    use super::atomic::{AtomicUsize, Ordering};

    /// Tokio's, with a moment before each use at which another thread may come first.
    #[derive(Debug, Default)]
    pub(crate) struct Notify {
        inner: tokio::sync::Notify,
        moment: AtomicUsize,
    }

    impl Notify {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        fn step(&self) -> &tokio::sync::Notify {
            self.moment.load(Ordering::SeqCst);
            &self.inner
        }

        pub(crate) fn notified(&self) -> Notified<'_> {
            self.step().notified()
        }

        pub(crate) fn notify_one(&self) {
            self.step().notify_one();
        }

        pub(crate) fn notify_waiters(&self) {
            self.step().notify_waiters();
        }
    }
}
