//! A parser of Server-Sent Events, for the fields that the platform sends.

use super::exit::CliError;

/// Largest event that is read, in bytes. The platform's events are far smaller.
const EVENT_LIMIT: usize = 64 * 1024 * 1024;

/// One event of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SseMessage {
    pub(super) event: String,
    pub(super) data: String,
    /// The event's number. A stream resumes after the last number, so progress events have none.
    pub(super) id: Option<u64>,
}

/// Splits a stream of bytes into events.
#[derive(Debug, Default)]
pub(super) struct SseParser {
    pending: Vec<u8>,
    message: SseMessage,
}

impl SseParser {
    /// Returns the events that these bytes complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<SseMessage>, CliError> {
        if self.pending.len() + self.message.data.len() + bytes.len() > EVENT_LIMIT {
            return Err(CliError::new(format!(
                "the live stream sent an event of more than {} MiB, which is the limit: read the result with `chat`",
                EVENT_LIMIT >> 20
            )));
        }
        let mut complete = Vec::new();
        let mut rest = bytes;
        // Each byte is examined once and copied once, however long its line is.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end + 1);
            rest = behind;
            self.pending.extend_from_slice(line);
            let line = std::mem::take(&mut self.pending);
            let line = std::str::from_utf8(&line)?.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                if !message.data.is_empty() {
                    complete.push(message);
                }
            } else if let Some(event) = line.strip_prefix("event:") {
                event.trim_start().clone_into(&mut self.message.event);
            } else if let Some(id) = line.strip_prefix("id:") {
                self.message.id = id.trim().parse().ok();
            } else if let Some(data) = line.strip_prefix("data:") {
                if !self.message.data.is_empty() {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        self.pending.extend_from_slice(rest);
        Ok(complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_endless_lines_and_events() {
        for chunk in ["x".repeat(16 << 20), format!("data: {}\n", "x".repeat(16 << 20))] {
            let mut parser = SseParser::default();
            let fed = (0..10).find_map(|_| parser.feed(chunk.as_bytes()).err()).expect("it ends");
            assert!(fed.text.contains("more than 64 MiB"), "{}", fed.text);
            assert!(parser.pending.len() + parser.message.data.len() <= EVENT_LIMIT);
        }
    }

    #[test]
    fn parses_events_split_at_any_byte() {
        let text =
            ": hi\n\nevent: turn\nid: 1\ndata: {\"a\":\"ü\"}\n\nevent: progress\ndata: x\ndata: y\n\n".as_bytes();
        for cut in 0..text.len() {
            let mut parser = SseParser::default();
            let mut got = parser.feed(&text[..cut]).unwrap();
            got.extend(parser.feed(&text[cut..]).unwrap());
            assert_eq!(got.len(), 2, "cut at {cut}");
            assert_eq!(got[0], SseMessage { event: "turn".into(), data: "{\"a\":\"ü\"}".into(), id: Some(1) });
            assert_eq!(got[1].data, "x\ny");
        }
    }
}
