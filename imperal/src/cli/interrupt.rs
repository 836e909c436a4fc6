//! Ctrl-C while a task is watched: asks the person what it means, if there is one to ask.
//!
//! Owns the signal, the question on the screen and its answer, which is one key. `follower.rs` acts on the answer.

use std::io::{self, IsTerminal, Write};

use tokio::sync::mpsc;

use super::keys::{Key, KeyReader};
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
}

/// Ctrl-C and the answers to the question.
#[derive(Debug)]
pub(super) struct InterruptPrompt {
    signals: mpsc::Receiver<()>,
    keys: Option<KeyReader>,
    open: bool,
    /// Rows of the screen that the question takes now.
    rows: usize,
    /// The platform is this process: leaving ends the work.
    embedded: bool,
}

impl InterruptPrompt {
    /// From here on Ctrl-C does not end the process. Every press is received, however fast they come.
    pub(super) fn listen(embedded: bool) -> io::Result<Self> {
        Ok(Self { signals: signals()?, keys: None, open: false, rows: 0, embedded })
    }

    /// Whether the question waits for an answer.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the platform is this process: leaving ends the work.
    pub(super) fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Waits for Ctrl-C or the answer to the open question, which closes it. Cancel-safe.
    pub(super) async fn next(&mut self) -> Input {
        loop {
            let key = match self.keys.as_mut().filter(|_| self.open) {
                None => {
                    interrupt(&mut self.signals).await;
                    return Input::Interrupt;
                }
                Some(keys) => tokio::select! {
                    () = interrupt(&mut self.signals) => return Input::Interrupt,
                    key = keys.next() => key,
                },
            };
            let input = match key {
                // The terminal is gone: no answer will come.
                None => Input::Detach,
                Some(Key::Enter | Key::Escape) => Input::Continue,
                Some(Key::Char('c' | 'C')) => Input::Cancel,
                // Ctrl-D ends the input of a terminal.
                Some(Key::Char('d' | 'D' | '\u{4}')) if !self.embedded => Input::Detach,
                Some(Key::Char(_)) => continue,
            };
            self.close();
            return input;
        }
    }

    /// Whether a person can be asked.
    pub(super) fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks about a number of tasks.
    pub(super) fn ask(&mut self, tasks: usize) -> io::Result<()> {
        if self.keys.is_none() {
            self.keys = Some(KeyReader::open()?);
        }
        self.open = true;
        self.draw(tasks);
        Ok(())
    }

    /// Draws the open question, below what was printed since it was erased.
    pub(super) fn draw(&mut self, tasks: usize) {
        if !self.open || tasks == 0 {
            return;
        }
        let style = OutputStyle::of_stderr();
        let key = |key: &str| style.paint(Paint::Cyan, key);
        let work = if tasks == 1 { "the task".to_owned() } else { format!("the {tasks} tasks") };
        // The work of a platform in this process cannot go on without it.
        let leave = match (self.embedded, tasks) {
            (true, 1) => format!("[{}] interrupt it", key("Ctrl-C")),
            (true, _) => format!("[{}] interrupt them", key("Ctrl-C")),
            (false, _) => format!("[{}] detach, the work goes on", key("d")),
        };
        let question = format!("[{}] cancel {work}  {leave}  [{}] keep watching: ", key("c"), key("Enter"));
        let columns = style.width.unwrap_or(80);
        self.rows = console::measure_text_width(&question).div_ceil(columns);
        let mut err = io::stderr();
        let _ = write!(err, "\r\x1b[K{question}");
        let _ = err.flush();
    }

    /// Removes the question from the screen. It stays open.
    pub(super) fn erase(&mut self) {
        if self.rows > 0 {
            let up = "\x1b[A".repeat(self.rows - 1);
            let _ = write!(io::stderr(), "{up}\r\x1b[J");
            self.rows = 0;
        }
    }

    /// Ends the question: it is removed, and the terminal is as it was.
    pub(super) fn close(&mut self) {
        self.erase();
        self.open = false;
        // On Windows the console has no mode to restore, and a read cannot be ended.
        if cfg!(unix) {
            self.keys = None;
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
