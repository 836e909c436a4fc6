//! Ports for programs that cannot be asked to take a free one and say which.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what any system hands out by itself (Linux from 32768 on, others from 49152). A port of that
/// range is soon somebody's again: between the asking and the taking lie seconds, and hundreds of
/// connections of other tests.
const FROM: u16 = 15_000;
const TO: u16 = 32_000;

/// A port of 127.0.0.1 that nobody has, and that nobody gets who does not ask for it by number.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Where one process begins is far from where the next one does.
    let begin = std::process::id().wrapping_mul(97);
    for _ in FROM..TO {
        let given = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let step = begin.wrapping_add(given) % u32::from(TO - FROM);
        let port = FROM + u16::try_from(step).expect("it is less than a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("every port from {FROM} to {TO} is taken");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_never_one_that_is_taken() {
        let first = free_port();
        let next = TcpListener::bind(("127.0.0.1", first + 1)).map_or(first + 1, |held| {
            let given = free_port();
            assert_ne!(given, first + 1);
            drop(held);
            given
        });
        assert!((FROM..TO).contains(&first) && first != next, "{first} {next}");
    }
}
