//! Ctrl-C while a task is watched: asks the person what it means, if there is one to ask.
//!
//! Owns the signal, the question and the answer. `follower.rs` acts on the answer.

use std::io::{self, BufRead, IsTerminal, Write};

use tokio::sync::mpsc;

use super::out::{OutputStyle, Paint};

/// An input of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Pressed Ctrl-C.
    Interrupt,
    /// Chose to cancel the work and watch it end.
    Cancel,
    /// Chose to stop watching; the work goes on.
    Detach,
    /// Chose to keep watching.
    Continue,
    /// Typed something else.
    Invalid,
}

/// Ctrl-C and the answers to the question.
#[derive(Debug)]
pub(super) struct InterruptPrompt {
    signals: mpsc::Receiver<()>,
    answers: Option<mpsc::Receiver<String>>,
    open: bool,
    /// The platform is this process: leaving ends the work.
    embedded: bool,
}

impl InterruptPrompt {
    /// From here on Ctrl-C does not end the process. Every press is received, however fast they come.
    pub(super) fn listen(embedded: bool) -> io::Result<Self> {
        Ok(Self { signals: signals()?, answers: None, open: false, embedded })
    }

    /// Whether the question waits for an answer.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Waits for Ctrl-C or the answer to the open question. Cancel-safe.
    pub(super) async fn next(&mut self) -> Input {
        let line = match self.answers.as_mut().filter(|_| self.open) {
            None => {
                interrupt(&mut self.signals).await;
                return Input::Interrupt;
            }
            Some(answers) => tokio::select! {
                () = interrupt(&mut self.signals) => return Input::Interrupt,
                line = answers.recv() => line,
            },
        };
        self.open = false;
        // Standard input has ended: no answer will come.
        let Some(line) = line else { return Input::Detach };
        match line.trim().to_lowercase().as_str() {
            "" => Input::Continue,
            "c" | "cancel" => Input::Cancel,
            "d" | "detach" if !self.embedded => Input::Detach,
            _ => Input::Invalid,
        }
    }

    /// Whether a person can be asked.
    pub(super) fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Prints the question.
    pub(super) fn ask(&mut self, tasks: usize) {
        self.open = true;
        let style = OutputStyle::of_stderr();
        let key = |key: &str| style.paint(Paint::Cyan, key);
        let work = if tasks == 1 { "the task".to_owned() } else { format!("the {tasks} tasks") };
        let leave = if self.embedded {
            "the work runs in this process: Ctrl-C again interrupts it".to_owned()
        } else {
            format!("[{}] detach, the work goes on", key("d"))
        };
        let mut err = io::stderr();
        let _ = write!(err, "\n[{}] cancel {work}  {leave}  [{}] keep watching: ", key("c"), key("Enter"));
        let _ = err.flush();
        if self.answers.is_none() {
            self.answers = Some(read_lines());
        }
    }
}

#[cfg(unix)]
fn signals() -> io::Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    // One listener for all presses: a new listener for each would miss those in between.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move { while interrupt.recv().await.is_some() && sender.send(()).await.is_ok() {} });
    Ok(receiver)
}

#[cfg(windows)]
fn signals() -> io::Result<mpsc::Receiver<()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move { while interrupt.recv().await.is_some() && sender.send(()).await.is_ok() {} });
    Ok(receiver)
}

/// Returns at the next Ctrl-C; otherwise never.
async fn interrupt(signals: &mut mpsc::Receiver<()>) {
    if signals.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Lines of standard input. The thread may still be reading when the process ends. That is harmless: the
/// terminal is in its usual mode.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.map_or(true, |line| sender.blocking_send(line).is_err()) {
                return;
            }
        }
    });
    receiver
}
