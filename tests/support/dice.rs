//! A seeded generator of choices, and the seed of a run.

/// A 64-bit mixer (`SplitMix64`). The same seed makes the same choices.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A generator from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, independent of this one from now on.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One element of the slice; `None` when it is empty.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(choices.len()).unwrap_or(u64::MAX);
        if count == 0 {
            return None;
        }
        choices.get(usize::try_from(self.below(count)).unwrap_or_default())
    }

    /// Puts the slice into a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            items.swap(last, usize::try_from(self.below(bound)).unwrap_or_default());
        }
    }
}

/// `IMPERAL_TEST_SEED`, the seed of every suite that chooses at random.
///
/// # Panics
/// When the variable holds no number.
pub fn seed_from_env() -> Option<u64> {
    let text = std::env::var("IMPERAL_TEST_SEED").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("invalid IMPERAL_TEST_SEED {text:?}; use a whole number")))
}

/// A seed that differs from run to run: the time in milliseconds.
pub fn seed_of_the_time() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
