//! Core dumps of `serve`: none, because its memory has keys and secrets in use.

/// Lets the kernel write no core of this process, and other processes of the same user neither trace it nor read its
/// memory. A failure is logged: the platform runs without it too.
#[cfg(unix)]
pub(super) fn turn_off() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps are not turned off: they could have secrets in them");
    }
    // The limit does not hold for a core that is piped to a program.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "this process stays dumpable: a core could have secrets in it");
    }
}

#[cfg(not(unix))]
pub(super) fn turn_off() {}
