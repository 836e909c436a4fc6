//! Ports for programs that cannot choose a free port and report it.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that systems assign ports from (Linux from 32768 on, others from 49152). A free port of
/// that range would soon be assigned to a connection of another test, before its program can bind it.
const FROM: u16 = 15_000;
const TO: u16 = 32_000;

/// A free port of 127.0.0.1 outside of the range that systems assign ports from.
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Processes with neighbouring ids start at distant ports.
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
    fn a_port_is_returned_once_and_only_when_it_is_free() {
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
