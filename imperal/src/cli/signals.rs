//! The signals that ask a running platform to stop: SIGTERM and SIGINT, Ctrl-Break and Ctrl-C on Windows.

use super::exit::CliError;

#[cfg(unix)]
type Terminate = tokio::signal::unix::Signal;
#[cfg(unix)]
type Interrupt = tokio::signal::unix::Signal;
#[cfg(windows)]
type Terminate = tokio::signal::windows::CtrlBreak;
#[cfg(windows)]
type Interrupt = tokio::signal::windows::CtrlC;

/// The signals since [`StopSignals::listen`].
#[derive(Debug)]
pub(super) struct StopSignals {
    terminate: Terminate,
    interrupt: Interrupt,
}

impl StopSignals {
    /// From here on a signal no longer ends the process, even if nothing waits for it yet.
    pub(super) fn listen() -> Result<Self, CliError> {
        #[cfg(unix)]
        let (terminate, interrupt) = {
            use tokio::signal::unix::{SignalKind, signal};
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        #[cfg(windows)]
        let (terminate, interrupt) = (tokio::signal::windows::ctrl_break()?, tokio::signal::windows::ctrl_c()?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
