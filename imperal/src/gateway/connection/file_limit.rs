//! The number of connections that the limit of open files allows.

/// Most connections, also without a limit of files: each costs memory too.
const MAX_CONNECTIONS: usize = 10_000;
/// Files reserved for the ledger, the log and the runtime.
const RESERVED_FILES: usize = 64;
/// Fewest connections, however low the limit of files is.
const MIN_CONNECTIONS: usize = 16;

/// Four fifths of the files that are not reserved. The rest is for outgoing requests of extensions.
pub(super) fn connections() -> usize {
    of_files(limit())
}

fn of_files(files: Option<usize>) -> usize {
    files.map_or(MAX_CONNECTIONS, |files| {
        (files.saturating_sub(RESERVED_FILES) / 5 * 4).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
    })
}

#[cfg(unix)]
fn limit() -> Option<usize> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.and_then(|files| usize::try_from(files).ok())
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_ledger_and_outgoing_requests() {
        let shares = [Some(32), Some(256), Some(1024), Some(65_536), None].map(of_files);
        assert_eq!(shares, [16, 152, 768, 10_000, 10_000]);
    }
}
