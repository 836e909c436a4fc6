//! The icon: a small SVG, drawn and not embedded, in the extension's own folder (V21, M28, M34).
//!
//! Owns where it is looked for and what it must be. How a file is read is in `file`.

use std::path::Path;

use serde_json::{Map, Value};

use super::file::{self, Unread};
use super::rules::text;
use super::sink::Sink;
use super::xml;

const MOST_BYTES: u64 = 100 * 1024;

/// Checks the icon that a manifest names, in the extension's folder where that is known.
pub(super) fn check(manifest: &Map<String, Value>, folder: Option<&Path>, sink: &mut Sink) {
    let icon = text(manifest, "icon");
    let at = "icon";
    if icon.is_empty() {
        let message = "the extension has no icon".to_owned();
        let fix = sink.advice(
            "draw an SVG, put it beside Cargo.toml, and name it: `icon: \"icon.svg\"`",
            "draw an SVG, put it into the extension's folder, and name it: `Extension(.., icon=\"icon.svg\")`",
        );
        sink.error("V21", at, message, fix);
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
    let bytes = match file::inside(folder, icon).and_then(|path| file::read(&path, file::ICON_BYTES)) {
        Ok(bytes) => bytes,
        Err(Unread::Outside) => {
            let message = format!("the icon `{icon}` is outside the extension's folder, and was not read");
            let fix = format!("put it into {} and name it there: `icon.svg` for example", folder.display());
            sink.error("M34", at, message, fix);
            return;
        }
        Err(Unread::TooLarge { bytes, .. }) => {
            let (fault, fix) = too_large(bytes);
            sink.error("V21", at, format!("the icon `{icon}` {fault}"), fix);
            return;
        }
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

fn too_large(bytes: u64) -> (String, &'static str) {
    let fault = format!("has {bytes} bytes, and {MOST_BYTES} is the most");
    (fault, "simplify its paths and remove what its editor left in it")
}

fn faults(bytes: &[u8]) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > MOST_BYTES {
        faults.push(too_large(size));
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
