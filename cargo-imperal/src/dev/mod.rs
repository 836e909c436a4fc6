//! `dev`: builds and starts the extension again after each change.
//!
//! While a build runs, and after a build that failed, the process of the last good build goes on serving.
//! The next process has the same ledger, address and session key, so an open page reconnects and a link that
//! was not opened yet still works.

mod process;
mod sources;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::cargo::{self, Metadata};
use crate::compile::{self, BuildOptions, Built};
use crate::error::CommandError;
use crate::output::{self, Paint, print_note};
use crate::selection::Selection;
use process::{Announcement, Replaced, ServedProcess};
use sources::{Snapshot, WatchedFiles, changed_file};

/// Time between two looks at the sources.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Options of `cargo imperal dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    selection: Selection,
    /// Features to build with
    #[arg(long, short = 'F', value_name = "FEATURES")]
    features: Option<String>,
    /// Build with optimizations
    #[arg(long, short)]
    release: bool,
    /// Build and start once; ignore changes
    #[arg(long)]
    once: bool,
    /// Options of the extension's `dev`, for example `--listen 127.0.0.1:0`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Why the loop goes on.
enum NextBuild {
    AfterChange(PathBuf),
    /// Enter was pressed after the process had ended.
    AfterEnter,
}

/// Runs until Ctrl-C or SIGTERM; with `--once` also until the process ends.
pub(crate) fn dev(args: &DevArgs, selection: Selection) -> Result<ExitCode, CommandError> {
    let here = cargo::nearest_crate()?;
    let stops = stop_requests()?;
    let metadata = Metadata::read()?;
    let binary = args.selection.clone().or(selection).find_in(&metadata, &here)?;
    let build = BuildOptions { binary, features: args.features.clone(), release: args.release };
    let mut sources = WatchedFiles::new(&metadata, here);
    let mut process = ServedProcess::new(&args.options);
    let enter = enter_presses();
    let mut seen = sources.snapshot();
    loop {
        let started = Instant::now();
        match compile::build(&build)? {
            Built::Failed if process.is_running() => {
                print_note(Paint::Red, "it does not compile: the last good build goes on serving");
            }
            Built::Failed => print_note(Paint::Red, "it does not compile: it starts when it does"),
            Built::Binary { path, is_new } => {
                sources.learn(&path);
                seen = merge_snapshots(&seen, sources.snapshot());
                let starts = (is_new || !process.is_running()) && can_start(&path);
                if starts && !replace_process(&mut process, &path, started, &stops)? {
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
        match wait_for_change(&sources, &mut seen, &mut process, &stops, &enter, args.once)? {
            Some(NextBuild::AfterEnter) => {}
            Some(NextBuild::AfterChange(changed)) => {
                print_note(Paint::Dim, &format!("{} changed, building", relative_path(&changed)));
            }
            None => {
                if process.is_running() {
                    print_note(Paint::Dim, "stopping");
                }
                process.stop(&stops)?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// Returns whether to go on.
fn replace_process(
    process: &mut ServedProcess<'_>,
    binary: &Path,
    started: Instant,
    stops: &Receiver<()>,
) -> Result<bool, CommandError> {
    let is_restart = process.has_served();
    match process.replace(binary, stops)? {
        Replaced::Serving(_) if is_restart => {
            let seconds = started.elapsed().as_secs_f64();
            print_note(Paint::Green, &format!("serving the new build after {seconds:.1} s; the page reconnects"));
        }
        Replaced::Serving(Announcement { link, .. }) => {
            print_note(Paint::Green, "serving; it builds and starts again after each change, Ctrl-C stops it");
            let link = output::paint(Paint::Cyan, &link, output::stdout_has_color());
            output::print_line(&format!("open {link}"));
        }
        Replaced::Ended => note_end(process)?,
        Replaced::StopRequested => return Ok(false),
    }
    Ok(true)
}

/// Waits for the reason of another build; `None` when it is time to stop.
fn wait_for_change(
    sources: &WatchedFiles,
    seen: &mut Snapshot,
    process: &mut ServedProcess<'_>,
    stops: &Receiver<()>,
    enter: &Receiver<()>,
    once: bool,
) -> Result<Option<NextBuild>, CommandError> {
    loop {
        match stops.recv_timeout(POLL_INTERVAL) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
        note_end(process)?;
        if once && !process.is_running() {
            return Ok(None);
        }
        if enter.try_recv().is_ok() && !process.is_running() {
            return Ok(Some(NextBuild::AfterEnter));
        }
        if once {
            continue;
        }
        let now = sources.snapshot();
        if let Some(changed) = changed_file(seen, &now) {
            *seen = now;
            // Editors write several files, some of them twice. Wait until two snapshots are equal.
            loop {
                std::thread::sleep(Duration::from_millis(100));
                let next = sources.snapshot();
                if changed_file(seen, &next).is_none() {
                    return Ok(Some(NextBuild::AfterChange(changed)));
                }
                *seen = next;
            }
        }
    }
}

/// The files of `now`, each with its stamp from before the build, so that a change during the build counts.
/// The lock file is the exception: the build itself writes it.
fn merge_snapshots(before: &Snapshot, now: Snapshot) -> Snapshot {
    let kept = |path: &PathBuf| before.get(path).filter(|_| !path.ends_with("Cargo.lock")).copied();
    now.into_iter().map(|(path, stamp)| (path.clone(), kept(&path).unwrap_or(stamp))).collect()
}

/// Whether a new binary gets as far as its command line. If not, its error is shown.
fn can_start(binary: &Path) -> bool {
    match Command::new(binary).arg("--version").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            print_note(Paint::Red, "the new build does not start: the last good build goes on serving");
            false
        }
        Err(error) => {
            print_note(Paint::Red, &format!("the new build cannot be started: {error}"));
            false
        }
    }
}

/// Says that the process ended by itself, if it did.
fn note_end(process: &mut ServedProcess<'_>) -> Result<(), CommandError> {
    if let Some(status) = process.take_end()? {
        let text = format!("the process ended ({status}); Enter or the next change starts it again");
        print_note(Paint::Red, &text);
    }
    Ok(())
}

/// One message for each Enter on standard input.
fn enter_presses() -> Receiver<()> {
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

/// One message for each SIGINT and SIGTERM, which no longer end this process.
#[cfg(unix)]
fn stop_requests() -> Result<Receiver<()>, CommandError> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let (sender, receiver) = mpsc::channel();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Ctrl-C ends this process and reaches the extension too, which stops gracefully.
#[cfg(not(unix))]
fn stop_requests() -> Result<Receiver<()>, CommandError> {
    let (sender, receiver) = mpsc::channel();
    // The sender stays alive, so that the receiver waits.
    std::mem::forget(sender);
    Ok(receiver)
}

fn relative_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_during_the_build_counts_and_the_lock_file_does_not() {
        let stamp = |seconds| Some((std::time::UNIX_EPOCH + Duration::from_secs(seconds), 1));
        let look = |main, lock| Snapshot::from([("main.rs".into(), stamp(main)), ("Cargo.lock".into(), stamp(lock))]);
        let after = look(2, 2);
        let seen = merge_snapshots(&look(1, 1), after.clone());
        assert_eq!(changed_file(&seen, &after), Some(PathBuf::from("main.rs")));
        assert_eq!(changed_file(&merge_snapshots(&look(2, 1), after.clone()), &after), None);
    }
}
