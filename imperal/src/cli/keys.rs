//! Single keys of the terminal on standard input, for a question that one key answers.
//!
//! Owns the terminal's mode. While a question is open, keys come at once and are not echoed, and Ctrl-C is a signal as
//! before. While bars are drawn, nothing is echoed. The mode is restored when the value is dropped, and keys typed after
//! that belong to the shell.

use std::io;

use tokio::sync::mpsc;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
}

/// Reads keys until it is dropped.
#[derive(Debug)]
pub(super) struct KeyReader {
    keys: mpsc::Receiver<Key>,
    #[cfg(unix)]
    _mode: unix::SingleKeyMode,
}

impl KeyReader {
    /// Discards keys that were typed before the question: they do not answer it.
    pub(super) fn open() -> io::Result<Self> {
        let (sender, keys) = mpsc::channel(16);
        #[cfg(unix)]
        {
            let mode = unix::SingleKeyMode::enter()?;
            unix::forget_late_keys();
            let open = mode.is_open();
            std::thread::spawn(move || unix::read_keys(&sender, &open));
            Ok(Self { keys, _mode: mode })
        }
        #[cfg(not(unix))]
        {
            std::thread::spawn(move || read_keys(&sender));
            Ok(Self { keys })
        }
    }

    /// The next key. `None` if the terminal is gone. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Key> {
        self.keys.recv().await
    }
}

#[cfg(unix)]
pub(super) use unix::QuietInput;

/// Consoles of Windows echo a key only when a program reads it.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct QuietInput;

#[cfg(not(unix))]
impl QuietInput {
    pub(super) fn enter() -> Option<Self> {
        Some(Self)
    }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::time::{Duration, Instant};

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use tokio::sync::mpsc;

    use super::Key;

    /// A read without a key returns after this many tenths of a second.
    const READ_TIMEOUT: u8 = 1;

    /// Keys come one by one, without echo, until this is dropped.
    #[derive(Debug)]
    pub(super) struct SingleKeyMode {
        before: Termios,
        open: Arc<AtomicBool>,
    }

    impl SingleKeyMode {
        pub(super) fn enter() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut mode = before.clone();
            mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            mode.special_codes[SpecialCodeIndex::VMIN] = 0;
            mode.special_codes[SpecialCodeIndex::VTIME] = READ_TIMEOUT;
            tcsetattr(io::stdin(), OptionalActions::Flush, &mode)?;
            Ok(Self { before, open: Arc::new(AtomicBool::new(true)) })
        }

        /// Becomes false when the mode ends.
        pub(super) fn is_open(&self) -> Arc<AtomicBool> {
            self.open.clone()
        }
    }

    impl Drop for SingleKeyMode {
        fn drop(&mut self) {
            self.open.store(false, Ordering::Relaxed);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
        }
    }

    /// What is typed is not echoed until this is dropped, and neither is Ctrl-C as `^C`. It is kept for the shell.
    #[derive(Debug)]
    pub(in crate::cli) struct QuietInput {
        before: Termios,
    }

    impl QuietInput {
        /// `None` if standard input is no terminal.
        pub(in crate::cli) fn enter() -> Option<Self> {
            let before = tcgetattr(io::stdin()).ok()?;
            let mut mode = before.clone();
            mode.local_modes.remove(LocalModes::ECHO);
            tcsetattr(io::stdin(), OptionalActions::Now, &mode).ok()?;
            Some(Self { before })
        }
    }

    impl Drop for QuietInput {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    /// Keys that a reader read after its question was over: they belong to the next question.
    static LATE: Mutex<Vec<Key>> = Mutex::new(Vec::new());

    fn late_keys() -> MutexGuard<'static, Vec<Key>> {
        LATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget_late_keys() {
        late_keys().clear();
    }

    /// Sends keys until the mode ends or the terminal is gone.
    pub(super) fn read_keys(sender: &mpsc::Sender<Key>, open: &AtomicBool) {
        let mut bytes = [0; 64];
        while open.load(Ordering::Relaxed) {
            let late = std::mem::take(&mut *late_keys());
            if late.into_iter().any(|key| sender.blocking_send(key).is_err()) {
                return;
            }
            let asked = Instant::now();
            let read = match rustix::io::read(io::stdin(), &mut bytes) {
                Ok(0) if asked.elapsed() < Duration::from_millis(20) => return,
                Ok(read) => read,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            };
            let keys = keys_of(&bytes[..read]);
            if !open.load(Ordering::Relaxed) {
                // The question ended during this read, and the next one may be open already.
                late_keys().extend(keys);
                return;
            }
            for key in keys {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    }

    /// The keys of one read. Arrows and function keys, which come as a sequence after an escape, are none.
    fn keys_of(bytes: &[u8]) -> Vec<Key> {
        match bytes {
            [0x1b] => vec![Key::Escape],
            [0x1b, ..] => Vec::new(),
            bytes => String::from_utf8_lossy(bytes)
                .chars()
                .map(|c| if matches!(c, '\n' | '\r') { Key::Enter } else { Key::Char(c) })
                .collect(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn sequences_are_not_taken_for_keys() {
            assert_eq!(keys_of(b"c"), [Key::Char('c')]);
            assert_eq!(keys_of("ü\r".as_bytes()), [Key::Char('ü'), Key::Enter]);
            assert_eq!(keys_of(b"\x1b"), [Key::Escape]);
            assert_eq!(keys_of(b"\x1b[C"), [], "an arrow contains a C");
        }
    }
}

#[cfg(not(unix))]
fn read_keys(sender: &mpsc::Sender<Key>) {
    while let Ok(key) = console::Term::stderr().read_key() {
        let key = match key {
            console::Key::Enter => Key::Enter,
            console::Key::Escape => Key::Escape,
            console::Key::Char(c) => Key::Char(c),
            _ => continue,
        };
        if sender.blocking_send(key).is_err() {
            return;
        }
    }
}
