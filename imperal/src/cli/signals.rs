//! The signals that ask a running platform to stop: SIGTERM and SIGINT, Ctrl-Break and Ctrl-C on Windows.

use super::exit::CliError;

/// Registers for the signals at once and returns a future that ends with the first of them.
///
/// After this call a signal no longer ends the process, even if nothing polls the future yet.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, CliError> {
    #[cfg(unix)]
    let (mut terminate, mut interrupt) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    #[cfg(windows)]
    let (mut terminate, mut interrupt) = (tokio::signal::windows::ctrl_break()?, tokio::signal::windows::ctrl_c()?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
