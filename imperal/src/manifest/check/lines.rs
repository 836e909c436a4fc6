//! On which line of a JSON text a value stands.
//!
//! Owns a scan of text that has already been read as JSON. Only done when there is a finding.

use std::collections::{HashMap, HashSet};

/// Lines of the values at those paths and of all that they are in, by path, `tools.0.name`.
pub(super) fn of<'a>(text: &str, paths: impl Iterator<Item = &'a str>) -> HashMap<String, u32> {
    let mut wanted = HashSet::from([""]);
    for path in paths {
        wanted.insert(path);
        wanted.extend(path.match_indices('.').map(|(end, _)| &path[..end]));
    }
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, wanted, lines: HashMap::new() };
    scan.value(Some(""));
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
    wanted: HashSet<&'a str>,
    lines: HashMap<String, u32>,
}

impl Scan<'_> {
    fn blanks(&mut self) {
        while let Some(b) = self.bytes.get(self.at).filter(|b| b.is_ascii_whitespace() || matches!(b, b',' | b':')) {
            self.line += u32::from(*b == b'\n');
            self.at += 1;
        }
    }

    /// Passes a string and returns it as it is written.
    fn text(&mut self) -> &[u8] {
        let start = self.at;
        self.at += 1;
        while let Some(&b) = self.bytes.get(self.at) {
            self.at += if b == b'\\' { 2 } else { 1 };
            if b == b'"' {
                break;
            }
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The path of a part, when somebody asks for it or for something in it.
    fn inner(&self, path: Option<&str>, key: &str) -> Option<String> {
        let inner = match path? {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        self.wanted.contains(inner.as_str()).then_some(inner)
    }

    /// Passes a value; without a path nobody asks for it.
    fn value(&mut self, path: Option<&str>) {
        self.blanks();
        if let Some(path) = path {
            self.lines.entry(path.to_owned()).or_insert(self.line);
        }
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
                    let key: String =
                        if path.is_some() { serde_json::from_slice(key).unwrap_or_default() } else { String::new() };
                    let inner = self.inner(path, &key);
                    if let Some(inner) = &inner {
                        self.lines.insert(inner.clone(), line);
                    }
                    self.value(inner.as_deref());
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
                    let inner = path.and_then(|path| self.inner(Some(path), &index.to_string()));
                    self.value(inner.as_deref());
                    index += 1;
                }
            }
            Some(b'"') => {
                self.text();
            }
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
        let places = [("", 1), ("a", 2), ("a.0", 3), ("a.1", 4), ("a.1.b\n", 4), ("c", 6)];
        let lines = of(text, places.iter().map(|(path, _)| *path));
        for (path, line) in places {
            assert_eq!(lines.get(path), Some(&line), "{path}");
        }
        assert_eq!(nearest(&lines, "a.1.missing.deep"), 4);
        assert_eq!(nearest(&lines, "nowhere"), 1);
    }
}
