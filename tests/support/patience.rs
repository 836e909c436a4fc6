//! Waits for something that only asking shows.

use std::time::{Duration, Instant};

/// How long it may take. By the machine's clock, also where tests control tokio's.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is asked for.
const POLL: Duration = Duration::from_millis(50);

/// Asks until there is an answer, and returns it.
///
/// # Panics
/// When there is none within a minute, with these words.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "not within {} s: {what}", DEADLINE.as_secs());
        tokio::time::sleep(POLL).await;
    }
}
