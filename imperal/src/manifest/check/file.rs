//! Reads the files of a check: regular files of a bounded size, and an icon only from its own folder.
//!
//! Owns file types, sizes and the way from an icon's path to a file inside the folder. A manifest
//! may come from anywhere, so the path in it is not trusted. What a file holds is not known here.

use std::fmt;
use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// Largest manifest that is read. The largest real ones have 200 KiB.
pub(in crate::manifest) const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// Largest icon that is read; one above 100 KiB is read to be refused by V21.
pub(super) const ICON_BYTES: u64 = 1024 * 1024;

/// Why a file was not read.
#[derive(Debug)]
pub(in crate::manifest) enum Unread {
    Io(io::Error),
    /// Not a regular file: what it is instead.
    Kind(&'static str),
    TooLarge {
        bytes: u64,
        most: u64,
    },
    /// The path leaves the extension's folder.
    Outside,
}

impl Unread {
    pub(in crate::manifest) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Kind(kind) => write!(f, "it is {kind}, not a file"),
            Self::TooLarge { bytes, most } => write!(f, "it has {bytes} bytes, and {most} is the most"),
            Self::Outside => f.write_str("it is outside the extension's folder"),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes of a regular file of at most `most` bytes.
///
/// The type is checked before the file is opened: opening a named pipe would wait for a writer.
pub(in crate::manifest) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    let metadata = std::fs::metadata(path)?;
    if let Some(kind) = other_kind(metadata.file_type()) {
        return Err(Unread::Kind(kind));
    }
    if metadata.len() > most {
        return Err(Unread::TooLarge { bytes: metadata.len(), most });
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read, and one of the kernel's says that it has no bytes.
    let read = File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    if read > most { Err(Unread::TooLarge { bytes: read, most }) } else { Ok(bytes) }
}

/// The file that a manifest names, when it is inside the folder, links followed.
pub(in crate::manifest) fn inside(folder: &Path, name: &str) -> Result<PathBuf, Unread> {
    let relative = Path::new(name);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(Unread::Outside);
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize()?;
    let path = folder.join(relative).canonicalize()?;
    if path.starts_with(&folder) { Ok(path) } else { Err(Unread::Outside) }
}

/// What is not a regular file, in words.
fn other_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let special = [
            (kind.is_fifo(), "a named pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_char_device() || kind.is_block_device(), "a device"),
        ];
        if let Some((_, name)) = special.into_iter().find(|(is, _)| *is) {
            return Some(name);
        }
    }
    Some(if kind.is_dir() { "a folder" } else { "something else" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_file_of_at_most_the_given_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert!(matches!(read(&path, 3), Err(Unread::TooLarge { bytes: 4, most: 3 })));
        assert!(matches!(read(folder.path(), 4), Err(Unread::Kind("a folder"))));
        assert!(read(&folder.path().join("b"), 4).unwrap_err().is_missing());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn stops_reading_a_file_that_does_not_tell_its_size() {
        assert!(matches!(read(Path::new("/proc/self/maps"), 10), Err(Unread::TooLarge { bytes: 11, most: 10 })));
        assert!(matches!(read(Path::new("/dev/zero"), 10), Err(Unread::Kind("a device"))));
    }

    #[cfg(unix)]
    #[test]
    fn finds_only_what_is_inside_the_folder() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("extension");
        std::fs::create_dir_all(folder.join("art")).unwrap();
        std::fs::write(above.path().join("secret.svg"), "x").unwrap();
        std::fs::write(folder.join("art/icon.svg"), "x").unwrap();
        std::os::unix::fs::symlink(above.path().join("secret.svg"), folder.join("link.svg")).unwrap();
        std::os::unix::fs::symlink(above.path(), folder.join("up")).unwrap();
        std::os::unix::fs::symlink("art/icon.svg", folder.join("same.svg")).unwrap();
        for name in ["art/icon.svg", "./art/icon.svg", "same.svg"] {
            assert!(inside(&folder, name).is_ok(), "{name}");
        }
        let absolute = above.path().join("secret.svg").display().to_string();
        for name in ["../secret.svg", "art/../../secret.svg", "link.svg", "up/secret.svg", &absolute] {
            assert!(matches!(inside(&folder, name), Err(Unread::Outside)), "{name}");
        }
        assert!(inside(&folder, "none.svg").unwrap_err().is_missing());
    }
}
