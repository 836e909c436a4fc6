//! Code that the programs of this folder share.

pub mod http;

/// Microseconds since 1970, for the times in progress reports.
pub fn unix_micros() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros()
}

/// A required environment variable.
///
/// # Panics
/// When it is not set.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}
