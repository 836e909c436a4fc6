//! The hook that ends or panics the probe at named places of the platform.
//!
//! `IMPERAL_CRASH_AT=NAME:N` ends the process at the N-th pass of the place NAME, as `kill -9` would: nothing is
//! flushed and nothing is dropped. `IMPERAL_PANIC_AT=NAME:FROM-TO` panics at these passes.

use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A place, the passes that are chosen, and the passes so far.
struct Chosen {
    name: String,
    passes: RangeInclusive<u32>,
    passed: AtomicU32,
}

impl Chosen {
    fn from_env(variable: &str) -> Option<Self> {
        let text = std::env::var(variable).ok()?;
        let (name, passes) = text.rsplit_once(':').expect("NAME:PASSES");
        let (from, to) = passes.split_once('-').unwrap_or((passes, passes));
        let pass = |text: &str| text.parse::<u32>().expect("a pass is a number");
        Some(Self { name: name.to_owned(), passes: pass(from)..=pass(to), passed: AtomicU32::new(0) })
    }

    fn is_now(&self, name: &str) -> bool {
        self.name == name && self.passes.contains(&(self.passed.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

/// Installs the two variables' meaning in this process.
pub fn install() {
    imperal::__private::install_failpoint_hook(at);
}

fn at(name: &'static str) {
    static CRASH: OnceLock<Option<Chosen>> = OnceLock::new();
    static PANIC: OnceLock<Option<Chosen>> = OnceLock::new();
    let is_now = |chosen: &Option<Chosen>| chosen.as_ref().is_some_and(|chosen| chosen.is_now(name));
    if is_now(CRASH.get_or_init(|| Chosen::from_env("IMPERAL_CRASH_AT"))) {
        std::process::abort();
    }
    assert!(!is_now(PANIC.get_or_init(|| Chosen::from_env("IMPERAL_PANIC_AT"))), "a test's panic at {name}");
}
