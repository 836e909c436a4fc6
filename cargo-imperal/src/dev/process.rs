//! The extension's process: started, replaced by a newer build, stopped.
//!
//! The process prints one marked line when it listens, and stops gracefully when its standard input ends.
//! That works on every system, and a supervisor that was killed leaves no process behind.

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::CommandError;
use crate::output;

/// A stopping process is killed after this time. Its own grace for running work is shorter.
const KILL_AFTER: Duration = Duration::from_secs(60);
/// The same after a second stop request.
const KILL_AFTER_SECOND: Duration = Duration::from_secs(3);
/// Start of the line that says where the process listens. An extension does not print it by accident.
const ANNOUNCEMENT: &str = "\u{1}imperal-dev ";

/// Where a process listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Announcement {
    pub(super) url: String,
    /// One-time link to the chat page.
    pub(super) link: String,
}

/// The result of starting another build.
#[derive(Debug)]
pub(super) enum Replaced {
    Serving(Announcement),
    /// It ended before it listened.
    Ended,
    /// The person asked to stop while the process before it ended. Nothing was started.
    StopRequested,
}

/// The process of the last good build, and how the next one is started.
#[derive(Debug)]
pub(super) struct ServedProcess<'a> {
    running: Option<(Child, ChildStdin)>,
    address: Option<String>,
    options: &'a [String],
}

impl<'a> ServedProcess<'a> {
    /// Not running yet. `options` go to the extension's `dev`.
    pub(super) fn new(options: &'a [String]) -> Self {
        Self { running: None, address: None, options }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a process served before, so that its page may be open.
    pub(super) fn has_served(&self) -> bool {
        self.address.is_some()
    }

    /// Stops the running process and starts a binary on the same address.
    pub(super) fn replace(&mut self, binary: &Path, stops: &Receiver<()>) -> Result<Replaced, CommandError> {
        if self.stop(stops)? {
            return Ok(Replaced::StopRequested);
        }
        let mut command = Command::new(binary);
        command.args(["dev", "--supervised"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("IMPERAL_CALLED_AS", "cargo imperal");
        match &self.address {
            // An open page knows this address only.
            Some(address) => command.args(without_listen(self.options)).args(["--listen", address]),
            // The first process opens the browser, if a person is here. After that the page is open.
            None if io::stdout().is_terminal() => command.arg("--open").args(self.options),
            None => command.args(self.options),
        };
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(CommandError::new("the process has no standard input and output"));
        };
        let announcements = forward_output(stdout);
        self.running = Some((child, stdin));
        let Ok(announcement) = announcements.recv() else { return Ok(Replaced::Ended) };
        self.address = announcement.url.strip_prefix("http://").map(str::to_owned);
        Ok(Replaced::Serving(announcement))
    }

    /// The status of a process that ended by itself. Reported once.
    pub(super) fn take_end(&mut self) -> Result<Option<ExitStatus>, CommandError> {
        let Some((child, _)) = &mut self.running else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.running = None;
        }
        Ok(status)
    }

    /// Stops the process and waits for it. Running work gets its grace, which the process announces. Another stop
    /// request ends it: the terminal sends Ctrl-C to the process too, and one that goes on is killed. Returns whether
    /// there was one.
    pub(super) fn stop(&mut self, stops: &Receiver<()>) -> Result<bool, CommandError> {
        let Some((mut child, stdin)) = self.running.take() else { return Ok(false) };
        drop(stdin);
        let mut kill_at = Instant::now() + KILL_AFTER;
        let mut requested = false;
        while child.try_wait()?.is_none() {
            if stops.try_recv().is_ok() {
                requested = true;
                kill_at = kill_at.min(Instant::now() + KILL_AFTER_SECOND);
            }
            if Instant::now() > kill_at {
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(requested)
    }
}

/// The options without the address.
fn without_listen(options: &[String]) -> Vec<&String> {
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option == "--listen" {
            options.next();
        } else if !option.starts_with("--listen=") {
            kept.push(option);
        }
    }
    kept
}

/// Prints the process's output; its announcements go to the receiver.
fn forward_output(stdout: ChildStdout) -> Receiver<Announcement> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match announcement(&line) {
                Some(announcement) => {
                    let _ = sender.send(announcement);
                }
                None => output::print_line(&line),
            }
        }
    });
    receiver
}

fn announcement(line: &str) -> Option<Announcement> {
    serde_json::from_str(line.strip_prefix(ANNOUNCEMENT)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_only_the_marked_line() {
        let line = format!("{ANNOUNCEMENT}{}", r#"{"url":"http://127.0.0.1:1","link":"http://127.0.0.1:1/open/x"}"#);
        assert_eq!(announcement(&line).unwrap().url, "http://127.0.0.1:1");
        assert_eq!(announcement("imperal-dev {}"), None);
    }

    #[test]
    fn drops_the_address_from_the_options_of_a_restart() {
        let options = ["--listen", "127.0.0.1:0", "--keep-turns", "1d", "--listen=127.0.0.1:1"].map(str::to_owned);
        assert_eq!(without_listen(&options), ["--keep-turns", "1d"]);
    }
}
