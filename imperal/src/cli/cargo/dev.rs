//! `cargo imperal dev`: builds and starts the extension again after each change.
//!
//! While a build runs, and after one that failed, the process of the last good build goes on
//! serving. A process that gives way stops as it does for SIGTERM: running work gets its grace. The
//! next one has the same ledger, address and session key, so that an open page reconnects and a link
//! that nobody has opened yet still opens it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::super::exit::{CliError, Exit};
use super::super::out::{self, OutputStyle, Paint};
use super::super::supervised::{self, Announcement};
use super::choice::{Metadata, Wanted};
use super::compile::{self, Built, Options, Place};
use super::sources::{self, Snapshot, Sources};

/// Between two looks at the sources.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The process may take its grace, and then some, before it is killed.
const UNTIL_KILLED: Duration = Duration::from_secs(60);

/// Options of `cargo imperal dev`.
#[derive(Debug, clap::Args)]
pub(super) struct DevArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// Features to build with
    #[arg(long, short = 'F', value_name = "FEATURES")]
    features: Option<String>,
    /// Build with optimizations
    #[arg(long, short)]
    release: bool,
    /// Build and start once, whatever changes
    #[arg(long)]
    once: bool,
    /// Options of the extension's `dev`, `--listen 127.0.0.1:0` for example
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Runs until Ctrl-C, SIGTERM, or with `--once` until the process ends.
pub(super) fn dev(args: &DevArgs, wanted: Wanted) -> Result<Exit, CliError> {
    let here = compile::crate_here()?;
    let stops = stops()?;
    let metadata = Metadata::read()?;
    let choice = metadata.choose(&here, &args.wanted.clone().or(wanted))?;
    let mut sources = Sources::new(Place::of(&metadata), here);
    let build = Options { choice, features: args.features.clone(), release: args.release };
    let mut serving = Serving { process: None, address: None, options: &args.options, enter: lines() };
    let mut seen = sources.look();
    loop {
        let asked = Instant::now();
        match compile::build(&build)? {
            Built::Failed if serving.process.is_some() => {
                note(Paint::Red, "it does not compile: the last good build goes on serving");
            }
            Built::Failed => note(Paint::Red, "it does not compile: it starts when it does"),
            Built::Binary { path, is_new } => {
                sources.learn(&path);
                // The list is longer now; what changed during the build still differs by its time.
                seen = renewed(&seen, sources.look());
                if (is_new || serving.process.is_none()) && starts(&path) {
                    serving.replace(&path, asked)?;
                }
            }
        }
        match wait(&sources, &mut seen, &mut serving, &stops, args.once)? {
            None => return serving.stop(),
            Some(Due::Asked) => {}
            Some(Due::Changed(changed)) => note(Paint::Dim, &format!("{} changed, building", shown(&changed))),
        }
    }
}

/// Why another build is due.
enum Due {
    Changed(PathBuf),
    /// Enter was pressed after the process had ended.
    Asked,
}

/// Waits for a change; none when it is time to stop.
fn wait(
    sources: &Sources,
    seen: &mut Snapshot,
    serving: &mut Serving<'_>,
    stops: &Receiver<()>,
    once: bool,
) -> Result<Option<Due>, CliError> {
    loop {
        match stops.recv_timeout(LOOK_EVERY) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let ended = serving.has_ended()?;
        if ended && once {
            return Ok(None);
        }
        if serving.enter.try_recv().is_ok() && ended {
            return Ok(Some(Due::Asked));
        }
        if once {
            continue;
        }
        let now = sources.look();
        if let Some(changed) = sources::difference(seen, &now) {
            // Editors write several files and some of them twice: until two looks are alike.
            *seen = now;
            loop {
                std::thread::sleep(Duration::from_millis(100));
                let again = sources.look();
                if sources::difference(seen, &again).is_none() {
                    return Ok(Some(Due::Changed(changed)));
                }
                *seen = again;
            }
        }
    }
}

/// The newer list, with what was seen of each file before: a change during the build counts. But for
/// the lock file, which the build writes itself.
fn renewed(before: &Snapshot, now: Snapshot) -> Snapshot {
    let kept = |path: &PathBuf| before.get(path).filter(|_| !path.ends_with("Cargo.lock")).copied();
    now.into_iter().map(|(path, seen)| (path.clone(), kept(&path).unwrap_or(seen))).collect()
}

/// Whether a new binary gets as far as its command line; what keeps it from that is shown.
fn starts(binary: &Path) -> bool {
    let tried = Command::new(binary).arg("--version").stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            note(Paint::Red, "the new build does not start: the last good one goes on serving");
            false
        }
        Err(error) => {
            note(Paint::Red, &format!("the new build cannot be started: {error}"));
            false
        }
    }
}

/// The process of the last good build.
struct Serving<'a> {
    process: Option<(Child, ChildStdin)>,
    address: Option<String>,
    options: &'a [String],
    /// Each time that Enter is pressed.
    enter: Receiver<()>,
}

impl Serving<'_> {
    /// Starts a binary where the process before it was.
    fn replace(&mut self, binary: &Path, asked: Instant) -> Result<(), CliError> {
        let again = self.address.is_some();
        self.end()?;
        let mut command = Command::new(binary);
        command.args(["dev", "--supervised"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("IMPERAL_CALLED_AS", "cargo imperal");
        match &self.address {
            // The page that is open knows no other.
            Some(address) => command.args(without_listen(self.options)).args(["--listen", address]),
            None => command.args(self.options),
        };
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(CliError::new("the process has no standard input and output"));
        };
        let listening = hear(stdout);
        self.process = Some((child, stdin));
        match listening.recv() {
            Ok(said) => {
                self.address = said.url.strip_prefix("http://").map(str::to_owned);
                if again {
                    let text = format!(
                        "serving the new build after {:.1} s; the page reconnects",
                        asked.elapsed().as_secs_f64()
                    );
                    note(Paint::Green, &text);
                } else {
                    note(Paint::Green, "serving; it builds and starts again after each change, Ctrl-C stops it");
                    out::print_line(&format!("open {}", OutputStyle::of_stdout().paint(Paint::Cyan, &said.link)));
                }
            }
            Err(_) => {
                self.has_ended()?;
            }
        }
        Ok(())
    }

    /// Notices that the process has ended by itself, and says so once.
    fn has_ended(&mut self) -> Result<bool, CliError> {
        let Some((child, _)) = &mut self.process else { return Ok(true) };
        let Some(status) = child.try_wait()? else { return Ok(false) };
        self.process = None;
        note(Paint::Red, &format!("the process ended ({status}); Enter starts it again, and so does the next change"));
        Ok(true)
    }

    /// Lets running work have its grace, and waits.
    fn end(&mut self) -> Result<(), CliError> {
        let Some((mut child, stdin)) = self.process.take() else { return Ok(()) };
        drop(stdin);
        let asked = Instant::now();
        let mut said = false;
        while child.try_wait()?.is_none() {
            if !said && asked.elapsed() > Duration::from_millis(700) {
                said = true;
                note(Paint::Dim, "running work may finish first");
            }
            if asked.elapsed() > UNTIL_KILLED {
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<Exit, CliError> {
        if self.process.is_some() {
            note(Paint::Dim, "stopping");
        }
        self.end()?;
        Ok(Exit::Success)
    }
}

/// The options but for the address.
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

/// Lines of standard input, where it is a person's.
fn lines() -> Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Hands the process's output on, and its announcement to us.
fn hear(stdout: std::process::ChildStdout) -> Receiver<Announcement> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match supervised::heard(&line) {
                Some(listening) => {
                    let _ = sender.send(listening);
                }
                None => out::print_line(&line),
            }
        }
    });
    receiver
}

/// Says each time that a stop is asked for.
fn stops() -> Result<Receiver<()>, CliError> {
    let (sender, receiver) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while let Ok(stop) = super::super::signals::stop_signal() {
                stop.await;
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(receiver)
}

fn note(paint: Paint, text: &str) {
    let style = OutputStyle::of_stderr();
    eprintln!("{} {}", style.paint(Paint::Bold, "imperal:"), style.paint(paint, text));
}

fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_during_the_build_counts_and_the_builds_own_lock_file_does_not() {
        let stamp = |seconds| Some((std::time::UNIX_EPOCH + Duration::from_secs(seconds), 1));
        let look = |main, lock| Snapshot::from([("main.rs".into(), stamp(main)), ("Cargo.lock".into(), stamp(lock))]);
        let after = look(2, 2);
        let seen = renewed(&look(1, 1), after.clone());
        assert_eq!(sources::difference(&seen, &after), Some(PathBuf::from("main.rs")));
        assert_eq!(sources::difference(&renewed(&look(2, 1), after.clone()), &after), None);
    }
}
