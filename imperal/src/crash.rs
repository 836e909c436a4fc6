//! Moments at which the crash suite lets the process die.
//!
//! Owns the names' one meaning: the process ends on the spot, as under `kill -9`, nothing flushed
//! and nothing dropped. Only a build with the feature `crash-points` can do that, when
//! `IMPERAL_CRASH_AT=name:n` says so; in any other build a moment is an empty function. So is a moment
//! at which code panics, when `IMPERAL_PANIC_AT=name:from-to` says so for the passes that it counts.

/// The process is at this moment.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
#[allow(clippy::inline_always, reason = "nothing of it may be left in a build without the feature")]
pub(crate) fn point(_name: &'static str) {}

/// The process is at this moment: it ends if this was chosen, for the n-th time.
#[cfg(feature = "crash-points")]
pub(crate) fn point(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("IMPERAL_CRASH_AT").ok()?;
        let (name, times) = text.rsplit_once(':')?;
        Some((name.to_owned(), AtomicU32::new(times.parse().ok()?)))
    });
    if let Some((chosen, left)) = chosen
        && chosen == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// The code is at this moment.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
#[allow(clippy::inline_always, reason = "nothing of it may be left in a build without the feature")]
pub(crate) fn panic_point(_name: &'static str) {}

/// The code is at this moment: it panics if this was chosen, for these passes.
#[cfg(feature = "crash-points")]
pub(crate) fn panic_point(name: &'static str) {
    use std::ops::RangeInclusive;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    type Chosen = (String, RangeInclusive<u32>, AtomicU32);
    static CHOSEN: OnceLock<Option<Chosen>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("IMPERAL_PANIC_AT").ok()?;
        let (name, passes) = text.rsplit_once(':')?;
        let (from, to) = passes.split_once('-')?;
        Some((name.to_owned(), from.parse().ok()?..=to.parse().ok()?, AtomicU32::new(0)))
    });
    if let Some((chosen, passes, counted)) = chosen
        && chosen == name
        && passes.contains(&(counted.fetch_add(1, Ordering::SeqCst) + 1))
    {
        panic!("a test's panic at {name}");
    }
}
