//! Whether a text is well-formed XML, and what an icon's rule needs to know of it.
//!
//! Owns a reader that builds nothing: it checks nesting, attributes, entities and namespaces, and
//! hands each element to its caller. Not for documents with a DTD of their own; an icon has none.
//! The work grows with the text: names are looked up in sets, and nesting has a limit.

use std::collections::{HashMap, HashSet};

/// Deepest nesting that is read, as in common XML readers.
const MOST_DEPTH: usize = 256;

/// Characters of a name that an error shows.
const SHOWN: usize = 60;

/// An element as it opens.
pub(super) struct Element<'a> {
    /// Without its namespace.
    pub(super) name: &'a str,
    pub(super) attributes: Vec<(&'a str, &'a str)>,
    /// Whether it is the root.
    pub(super) root: bool,
}

impl<'a> Element<'a> {
    /// The value of an attribute, by the name as written.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// Reads a document; the fault says what is wrong and on which line.
pub(super) fn read<'a>(text: &'a str, mut visit: impl FnMut(&Element<'a>)) -> Result<(), String> {
    let mut reader = Reader { text, at: 0, open: Vec::new(), spaces: HashMap::new() };
    reader.document(&mut visit).map_err(|fault| {
        let line = text.get(..reader.at).unwrap_or(text).lines().count().max(1);
        format!("{fault} on line {line}")
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Names of the elements that are open, each with the namespaces that it declares.
    open: Vec<(&'a str, Vec<&'a str>)>,
    /// How many of the open elements declare a namespace.
    spaces: HashMap<&'a str, usize>,
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

    /// Up to `end`, which is passed.
    fn until(&mut self, end: &str, what: &str) -> Read<&'a str> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| format!("{what} does not end"))?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn blanks(&mut self) -> bool {
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
                return Err("there is text outside the root element".to_owned());
            }
            if between.contains("]]>") {
                return Err("text contains `]]>`".to_owned());
            }
            entities(between)?;
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
                    return Err("there is text outside the root element".to_owned());
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
                self.blanks();
                if !self.take(">") {
                    return Err(format!("the closing tag of `{}` does not end", short(name)));
                }
                match self.open.pop() {
                    Some((expected, spaces)) if expected == name => self.forget(&spaces),
                    Some((expected, _)) => return Err(format!("`{}` is closed by `{}`", short(expected), short(name))),
                    None => return Err(format!("`{}` is closed and was not open", short(name))),
                }
            } else {
                self.at += 1;
                if self.open.is_empty() {
                    roots += 1;
                    if roots > 1 {
                        return Err("there is a second root element".to_owned());
                    }
                }
                self.element(visit)?;
            }
        }
        match self.open.pop() {
            Some((name, _)) => Err(format!("`{}` is not closed", short(name))),
            None if roots == 0 => Err("there is no element".to_owned()),
            None => Ok(()),
        }
    }

    fn doctype(&mut self, roots: usize) -> Read<()> {
        let body = self.until(">", "the document type")?;
        if body.contains('[') || roots > 0 {
            return Err("a document type with declarations of its own is not read here".to_owned());
        }
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
            return Err("there is a `<` that begins no tag, or a name that is none".to_owned());
        }
        self.at += length;
        Ok(name)
    }

    fn element(&mut self, visit: &mut impl FnMut(&Element<'a>)) -> Read<()> {
        let name = self.name()?;
        if self.open.len() >= MOST_DEPTH {
            return Err(format!("elements are nested more than {MOST_DEPTH} deep"));
        }
        let mut attributes: Vec<(&'a str, &'a str)> = Vec::new();
        let mut seen: HashSet<&'a str> = HashSet::new();
        let closed = loop {
            let apart = self.blanks();
            if self.take("/>") {
                break true;
            }
            if self.take(">") {
                break false;
            }
            if self.rest().is_empty() {
                return Err(format!("the tag of `{}` does not end", short(name)));
            }
            if !apart {
                return Err(format!("attributes of `{}` are not apart", short(name)));
            }
            let attribute = self.attribute()?;
            if !seen.insert(attribute.0) {
                return Err(format!("`{}` has `{}` twice", short(name), short(attribute.0)));
            }
            attributes.push(attribute);
        };
        let spaces: Vec<&'a str> = attributes.iter().filter_map(|(key, _)| key.strip_prefix("xmlns:")).collect();
        for space in &spaces {
            *self.spaces.entry(space).or_default() += 1;
        }
        for used in std::iter::once(&name).chain(attributes.iter().map(|(key, _)| key)) {
            let Some((space, _)) = used.split_once(':') else { continue };
            if !matches!(space, "xml" | "xmlns") && !self.spaces.contains_key(space) {
                return Err(format!("the namespace of `{}` is not declared", short(used)));
            }
        }
        let local = name.rsplit(':').next().unwrap_or(name);
        visit(&Element { name: local, attributes, root: self.open.is_empty() });
        if closed {
            self.forget(&spaces);
        } else {
            self.open.push((name, spaces));
        }
        Ok(())
    }

    /// The namespaces of an element end with it.
    fn forget(&mut self, spaces: &[&'a str]) {
        for space in spaces {
            if let Some(count) = self.spaces.get_mut(space) {
                *count -= 1;
                if *count == 0 {
                    self.spaces.remove(space);
                }
            }
        }
    }

    fn attribute(&mut self) -> Read<(&'a str, &'a str)> {
        let key = self.name()?;
        self.blanks();
        if !self.take("=") {
            return Err(format!("the attribute `{}` has no value", short(key)));
        }
        self.blanks();
        let quote = ["\"", "'"].into_iter().find(|quote| self.take(quote));
        let quote = quote.ok_or_else(|| format!("the value of `{}` is not in quotes", short(key)))?;
        let value = self.until(quote, &format!("the value of `{}`", short(key)))?;
        if value.contains('<') {
            return Err(format!("the value of `{}` contains `<`", short(key)));
        }
        entities(value)?;
        Ok((key, value))
    }
}

/// The beginning of a name, short enough for a sentence.
fn short(name: &str) -> &str {
    name.char_indices().nth(SHOWN).map_or(name, |(end, _)| &name[..end])
}

fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Only the five named entities and numbers of characters are known.
fn entities(text: &str) -> Read<()> {
    for part in text.split('&').skip(1) {
        let name = part.split_once(';').map(|(name, _)| name).ok_or("there is a `&` that begins no entity")?;
        let number = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            },
            None => None,
        };
        let character = number.and_then(char::from_u32).is_some_and(allowed);
        if !character && !matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
            return Err(format!("the entity `&{};` is not known", short(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;

    fn fault(text: &str) -> Option<String> {
        read(text, |_| {}).err()
    }

    #[test]
    fn documents_that_are_well_formed_are_read() {
        let mut names = Vec::new();
        let text = "<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE svg>\n<s:svg xmlns:s='x' viewBox=\"0 0 1 1\">\n<g a='&lt;&#65;'/><![CDATA[<>]]></s:svg>\n";
        read(text, |element| names.push((element.name.to_owned(), element.root))).unwrap();
        assert_eq!(names, [("svg".to_owned(), true), ("g".to_owned(), false)]);
    }

    #[test]
    fn nesting_is_read_up_to_its_limit() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(fault(&nested(super::MOST_DEPTH)), None);
        assert!(fault(&nested(super::MOST_DEPTH + 1)).is_some_and(|fault| fault.contains("more than 256 deep")));
        assert!(fault(&"<a>".repeat(300_000)).is_some_and(|fault| fault.contains("more than 256 deep")));
    }

    #[test]
    fn a_namespace_ends_with_its_element() {
        let text = "<a><b xmlns:x='1'><c xmlns:x='2'/><x:d/></b></a>";
        assert_eq!(fault(text), None);
        let after = "<a><b xmlns:x='1'><c xmlns:x='2'/></b><x:d/></a>";
        assert!(fault(after).is_some_and(|fault| fault.contains("`x:d` is not declared")));
    }

    #[test]
    fn what_is_not_well_formed_is_named() {
        for (text, part) in [
            ("", "no element"),
            ("<a>", "`a` is not closed"),
            ("<a></b>", "closed by `b`"),
            ("<a/><b/>", "second root"),
            ("<a/>x", "outside the root"),
            ("<a b='1' b='2'/>", "`b` twice"),
            ("<a b=1/>", "not in quotes"),
            ("<a b/>", "no value"),
            ("<a b='<'/>", "contains `<`"),
            ("<a>&nbsp;</a>", "`&nbsp;` is not known"),
            ("<a>&</a>", "begins no entity"),
            ("<x:a/>", "not declared"),
            ("<a>\n<b>\n</a>", "on line 3"),
            ("<a b='1'c='2'/>", "not apart"),
            ("<!-- -- --><a/>", "contains `--`"),
            ("<1/>", "a name that is none"),
            ("<a>\u{1}</a>", "U+0001"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "declarations of its own"),
        ] {
            assert!(fault(text).is_some_and(|fault| fault.contains(part)), "{text:?}: {:?}", fault(text));
        }
    }
}
