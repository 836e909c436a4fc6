//! Ctrl-C while a task is watched: asks what is meant, where somebody can be asked.
//!
//! Owns the signal and the question. What the answer does is the follower's business.

use std::io::{self, BufRead, IsTerminal, Write};

use tokio::sync::mpsc;

use super::out::{OutputStyle, Paint};

/// What the person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Ctrl-C.
    Interrupt,
    /// Ask the platform to stop the work, and watch it end.
    Cancel,
    /// Leave the work alone and watch no more.
    Detach,
    /// As if nothing had happened.
    Continue,
    /// Something else was typed: ask again.
    Invalid,
}

/// Ctrl-C and the answers that are typed.
#[derive(Debug)]
pub(super) struct InterruptPrompt {
    signals: mpsc::Receiver<()>,
    answers: Option<mpsc::Receiver<String>>,
    asked: bool,
    /// Whether leaving ends the work: the platform is this process.
    embedded: bool,
}

impl InterruptPrompt {
    /// From now on Ctrl-C does not end the process; each one is heard, however quickly they come.
    pub(super) fn listen(embedded: bool) -> io::Result<Self> {
        Ok(Self { signals: signals()?, answers: None, asked: false, embedded })
    }

    /// Whether the question is open.
    pub(super) fn asking(&self) -> bool {
        self.asked
    }

    /// Waits for Ctrl-C, or for the answer to the open question. Cancel-safe.
    pub(super) async fn next(&mut self) -> Input {
        let line = match self.answers.as_mut().filter(|_| self.asked) {
            None => {
                pressed(&mut self.signals).await;
                return Input::Interrupt;
            }
            Some(answers) => tokio::select! {
                () = pressed(&mut self.signals) => return Input::Interrupt,
                line = answers.recv() => line,
            },
        };
        self.asked = false;
        // Standard input has ended: nobody will say anything.
        let Some(line) = line else { return Input::Detach };
        match line.trim().to_lowercase().as_str() {
            "" => Input::Continue,
            "c" | "cancel" => Input::Cancel,
            "d" | "detach" if !self.embedded => Input::Detach,
            _ => Input::Invalid,
        }
    }

    /// Whether somebody is there to ask.
    pub(super) fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Prints the question.
    pub(super) fn ask(&mut self, tasks: usize) {
        self.asked = true;
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
    // Registered here and once: a listener made anew for each signal misses those in between.
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

/// Never ends but by Ctrl-C.
async fn pressed(signals: &mut mpsc::Receiver<()>) {
    if signals.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Lines of standard input. Its thread may sit in a read when the process ends, which harms nobody:
/// the terminal is in its usual mode.
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
