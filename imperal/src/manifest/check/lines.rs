//! On which line of a JSON text a value stands.
//!
//! Owns a scan of text that has already been read as JSON. Only done when there is a finding.

use std::collections::HashMap;

/// Lines of every value, by path, `tools.0.name`.
pub(super) fn of(text: &str) -> HashMap<String, u32> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, lines: HashMap::new() };
    scan.value("");
    scan.lines
}

/// The line of a path, or of the nearest thing that contains it.
pub(super) fn nearest(lines: &HashMap<String, u32>, path: &str) -> u32 {
    let mut path = path;
    loop {
        if let Some(line) = lines.get(path) {
            return *line;
        }
        match path.rfind('.') {
            Some(end) => path = &path[..end],
            None => return 1,
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    lines: HashMap<String, u32>,
}

impl Scan<'_> {
    fn blanks(&mut self) {
        while let Some(b) = self.bytes.get(self.at).filter(|b| b.is_ascii_whitespace() || matches!(b, b',' | b':')) {
            self.line += u32::from(*b == b'\n');
            self.at += 1;
        }
    }

    fn text(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(&b) = self.bytes.get(self.at) {
            self.at += if b == b'\\' { 2 } else { 1 };
            if b == b'"' {
                break;
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(raw).unwrap_or_default()
    }

    fn value(&mut self, path: &str) {
        self.blanks();
        self.lines.entry(path.to_owned()).or_insert(self.line);
        match self.bytes.get(self.at) {
            Some(b'{') => {
                self.at += 1;
                loop {
                    self.blanks();
                    if self.bytes.get(self.at) != Some(&b'"') {
                        self.at += 1;
                        return;
                    }
                    let line = self.line;
                    let key = self.text();
                    let inner = if path.is_empty() { key } else { format!("{path}.{key}") };
                    self.lines.insert(inner.clone(), line);
                    self.value(&inner);
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut index = 0_usize;
                loop {
                    self.blanks();
                    if matches!(self.bytes.get(self.at), Some(b']') | None) {
                        self.at += 1;
                        return;
                    }
                    self.value(&if path.is_empty() { index.to_string() } else { format!("{path}.{index}") });
                    index += 1;
                }
            }
            Some(b'"') => drop(self.text()),
            Some(_) => {
                while self.bytes.get(self.at).is_some_and(|b| !b.is_ascii_whitespace() && !b",]}".contains(b)) {
                    self.at += 1;
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_line_it_stands_on() {
        let text = "{\n \"a\": [\n  1,\n  {\"b\\n\": \"x\\\"y\"}\n ],\n \"c\":\n  null\n}";
        let lines = of(text);
        for (path, line) in [("", 1), ("a", 2), ("a.0", 3), ("a.1", 4), ("a.1.b\n", 4), ("c", 6)] {
            assert_eq!(lines.get(path), Some(&line), "{path}");
        }
        assert_eq!(nearest(&lines, "a.1.missing.deep"), 4);
        assert_eq!(nearest(&lines, "nowhere"), 1);
    }
}
