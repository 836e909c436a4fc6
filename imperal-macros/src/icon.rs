//! V21: the icon is a well-formed SVG with a `viewBox`, at most 100 KiB, without a raster image.
//!
//! Owns a small XML reader: just enough to say whether a file is well-formed and what its elements
//! and attributes are called. It resolves no entities and reads no other file.

use std::path::Path;

const LARGEST: u64 = 102_400;

/// Checks the file at `path` in `folder`.
pub(crate) fn check(folder: &Path, path: &str) -> Result<(), String> {
    if !Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
        return Err("the icon is an SVG: its path ends in `.svg` (V21)".to_owned());
    }
    let file = folder.join(path);
    let Ok(metadata) = file.metadata() else {
        return Err(format!(
            "there is no file `{path}` beside Cargo.toml: the icon's path is counted from there (V21)"
        ));
    };
    if metadata.len() > LARGEST {
        return Err(format!("the icon has {} bytes and may have {LARGEST}: simplify it (V21)", metadata.len()));
    }
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("the icon cannot be read as text: {error} (V21)"))?;
    svg(&text).map_err(|fault| format!("`{path}` {fault} (V21)"))
}

/// Checks an SVG's text.
fn svg(text: &str) -> Result<(), String> {
    let mut reader = Reader { text, at: 0 };
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    while let Some(tag) = reader.next_tag(!open.is_empty())? {
        match tag {
            Tag::Close(name) => match open.pop() {
                Some(opened) if opened == name => {}
                Some(opened) => return Err(reader.fault(&format!("closes `{name}` where `{opened}` is open"))),
                None => return Err(reader.fault(&format!("closes `{name}`, which is not open"))),
            },
            Tag::Open { name, attributes, closed } => {
                if open.is_empty() {
                    roots += 1;
                    if roots > 1 {
                        return Err(reader.fault("has a second root element"));
                    }
                    root(name, &attributes)?;
                }
                raster(name, &attributes)?;
                if !closed {
                    open.push(name);
                }
            }
        }
    }
    match open.last() {
        Some(name) => Err(format!("is not well-formed XML: `{name}` is never closed")),
        None if roots == 0 => Err("is not well-formed XML: it has no element".to_owned()),
        None => Ok(()),
    }
}

fn root(name: &str, attributes: &[(&str, &str)]) -> Result<(), String> {
    if local(name) != "svg" {
        return Err(format!("is no SVG: its root element is `{name}`"));
    }
    if !attributes.iter().any(|(name, _)| *name == "viewBox") {
        return Err(
            "has no `viewBox`, so it cannot be scaled: add one to its root, such as viewBox=\"0 0 24 24\"".to_owned()
        );
    }
    Ok(())
}

fn raster(name: &str, attributes: &[(&str, &str)]) -> Result<(), String> {
    let embedded = local(name) == "image"
        && attributes.iter().any(|(name, value)| {
            local(name) == "href" && value.trim_start().starts_with("data:image") && value.contains("base64")
        });
    if embedded {
        return Err("embeds a raster image: draw it with paths".to_owned());
    }
    Ok(())
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

enum Tag<'a> {
    Open { name: &'a str, attributes: Vec<(&'a str, &'a str)>, closed: bool },
    Close(&'a str),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, text: &str) -> String {
        let line = self.text[..self.at].lines().count().max(1);
        format!("is not well-formed XML: line {line} {text}")
    }

    /// The next tag; text, comments, CDATA, instructions and the document type are passed over.
    fn next_tag(&mut self, inside: bool) -> Result<Option<Tag<'a>>, String> {
        loop {
            let rest = self.rest();
            let Some(start) = rest.find('<') else {
                self.text_between(rest, inside)?;
                self.at = self.text.len();
                return Ok(None);
            };
            self.text_between(&rest[..start], inside)?;
            self.at += start;
            let rest = self.rest();
            let passed =
                [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")].iter().find(|(open, _)| rest.starts_with(open));
            if let Some((open, close)) = passed {
                let Some(end) = rest[open.len()..].find(close) else {
                    return Err(self.fault(&format!("begins `{open}`, which is never closed")));
                };
                self.at += open.len() + end + close.len();
            } else if rest.starts_with("<!DOCTYPE") {
                self.document_type()?;
            } else if let Some(name) = rest.strip_prefix("</") {
                let Some(end) = name.find('>') else { return Err(self.fault("has a tag that never ends")) };
                self.at += 2 + end + 1;
                return Ok(Some(Tag::Close(name[..end].trim_end())));
            } else {
                self.at += 1;
                return self.open_tag().map(Some);
            }
        }
    }

    fn text_between(&self, text: &str, inside: bool) -> Result<(), String> {
        if !inside && !text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() {
            return Err(self.fault("has text outside the root element"));
        }
        entities(text).map_err(|fault| self.fault(&fault))
    }

    fn document_type(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        for (index, c) in self.rest().char_indices() {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                '>' if depth == 0 => {
                    self.at += index + 1;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.fault("has a document type that never ends"))
    }

    fn open_tag(&mut self) -> Result<Tag<'a>, String> {
        let name = self.name().ok_or_else(|| self.fault("has a `<` that begins no tag: write `&lt;`"))?;
        let mut attributes: Vec<(&str, &str)> = Vec::new();
        loop {
            let before = self.rest();
            let rest = before.trim_start();
            self.at += before.len() - rest.len();
            if rest.starts_with("/>") {
                self.at += 2;
                return Ok(Tag::Open { name, attributes, closed: true });
            }
            if rest.starts_with('>') {
                self.at += 1;
                return Ok(Tag::Open { name, attributes, closed: false });
            }
            let spaced = before.len() > rest.len();
            let attribute = self.attribute(name, spaced)?;
            if attributes.iter().any(|(name, _)| *name == attribute.0) {
                return Err(self.fault(&format!("gives `{}` twice", attribute.0)));
            }
            attributes.push(attribute);
        }
    }

    fn attribute(&mut self, tag: &str, spaced: bool) -> Result<(&'a str, &'a str), String> {
        if self.rest().is_empty() {
            return Err(self.fault(&format!("begins `{tag}`, whose tag never ends")));
        }
        let fault = |reader: &Self| reader.fault(&format!("has a faulty attribute in `{tag}`"));
        let name = self.name().filter(|_| spaced).ok_or_else(|| fault(self))?;
        let after = self.rest().trim_start();
        let value = after.strip_prefix('=').map(str::trim_start).ok_or_else(|| fault(self))?;
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(|| fault(self))?;
        let end = value[1..].find(quote).ok_or_else(|| fault(self))?;
        let text = &value[1..=end];
        self.at = self.text.len() - value.len() + end + 2;
        if text.contains('<') {
            return Err(self.fault(&format!("has a `<` inside an attribute of `{tag}`: write `&lt;`")));
        }
        entities(text).map_err(|fault| self.fault(&fault))?;
        Ok((name, text))
    }

    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let starts = |c: char| c.is_alphabetic() || c == '_' || c == ':';
        let goes_on = |c: char| starts(c) || c.is_numeric() || c == '-' || c == '.';
        rest.starts_with(starts).then(|| {
            let end = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
            self.at += end;
            &rest[..end]
        })
    }
}

/// Every `&` begins an entity.
fn entities(text: &str) -> Result<(), String> {
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().unwrap_or_default();
        let fits = after.len() > name.len()
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#' || c == '_' || c == '-' || c == '.');
        if !fits {
            return Err("has a bare `&`: write `&amp;`".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn what_drawing_programs_write_is_accepted() {
        for good in [
            r#"<svg viewBox="0 0 1 1"/>"#,
            "\u{feff}<?xml version='1.0'?>\n<!DOCTYPE svg PUBLIC \"a\" \"b\" [<!ENTITY x \"y\">]>\n<!-- c > -->\n<svg xmlns='u' viewBox='0 0 1 1' ><g a:b=\"1\"><path d = 'M0 0'/></g>\n<style><![CDATA[a<b]]></style><text>a &amp; b &#169;</text></svg>\n",
            r#"<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><s:image href="a.png"/></s:svg>"#,
            r#"<svg viewBox="0 0 1 1"><title>größe > 1</title></svg>"#,
        ] {
            assert_eq!(svg(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        for (bad, said) in [
            ("", "no element"),
            ("hello", "text outside"),
            (r#"<svg viewBox="0 0 1 1">"#, "`svg` is never closed"),
            (r#"<svg viewBox="0 0 1 1"><g></svg></g>"#, "closes `svg` where `g` is open"),
            ("</svg>", "closes `svg`, which is not open"),
            (r#"<svg viewBox="0 0 1 1"/><svg/>"#, "second root"),
            ("<html/>", "root element is `html`"),
            ("<svg/>", "no `viewBox`"),
            (r#"<svg viewbox="0 0 1 1"/>"#, "no `viewBox`"),
            ("<svg viewBox=0/>", "faulty attribute in `svg`"),
            (r#"<svg viewBox="0 0 1 1"id="a"/>"#, "faulty attribute in `svg`"),
            (r#"<svg viewBox="0 0 1 1" viewBox="0"/>"#, "gives `viewBox` twice"),
            (r#"<svg viewBox="0 0 1 1"#, "faulty attribute"),
            (r#"<svg viewBox="0 0 1 1" "#, "whose tag never ends"),
            (r#"<svg viewBox="0 0 1 1"><!-- </svg>"#, "`<!--`, which is never closed"),
            ("<svg viewBox=\"0 0 1 1\">\n a & b</svg>", "bare `&`"),
            ("<svg viewBox=\"0 0 1 1\">\n 1 < 2</svg>", "line 2 has a `<`"),
            (r#"<svg viewBox="0 0 1 1"><image xlink:href="data:image/png;base64,AA"/></svg>"#, "raster"),
        ] {
            let fault = svg(bad).unwrap_err();
            assert!(fault.contains(said), "{bad}: {fault}");
        }
    }

    #[test]
    fn no_prefix_of_a_file_makes_the_reader_panic() {
        let text = "<?xml?><!DOCTYPE svg [x]><svg viewBox='0 0 1 1'><!--é--><g a=\"ü\"><![CDATA[<]]></g>&amp;</svg>";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(svg(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
}
