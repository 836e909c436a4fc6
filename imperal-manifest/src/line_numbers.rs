//! Finds the lines of paths in a JSON text.
//!
//! Runs only if there are findings, on text that is valid JSON. Visits each byte once and looks each key up
//! among the paths by binary search, so that a long key, or a key with dots, costs time by its length only.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Returns the line of each path (`tools.0.name`). A path that the text lacks gets the line of the innermost
/// value around it.
pub(crate) fn line_numbers(text: &str, paths: &[&str]) -> Vec<u32> {
    let mut wanted: Vec<&str> = paths.to_vec();
    wanted.sort_unstable_by(|a, b| order(a.as_bytes(), b.as_bytes()));
    wanted.dedup();
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, wanted: &wanted, lines: HashMap::new() };
    scan.value(Some(Place { from: 0, to: wanted.len(), length: 0 }));
    let innermost_lines = scan.innermost_lines();
    let line = |path: &&str| {
        let at = wanted.binary_search_by(|known| order(known.as_bytes(), path.as_bytes())).ok()?;
        innermost_lines.get(at).copied()
    };
    paths.iter().map(|path| line(path).unwrap_or(1)).collect()
}

/// Compares paths with `.` below every other byte, so that a path sorts directly before the paths inside it.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |b: &u8| if *b == b'.' { 0 } else { u16::from(*b) + 1 };
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// A value that has wanted paths inside it: `wanted[from..to]`. Its own path has `length` bytes, and each of
/// these paths begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    from: usize,
    to: usize,
    length: usize,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    /// Sorted by `order`.
    wanted: &'a [&'a str],
    lines: HashMap<Place, u32>,
}

impl Scan<'_> {
    /// The line of the innermost scanned value around each wanted path.
    fn innermost_lines(&self) -> Vec<u32> {
        let mut best = vec![(0_usize, 1_u32); self.wanted.len()];
        for (place, line) in &self.lines {
            for slot in best.get_mut(place.from..place.to).unwrap_or_default() {
                if place.length >= slot.0 {
                    *slot = (place.length, *line);
                }
            }
        }
        best.into_iter().map(|(_, line)| line).collect()
    }

    /// The place of the member `key` of `place`; `None` if no wanted path leads to it or into it.
    fn inner(&self, place: Place, key: &str) -> Option<Place> {
        let Place { from, to, length } = place;
        let key = key.as_bytes();
        let skip = length + usize::from(length > 0);
        let within = self.wanted.get(from..to)?;
        let head = |path: &str| match path.as_bytes().get(skip..) {
            Some(tail) => order(tail.get(..key.len()).unwrap_or(tail), key),
            None => Ordering::Less,
        };
        let start = within.partition_point(|path| head(path).is_lt());
        let begun = within.get(start..)?;
        let ends = |path: &str| matches!(path.as_bytes().get(skip + key.len()), None | Some(b'.'));
        let count = begun.partition_point(|path| head(path).is_eq() && ends(path));
        let found = Place { from: from + start, to: from + start + count, length: skip + key.len() };
        (count > 0 && found.length > 0).then_some(found)
    }

    fn skip_separators(&mut self) {
        while let Some(b) = self.bytes.get(self.at).filter(|b| b.is_ascii_whitespace() || matches!(b, b',' | b':')) {
            self.line += u32::from(*b == b'\n');
            self.at += 1;
        }
    }

    /// Skips a string and returns its raw text.
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

    /// Skips a value that no wanted path leads to, and counts its lines. Works without recursion.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(b) = self.bytes.get(self.at) {
            match b {
                b'"' => {
                    self.text();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b if b.is_ascii_whitespace() || matches!(b, b',' | b':') => {
                    self.line += u32::from(*b == b'\n');
                    self.at += 1;
                    continue;
                }
                _ => self.skip_scalar(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips a number, `true`, `false` or `null`.
    fn skip_scalar(&mut self) {
        while self.bytes.get(self.at).is_some_and(|b| !b.is_ascii_whitespace() && !b",]}".contains(b)) {
            self.at += 1;
        }
    }

    /// Scans a value and records its line. `place` is `None` if no wanted path leads to it or into it.
    fn value(&mut self, place: Option<Place>) {
        self.skip_separators();
        let Some(place) = place else { return self.skip_value() };
        self.lines.entry(place).or_insert(self.line);
        match self.bytes.get(self.at) {
            Some(b'{') => {
                self.at += 1;
                loop {
                    self.skip_separators();
                    if self.bytes.get(self.at) != Some(&b'"') {
                        self.at += 1;
                        return;
                    }
                    let line = self.line;
                    let key = self.text();
                    let key: String = serde_json::from_slice(key).unwrap_or_default();
                    let inner = self.inner(place, &key);
                    if let Some(inner) = inner {
                        self.lines.insert(inner, line);
                    }
                    self.value(inner);
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut index = 0_usize;
                loop {
                    self.skip_separators();
                    if matches!(self.bytes.get(self.at), Some(b']') | None) {
                        self.at += 1;
                        return;
                    }
                    let inner = self.inner(place, &index.to_string());
                    self.value(inner);
                    index += 1;
                }
            }
            Some(b'"') => {
                self.text();
            }
            Some(_) => self.skip_scalar(),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_each_value() {
        let text = "{\n \"a\": [\n  1,\n  {\"b\\n\": \"x\\\"y\"}\n ],\n \"c\":\n  null,\n \"a-b\": 1,\n \"a.b\": {\n\"d\": 2}}";
        let places = [
            ("", 1),
            ("a", 2),
            ("a.0", 3),
            ("a.1", 4),
            ("a.1.b\n", 4),
            ("a.1.missing.deep", 4),
            ("c", 6),
            ("a-b", 8),
            ("a.b", 9),
            ("a.b.d", 10),
            ("nowhere", 1),
        ];
        let paths: Vec<&str> = places.iter().map(|(path, _)| *path).collect();
        for ((path, line), found) in places.iter().zip(line_numbers(text, &paths)) {
            assert_eq!(found, *line, "{path}");
        }
    }
}
