//! The types of files: those that the first bytes show, and those that a browser may show next to the page.

/// How many bytes at the start tell the type.
pub(crate) const HEAD: usize = 512;

/// Types by their first bytes: the place of the mark, the mark, the type.
const MARKS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
];

/// Types that a browser shows without running anything of them.
#[cfg(feature = "platform")]
const SHOWN: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/wav",
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/webm",
    "video/mp4",
    "video/ogg",
    "video/webm",
    "text/plain",
];

const UNKNOWN: &str = "application/octet-stream";

/// The type that the first bytes of a file have.
pub(crate) fn guess(head: &[u8]) -> &'static str {
    let is_riff = head.starts_with(b"RIFF");
    let found = MARKS.iter().find(|(at, mark, kind)| {
        let needs_riff = matches!(*kind, "image/webp" | "audio/wav");
        (!needs_riff || is_riff) && head.get(*at..).is_some_and(|rest| rest.starts_with(mark))
    });
    match found {
        Some((_, _, kind)) => kind,
        None if !head.is_empty() && is_text(head) => "text/plain",
        None => UNKNOWN,
    }
}

/// UTF-8 that may be cut at its end, without controls other than those of text.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && head.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b'))
}

/// The type without its parameters, in small letters; `None` for a text that is no type or says nothing.
pub(crate) fn essence(content_type: &str) -> Option<String> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, of_kind) = essence.split_once('/')?;
    let is_token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let says_something = essence != UNKNOWN && essence.len() <= 127 && is_token(kind) && is_token(of_kind);
    says_something.then_some(essence)
}

/// Whether a browser may show a file of the declared type: a type that runs nothing, and its first bytes are
/// of that type. Otherwise a browser might take it for something else.
#[cfg(feature = "platform")]
pub(crate) fn can_be_shown(declared: &str, head: &[u8]) -> bool {
    let found = guess(head);
    let agrees = declared == found
        || matches!(
            (declared, found),
            ("audio/mp4", "video/mp4") | ("audio/webm", "video/webm") | ("video/ogg", "audio/ogg")
        );
    SHOWN.contains(&declared) && agrees
}

/// Whether a list of types such as `image/*, application/pdf` accepts a type.
pub(crate) fn accepts(list: &str, content_type: &str) -> bool {
    let kind = content_type.split('/').next().unwrap_or_default();
    list.split(',').map(str::trim).any(|accepted| {
        accepted == "*/*" || accepted == content_type || accepted.strip_suffix("/*").is_some_and(|all| all == kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_type() {
        for (head, wanted) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"RIFF....WEBPVP8 ", "image/webp"),
            (b"RIFF....WAVEfmt ", "audio/wav"),
            (b"xxxx....WEBPVP8 ", "text/plain"),
            (b"\0\0\0\x18ftypmp42", "video/mp4"),
            (b"%PDF-1.7", "application/pdf"),
            ("hällo\n".as_bytes(), "text/plain"),
            (&"hä".as_bytes()[..2], "text/plain"),
            (b"\xff\xfe\0", "application/octet-stream"),
            (b"a\0b", "application/octet-stream"),
            (b"", "application/octet-stream"),
        ] {
            assert_eq!(guess(head), wanted, "{head:?}");
        }
    }

    #[cfg(feature = "platform")]
    #[test]
    fn only_harmless_files_that_are_what_they_say_are_shown() {
        let png = b"\x89PNG\r\n\x1a\n";
        assert!(can_be_shown("image/png", png));
        assert!(can_be_shown("text/plain", b"<script>alert(1)</script>"));
        for (declared, head) in [
            ("image/svg+xml", &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..]),
            ("text/html", b"<script>alert(1)</script>"),
            ("image/png", b"<script>alert(1)</script>"),
            ("text/plain", png),
            ("application/pdf", b"%PDF-1.7"),
            ("image/jpeg", png),
            ("image/png", b""),
        ] {
            assert!(!can_be_shown(declared, head), "{declared}");
        }
    }

    #[test]
    fn types_are_read_without_parameters() {
        assert_eq!(essence("Image/PNG; charset=x").as_deref(), Some("image/png"));
        for nothing in ["", "image", "application/octet-stream", "a/b/c", "image/\r\nx", "text/ä", "/", "*/*"] {
            assert_eq!(essence(nothing), None, "{nothing:?}");
        }
        assert!(
            accepts("image/*, application/pdf", "image/png") && accepts("image/*, application/pdf", "application/pdf")
        );
        assert!(accepts("*/*", "x/y") && !accepts("image/*", "imagery/png") && !accepts("", "image/png"));
    }
}
