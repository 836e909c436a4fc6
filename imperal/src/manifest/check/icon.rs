//! The icon: a small SVG, drawn and not embedded (V21, M28).
//!
//! Owns where it is looked for and what it must be.

use std::path::Path;

use serde_json::{Map, Value};

use super::rules::{Sink, text};
use super::xml;

const MOST_BYTES: usize = 100 * 1024;

/// Checks the icon that a manifest names, in the extension's folder where that is known.
pub(super) fn check(manifest: &Map<String, Value>, folder: Option<&Path>, sink: &mut Sink) {
    let icon = text(manifest, "icon");
    let at = "icon";
    if icon.is_empty() {
        let message = "the extension has no icon".to_owned();
        sink.error("V21", at, message, "draw an SVG, put it beside Cargo.toml, and name it: `icon: \"icon.svg\"`");
        return;
    }
    if !icon.to_lowercase().ends_with(".svg") {
        sink.error(
            "V21",
            at,
            format!("the icon `{icon}` is not an SVG"),
            "draw it as an SVG: it is shown in many sizes",
        );
        return;
    }
    let Some(folder) = folder else { return };
    let bytes = match std::fs::read(folder.join(icon)) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the icon `{icon}` cannot be read: {error}");
            sink.warn("M28", at, message, format!("put it into {}", folder.display()));
            return;
        }
    };
    for (fault, fix) in faults(&bytes) {
        sink.error("V21", at, format!("the icon `{icon}` {fault}"), fix);
    }
}

fn faults(bytes: &[u8]) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    if bytes.len() > MOST_BYTES {
        let fault = format!("has {} bytes, and {MOST_BYTES} is the most", bytes.len());
        faults.push((fault, "simplify its paths and remove what its editor left in it"));
    }
    let Ok(document) = std::str::from_utf8(bytes) else {
        faults.push(("is not UTF-8".to_owned(), "save it as UTF-8"));
        return faults;
    };
    let mut root = None;
    let mut raster = false;
    let read = xml::read(document, |element| {
        if element.root {
            root = Some((element.name.to_owned(), element.attribute("viewBox").unwrap_or_default().to_owned()));
        }
        let link = element.attribute("href").or_else(|| element.attribute("xlink:href")).unwrap_or_default();
        raster |= element.name == "image" && link.starts_with("data:image") && link.contains("base64");
    });
    if let Err(fault) = read {
        faults.push((format!("is not well-formed XML: {fault}"), "correct it, or export it again"));
        return faults;
    }
    if let Some((name, view_box)) = root {
        if name != "svg" {
            faults.push((format!("has the root element `{name}`"), "the root must be `<svg>`"));
        }
        if view_box.is_empty() {
            faults.push(("has no `viewBox`".to_owned(), "add one to `<svg>`, `viewBox=\"0 0 24 24\"` for example"));
        }
    }
    if raster {
        faults.push(("contains an embedded image".to_owned(), "draw it with paths instead"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn an_icon_is_a_drawing_with_a_view_box() {
        assert!(faults(b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><path d='M0'/></svg>").is_empty());
        let cases: [(&[u8], &str); 6] = [
            (b"<svg/>", "no `viewBox`"),
            (b"<html viewBox='0 0 1 1'/>", "root element `html`"),
            (b"<svg viewBox='0 0 1 1'>", "not well-formed"),
            (b"\x89PNG", "not UTF-8"),
            (b"<svg viewBox='0 0 1 1'><image href='data:image/png;base64,AA'/></svg>", "embedded image"),
            (
                b"<svg viewBox='0 0 1 1' xmlns:xlink='x'><image xlink:href='data:image/png;base64,AA'/></svg>",
                "embedded image",
            ),
        ];
        for (bytes, part) in cases {
            let found = faults(bytes);
            assert!(found.len() == 1 && found[0].0.contains(part), "{found:?}");
        }
        let large = format!("<svg viewBox='0 0 1 1'>{}</svg>", " ".repeat(102_400));
        assert!(faults(large.as_bytes())[0].0.contains("102400 is the most"));
    }
}
