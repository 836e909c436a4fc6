//! A program on a pseudo-terminal: a test sends keys and reads the screen as bytes.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longest wait for a text on the screen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs on a pseudo-terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<(Mutex<String>, Condvar)>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts a program on a terminal of 90 columns.
    ///
    /// # Panics
    /// When there is no pseudo-terminal or the program does not start.
    pub fn start(program: &str, args: &[&str], folder: &Path, env: &[(&str, &str)]) -> Self {
        Self::start_in(90, program, args, folder, env)
    }

    /// Starts a program on a terminal of this many columns.
    ///
    /// # Panics
    /// When there is no pseudo-terminal or the program does not start.
    pub fn start_in(columns: u16, program: &str, args: &[&str], folder: &Path, env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 30, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env("IMPERAL_DATA_DIR", folder.join("data"));
        // Without a display `dev` opens no browser on the machine that runs the tests.
        for name in ["NO_COLOR", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        // A person's terminal has no variables of the cargo that runs the tests. CARGO_HOME belongs to the
        // machine.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME") {
                command.env_remove(name);
            }
        }
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("the terminal can be read");
        let screen: Arc<(Mutex<String>, Condvar)> = Arc::default();
        std::thread::spawn({
            let screen = screen.clone();
            move || {
                let mut bytes = [0; 4096];
                while let Ok(read) = output.read(&mut bytes) {
                    if read == 0 {
                        break;
                    }
                    let (text, news) = &*screen;
                    text.lock().expect("the reader does not panic").push_str(&String::from_utf8_lossy(&bytes[..read]));
                    news.notify_all();
                }
            }
        });
        let keys = pair.master.take_writer().expect("keys can be sent");
        Self { child, keys, screen, _master: pair.master }
    }

    /// Sends keys as they are: `\x03` is Ctrl-C, `\r` Enter, `\t` Tab.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys can be sent");
        self.keys.flush().expect("keys can be sent");
    }

    /// Everything written so far, with its control codes.
    ///
    /// # Panics
    /// When the reader has panicked.
    pub fn written(&self) -> String {
        self.screen.0.lock().expect("the reader does not panic").clone()
    }

    /// Waits until the text is written after `from` bytes, and returns the length of everything written.
    ///
    /// # Panics
    /// When the text does not appear in time.
    pub fn until(&self, from: usize, text: &str) -> usize {
        let (screen, news) = &*self.screen;
        let deadline = Instant::now() + PATIENCE;
        let mut written = screen.lock().expect("the reader does not panic");
        loop {
            if written[from..].contains(text) {
                return written.len();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{text:?} did not come; the terminal has: {written}");
            written = news.wait_timeout(written, left).expect("the reader does not panic").0;
        }
    }

    /// Waits for the program's end and returns its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ended(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end; the terminal has: {}", self.written());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("written", &self.written()).finish_non_exhaustive()
    }
}
