//! The log: its destination, its filter, and the form of its lines.
//!
//! No value can forge a line: each field of each event and span passes one function, which escapes characters
//! that would end the line or control a terminal.

use std::fmt::{self, Debug};
use std::io;

use tracing::Subscriber;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::out::OutputStyle;
use crate::secrets::{process_has_secrets, screen_process_text};
use crate::trace::Traces;
use crate::visible;

/// Sends logs to standard error, filtered by `RUST_LOG`, and spans to `traces`.
pub(super) fn start(server: bool, traces: Option<&Traces>) {
    let log = tracing_subscriber::registry().with(lines(server)).with(traces.map(Traces::layer));
    // Fails if the binary has set up a log of its own.
    if log.try_init().is_err() && traces.is_some() {
        tracing::warn!("spans are not sent: the binary has set up a `tracing` subscriber of its own");
    }
    if server {
        Traces::explain();
    }
}

/// Runs `work` with a log of its own. The log of the process starts later, because it needs the result.
pub(super) fn before_start<T>(server: bool, work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines(server)), work)
}

fn lines<S>(server: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    // The pool logs every broken connection. The ledger logs what follows from it. The MCP crate logs every refusal.
    let default = if server { "info,deadpool=error,rmcp=error" } else { "warn,rmcp=error" };
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Without the hint the filter would enable events that the log leaves out.
    let news = filter_fn(Traces::is_news).with_max_level_hint(LevelFilter::TRACE);
    let no_messages = filter_fn(has_no_messages).with_max_level_hint(LevelFilter::TRACE);
    tracing_subscriber::fmt::layer()
        .with_writer(|| Screened(io::stderr()))
        .with_ansi(OutputStyle::of_stderr().colour)
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .with_filter(asked.and(news).and(no_messages))
}

/// Whether an event has no whole message of an MCP client. The crate `rmcp` logs them, with all parameters.
fn has_no_messages(event: &tracing::Metadata<'_>) -> bool {
    !event.target().starts_with("rmcp") || *event.level() <= tracing::Level::WARN
}

/// Writes lines without the values of secrets that are in use.
struct Screened<W>(W);

impl<W: io::Write> io::Write for Screened<W> {
    /// The layer writes a whole line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if process_has_secrets() {
            self.0.write_all(screen_process_text(&String::from_utf8_lossy(line)).as_bytes())?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes the text of a panic without the values of secrets that are in use.
pub(super) fn screen_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !process_has_secrets() {
            return usual(panic);
        }
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(|s| &**s));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = screen_process_text(text.unwrap_or("a panic without a text"));
        eprintln!("panicked at {place}:\n{text}");
    }));
}

/// Writes one field. A value with hidden characters is quoted, to show where it ends.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let escaped = visible::in_log(&text);
    if field.name() == "message" {
        return writer.write_str(&escaped);
    }
    if writer.has_ansi_escapes() {
        write!(writer, "\x1b[3m{}\x1b[0m\x1b[2m=\x1b[0m", field.name())?;
    } else {
        write!(writer, "{}=", field.name())?;
    }
    if escaped == text { writer.write_str(&text) } else { writer.write_str(&visible::in_log(&format!("{text:?}"))) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn values_cannot_forge_lines_or_colours() {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(format::debug_fn(write_field).delimited(" "));
        let forged = "anna\n2026-01-01T00:00:00Z ERROR forged\r\x1b[2J\u{202e}";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("call", user = %forged, late = tracing::field::Empty);
            span.record("late", tracing::field::display(forged));
            let _inside = span.enter();
            tracing::warn!(error = %forged, quoted = forged, plain = %"two words", "{forged}");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(text.matches("\\n2026-01-01T00:00:00Z ERROR forged\\r\\u{1b}[2J\\u{202e}").count(), 5, "{text}");
        assert!(text.contains(r#"user="anna\n"#) && text.contains("plain=two words"), "{text}");
    }
}
