//! Checks that a text is well-formed XML and visits its elements.
//!
//! Builds no tree and resolves no entity. It checks nesting, attributes, entities and namespaces. A
//! document type may declare entities of plain text, as drawing programs do; everything else in it is
//! skipped. The work is linear in the text, and nesting has a limit.

use std::collections::{HashMap, HashSet};

/// Deepest nesting that is accepted, as in common XML readers.
const MAX_DEPTH: usize = 256;

/// Characters of a name in a message.
const SHOWN_NAME: usize = 60;

/// The opening tag of an element.
pub(crate) struct Element<'a> {
    /// Name without its namespace.
    pub(crate) name: &'a str,
    pub(crate) attributes: Vec<(&'a str, &'a str)>,
    pub(crate) is_root: bool,
}

impl<'a> Element<'a> {
    /// The value of an attribute, by its name with the namespace's prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// Reads a document and visits every element. The error names the fault and its line.
pub(crate) fn read_xml<'a>(text: &'a str, mut visit: impl FnMut(&Element<'a>)) -> Result<(), String> {
    let mut reader = Reader { text, at: 0, open: Vec::new(), namespaces: HashMap::new(), entities: HashSet::new() };
    reader.document(&mut visit).map_err(|fault| {
        let line = text.get(..reader.at).unwrap_or(text).lines().count().max(1);
        format!("{fault} on line {line}")
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Names of the open elements, each with the namespaces that it declares.
    open: Vec<(&'a str, Vec<&'a str>)>,
    /// How many open elements declare each namespace.
    namespaces: HashMap<&'a str, usize>,
    /// Entities that the document type declares.
    entities: HashSet<&'a str>,
}

type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Returns the text up to `end` and moves behind `end`.
    fn until(&mut self, end: &str, what: &str) -> Read<&'a str> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| format!("{what} does not end"))?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn skip_whitespace(&mut self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
        rest.len() != trimmed.len()
    }

    fn document(&mut self, visit: &mut impl FnMut(&Element<'a>)) -> Read<()> {
        if let Some(c) = self.text.chars().find(|&c| !allowed(c)) {
            return Err(format!("the character U+{:04X} is not allowed in XML", u32::from(c)));
        }
        self.take("\u{feff}");
        if self.rest().starts_with("<?xml") && !self.rest().starts_with("<?xml-") {
            self.until("?>", "the declaration")?;
        }
        let mut roots = 0;
        loop {
            let before = self.rest();
            let length = before.find('<').unwrap_or(before.len());
            let between = &before[..length];
            if self.open.is_empty() && !between.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                return Err("text outside the root element".to_owned());
            }
            if between.contains("]]>") {
                return Err("text contains `]]>`".to_owned());
            }
            self.check_entities(between)?;
            self.at += length;
            if self.rest().is_empty() {
                break;
            }
            if self.take("<!--") {
                if self.until("-->", "a comment")?.contains("--") {
                    return Err("a comment contains `--`".to_owned());
                }
            } else if self.take("<![CDATA[") {
                if self.open.is_empty() {
                    return Err("text outside the root element".to_owned());
                }
                self.until("]]>", "a CDATA section")?;
            } else if self.take("<!DOCTYPE") {
                self.doctype(roots)?;
            } else if self.take("<?") {
                let name = self.name()?;
                if name.eq_ignore_ascii_case("xml") {
                    return Err("the declaration is not at the beginning".to_owned());
                }
                self.until("?>", "an instruction")?;
            } else if self.take("</") {
                let name = self.name()?;
                self.skip_whitespace();
                if !self.take(">") {
                    return Err(format!("the closing tag of `{}` does not end", short(name)));
                }
                match self.open.pop() {
                    Some((expected, spaces)) if expected == name => self.close_namespaces(&spaces),
                    Some((expected, _)) => return Err(format!("`{}` is closed by `{}`", short(expected), short(name))),
                    None => return Err(format!("`{}` is closed but was not open", short(name))),
                }
            } else {
                self.at += 1;
                if self.open.is_empty() {
                    roots += 1;
                    if roots > 1 {
                        return Err("a second root element".to_owned());
                    }
                }
                self.element(visit)?;
            }
        }
        match self.open.pop() {
            Some((name, _)) => Err(format!("`{}` is not closed", short(name))),
            None if roots == 0 => Err("it has no element".to_owned()),
            None => Ok(()),
        }
    }

    fn doctype(&mut self, roots: usize) -> Read<()> {
        if roots > 0 {
            return Err("the document type is behind the root element".to_owned());
        }
        if self.skip_declaration(&['[', '>'])? == '>' {
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            if self.take("]") {
                self.skip_whitespace();
                return if self.take(">") { Ok(()) } else { Err("the document type does not end".to_owned()) };
            }
            if self.take("<!--") {
                self.until("-->", "a comment")?;
            } else if self.take("<?") {
                self.until("?>", "an instruction")?;
            } else if self.take("<!ENTITY") {
                self.entity()?;
            } else if self.take("<!") {
                self.skip_declaration(&['>'])?;
            } else {
                return Err("the document type has a declaration that is not supported".to_owned());
            }
        }
    }

    /// Moves behind the first of these characters outside quotes, and returns it.
    fn skip_declaration(&mut self, ends: &[char]) -> Read<char> {
        let mut quote = None;
        for (index, c) in self.rest().char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                None if ends.contains(&c) => {
                    self.at += index + c.len_utf8();
                    return Ok(c);
                }
                None if matches!(c, '"' | '\'') => quote = Some(c),
                Some(_) | None => {}
            }
        }
        Err("the document type does not end".to_owned())
    }

    /// `<!ENTITY name "plain text">`. Text with markup, references or a data URL could hide an element
    /// or an image from the rules on icons.
    fn entity(&mut self) -> Read<()> {
        self.skip_whitespace();
        let name = self.name()?;
        self.skip_whitespace();
        if let Some(quote) = ["\"", "'"].into_iter().find(|quote| self.take(quote)) {
            let value = self.until(quote, &format!("the entity `{}`", short(name)))?;
            if value.contains(['<', '&', '%']) || value.contains("data:") {
                return Err(format!("the entity `{}` is not plain text", short(name)));
            }
            self.entities.insert(name);
        }
        self.skip_declaration(&['>'])?;
        Ok(())
    }

    fn name(&mut self) -> Read<&'a str> {
        let rest = self.rest();
        let starts = rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '\u{b7}')))
            .unwrap_or(rest.len());
        let name = &rest[..length];
        if !starts || name.ends_with(':') || name.matches(':').count() > 1 {
            return Err("a `<` that begins no tag, or an invalid name".to_owned());
        }
        self.at += length;
        Ok(name)
    }

    fn element(&mut self, visit: &mut impl FnMut(&Element<'a>)) -> Read<()> {
        let name = self.name()?;
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("elements are nested more than {MAX_DEPTH} deep"));
        }
        let mut attributes: Vec<(&'a str, &'a str)> = Vec::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let closed = loop {
            let has_space = self.skip_whitespace();
            if self.take("/>") {
                break true;
            }
            if self.take(">") {
                break false;
            }
            if self.rest().is_empty() {
                return Err(format!("the tag of `{}` does not end", short(name)));
            }
            if !has_space {
                return Err(format!("no space between attributes of `{}`", short(name)));
            }
            let attribute = self.attribute()?;
            if !seen.insert(attribute.0) {
                return Err(format!("`{}` has `{}` twice", short(name), short(attribute.0)));
            }
            attributes.push(attribute);
        };
        let spaces: Vec<&'a str> = attributes.iter().filter_map(|(key, _)| key.strip_prefix("xmlns:")).collect();
        for space in &spaces {
            *self.namespaces.entry(space).or_default() += 1;
        }
        for used in std::iter::once(&name).chain(attributes.iter().map(|(key, _)| key)) {
            let Some((space, _)) = used.split_once(':') else { continue };
            if !matches!(space, "xml" | "xmlns") && !self.namespaces.contains_key(space) {
                return Err(format!("the namespace of `{}` is not declared", short(used)));
            }
        }
        let local = name.rsplit(':').next().unwrap_or(name);
        visit(&Element { name: local, attributes, is_root: self.open.is_empty() });
        if closed {
            self.close_namespaces(&spaces);
        } else {
            self.open.push((name, spaces));
        }
        Ok(())
    }

    /// Ends the scope of an element's namespaces.
    fn close_namespaces(&mut self, spaces: &[&'a str]) {
        for space in spaces {
            if let Some(count) = self.namespaces.get_mut(space) {
                *count -= 1;
                if *count == 0 {
                    self.namespaces.remove(space);
                }
            }
        }
    }

    fn attribute(&mut self) -> Read<(&'a str, &'a str)> {
        let key = self.name()?;
        self.skip_whitespace();
        if !self.take("=") {
            return Err(format!("the attribute `{}` has no value", short(key)));
        }
        self.skip_whitespace();
        let quote = ["\"", "'"].into_iter().find(|quote| self.take(quote));
        let quote = quote.ok_or_else(|| format!("the value of `{}` is not in quotes", short(key)))?;
        let value = self.until(quote, &format!("the value of `{}`", short(key)))?;
        if value.contains('<') {
            return Err(format!("the value of `{}` contains `<`", short(key)));
        }
        self.check_entities(value)?;
        Ok((key, value))
    }

    /// Every `&` begins a known entity: one of the five named ones, a character's number, or one that the
    /// document type declares.
    fn check_entities(&self, text: &str) -> Read<()> {
        for part in text.split('&').skip(1) {
            let name =
                part.split_once(';').map(|(name, _)| name).ok_or("a `&` that begins no entity; write `&amp;`")?;
            let known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") || self.entities.contains(name);
            if !known && !is_character_number(name) {
                return Err(format!("the entity `&{};` is unknown", short(name)));
            }
        }
        Ok(())
    }
}

/// A name, cut for a message.
fn short(name: &str) -> &str {
    name.char_indices().nth(SHOWN_NAME).map_or(name, |(end, _)| &name[..end])
}

fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Whether `#65` or `#x41` is a character that XML allows.
fn is_character_number(name: &str) -> bool {
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    });
    number.and_then(char::from_u32).is_some_and(allowed)
}

#[cfg(test)]
mod tests;
