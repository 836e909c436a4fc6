//! The rules on an icon's file: a small SVG of paths, not an embedded picture (V21).

use crate::limits::ICON_BYTES;
use crate::xml::read_xml;

/// A violation of V21.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SvgFault {
    /// Completes a sentence that begins with the name of the icon: ``has no `viewBox` ``.
    pub fault: String,
    /// The remedy.
    pub fix: &'static str,
}

impl SvgFault {
    fn new(fault: impl Into<String>, fix: &'static str) -> Self {
        Self { fault: fault.into(), fix }
    }
}

/// Whether a path ends in `.svg`, in any case.
#[must_use]
pub fn has_svg_extension(path: &str) -> bool {
    path.to_lowercase().ends_with(".svg")
}

/// The fault of a file of this size, if it is too large.
#[must_use]
pub fn size_fault(bytes: u64) -> Option<SvgFault> {
    (bytes > ICON_BYTES).then(|| {
        let fault = format!("has {bytes} bytes; the limit is {ICON_BYTES}");
        SvgFault::new(fault, "simplify its paths and remove the data of the drawing program")
    })
}

/// Every fault of an icon's file.
///
/// ```
/// use imperal_manifest::svg::svg_faults;
///
/// assert!(svg_faults(b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>").is_empty());
/// assert_eq!(svg_faults(b"<svg/>")[0].fault, "has no `viewBox`");
/// ```
#[must_use]
pub fn svg_faults(file: &[u8]) -> Vec<SvgFault> {
    let mut faults: Vec<SvgFault> = size_fault(u64::try_from(file.len()).unwrap_or(u64::MAX)).into_iter().collect();
    let Ok(document) = std::str::from_utf8(file) else {
        faults.push(SvgFault::new("is not UTF-8", "save it as UTF-8"));
        return faults;
    };
    let mut root = None;
    let mut has_raster = false;
    let read = read_xml(document, |element| {
        if element.is_root {
            root = Some((element.name.to_owned(), element.attribute("viewBox").is_some_and(|value| !value.is_empty())));
        }
        let is_data_url = |value: &str| value.trim_start().starts_with("data:image") && value.contains("base64");
        let is_link = |name: &str| name.rsplit(':').next() == Some("href");
        has_raster |= element.name == "image"
            && element.attributes.iter().any(|(name, value)| is_link(name) && is_data_url(value));
    });
    if let Err(fault) = read {
        faults.push(SvgFault::new(format!("is not well-formed XML: {fault}"), "correct it, or export it again"));
        return faults;
    }
    if let Some((name, has_view_box)) = root {
        if name != "svg" {
            faults.push(SvgFault::new(format!("has the root element `{name}`"), "the root must be `<svg>`"));
        }
        if !has_view_box {
            let fix = "add one to `<svg>`, `viewBox=\"0 0 24 24\"` for example";
            faults.push(SvgFault::new("has no `viewBox`", fix));
        }
    }
    if has_raster {
        faults.push(SvgFault::new("embeds a raster image", "draw it with paths"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::svg_faults;

    #[test]
    fn accepts_drawings_with_a_view_box() {
        for icon in [
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><path d='M0'/></svg>",
            r#"<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><s:image href="a.png"/></s:svg>"#,
        ] {
            assert!(svg_faults(icon.as_bytes()).is_empty(), "{icon}");
        }
    }

    #[test]
    fn names_each_fault() {
        let cases: [(&[u8], &str); 8] = [
            (b"<svg/>", "no `viewBox`"),
            (b"<svg viewbox='0 0 1 1'/>", "no `viewBox`"),
            (b"<svg viewBox=''/>", "no `viewBox`"),
            (b"<html viewBox='0 0 1 1'/>", "root element `html`"),
            (b"<svg viewBox='0 0 1 1'>", "not well-formed"),
            (b"\x89PNG", "not UTF-8"),
            (b"<svg viewBox='0 0 1 1'><image href='data:image/png;base64,AA'/></svg>", "raster image"),
            (
                b"<svg viewBox='0 0 1 1' xmlns:xlink='x'><image xlink:href=' data:image/png;base64,AA'/></svg>",
                "raster image",
            ),
        ];
        for (icon, part) in cases {
            let found = svg_faults(icon);
            assert!(found.len() == 1 && found[0].fault.contains(part), "{found:?}");
        }
        let large = format!("<svg viewBox='0 0 1 1'>{}</svg>", " ".repeat(102_400));
        assert!(svg_faults(large.as_bytes())[0].fault.contains("the limit is 102400"));
    }
}
