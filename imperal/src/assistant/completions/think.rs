//! Thoughts in the text: local models put them between `<think>` and `</think>` before the answer.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Parts the text of a reply into thoughts and answer, while it comes.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    state: State,
    /// Text whose place is not known yet.
    held: String,
    /// The thoughts so far.
    pub(super) so_far: String,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    /// Nothing but space has come.
    #[default]
    Begin,
    Thinking,
    /// Between the thoughts and the answer.
    Pause,
    Answer,
}

impl Thoughts {
    /// The part of this text that is the answer's.
    pub(super) fn take(&mut self, text: &str) -> String {
        self.held.push_str(text);
        loop {
            match self.state {
                State::Begin => {
                    let begun = self.held.trim_start();
                    if let Some(thought) = begun.strip_prefix(OPEN) {
                        self.held = thought.to_owned();
                        self.state = State::Thinking;
                    } else if OPEN.starts_with(begun) {
                        return String::new();
                    } else {
                        self.state = State::Answer;
                    }
                }
                State::Thinking => {
                    let Some(end) = self.held.find(CLOSE) else {
                        // The mark may be split over pieces.
                        let safe = self.held.floor_char_boundary(self.held.len().saturating_sub(CLOSE.len()));
                        self.so_far.extend(self.held.drain(..safe));
                        return String::new();
                    };
                    self.so_far.push_str(&self.held[..end]);
                    self.held.drain(..end + CLOSE.len());
                    self.state = State::Pause;
                }
                State::Pause => {
                    self.held = self.held.trim_start().to_owned();
                    if self.held.is_empty() {
                        return String::new();
                    }
                    self.state = State::Answer;
                }
                State::Answer => return std::mem::take(&mut self.held),
            }
        }
    }

    /// The rest of the answer, at the end of the reply.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.state == State::Thinking {
            self.so_far.push_str(&held);
            return String::new();
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let mut thoughts = Thoughts::default();
        let mut answer: String = pieces.iter().map(|piece| thoughts.take(piece)).collect();
        answer.push_str(&thoughts.finish());
        (answer, thoughts.so_far)
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        let own = |answer: &str, thoughts: &str| (answer.to_owned(), thoughts.to_owned());
        assert_eq!(split(&["plain <think> text"]), own("plain <think> text", ""));
        assert_eq!(split(&["\n<think>a b</think>\n\nyes"]), own("yes", "a b"));
        assert_eq!(split(&["<th", "ink>a", " b</thi", "nk>", "\n", "y", "es"]), own("yes", "a b"));
        assert_eq!(split(&["<think>never ends é"]), own("", "never ends é"));
        assert_eq!(split(&["<th"]), own("<th", ""));
    }
}
