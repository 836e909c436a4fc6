//! Standard input and output, a message a line.

use std::io::{BufRead, Read, Write};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

/// Longest message, in bytes: a request body's limit and some space around it.
const LINE_LIMIT: u64 = 2 << 20;
/// Messages that wait.
const QUEUE: usize = 64;

/// The lines of standard input. The channel ends with the input.
pub(super) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    // A read of standard input cannot be cancelled, so it has a thread that the end of the process ends.
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match (&mut stdin).take(LINE_LIMIT).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if !line.ends_with(b"\n") && line.len() as u64 == LINE_LIMIT && skip_line(&mut stdin).is_err() {
                return;
            }
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads over the rest of a line that is too long. Its beginning is no JSON, and is answered as such.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(bytes.len(), |end| end + 1);
        let is_over = end.is_some() || read == 0;
        input.consume(read);
        if is_over {
            return Ok(());
        }
    }
}

/// A channel to standard output, and the thread that writes it until the channel closes. Each text is one line.
pub(super) fn output() -> (mpsc::Sender<String>, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::channel::<String>(QUEUE);
    let thread = std::thread::spawn(move || {
        while let Some(line) = receiver.blocking_recv() {
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
            if written.and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    });
    (sender, thread)
}
