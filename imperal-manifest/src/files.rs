//! Reads manifests and icons: regular files of a limited size, an icon only from its own folder.
//!
//! A manifest may come from anyone, so the path in it is not trusted.

use std::fmt;
use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::json;
use crate::model::FILE;

/// Most bytes of a manifest. The largest real ones have 200 KiB.
pub const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// Most bytes of an icon that is read. V21 refuses icons of more than 100 KiB.
pub const ICON_BYTES: u64 = 1024 * 1024;

/// Why a file was not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused it.
    Io(io::Error),
    /// It is not a regular file but this, `a folder` for example.
    NotRegular(&'static str),
    /// It has more bytes than the limit.
    TooLarge {
        /// Size of the file, as far as it was read.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The path leads out of the folder.
    Outside,
}

impl FileError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotRegular(kind) => write!(f, "it is {kind}, not a file"),
            Self::TooLarge { bytes, limit } => write!(f, "it has {bytes} bytes; the limit is {limit}"),
            Self::Outside => f.write_str("it is outside the extension's folder"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// The type is checked before the file is opened, because opening a named pipe waits for a writer.
///
/// # Errors
/// When the file is missing, unreadable, not regular or too large.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let metadata = std::fs::metadata(path)?;
    if let Some(kind) = other_kind(metadata.file_type()) {
        return Err(FileError::NotRegular(kind));
    }
    if metadata.len() > limit {
        return Err(FileError::TooLarge { bytes: metadata.len(), limit });
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read, and files of the kernel report a size of 0.
    let read = File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    if read > limit { Err(FileError::TooLarge { bytes: read, limit }) } else { Ok(bytes) }
}

/// The `imperal.json` of a folder, read and parsed once for all comparisons with it.
#[derive(Debug)]
pub struct ManifestFile {
    path: PathBuf,
    content: Result<ManifestText, FileError>,
}

/// The text of a manifest file.
#[derive(Debug)]
#[non_exhaustive]
pub struct ManifestText {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The same, parsed.
    pub value: serde_json::Result<Value>,
}

impl ManifestFile {
    /// Reads the file of this folder, at most [`MANIFEST_BYTES`].
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let content = read_limited(&path, MANIFEST_BYTES).map(|bytes| {
            let value = json::read(&bytes);
            ManifestText { bytes, value }
        });
        Self { path, content }
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's text.
    ///
    /// # Errors
    /// When the file is missing, unreadable, not regular or too large.
    pub fn content(&self) -> Result<&ManifestText, &FileError> {
        self.content.as_ref()
    }
}

/// The file that a manifest names relative to its folder, with symbolic links followed.
///
/// # Errors
/// When the file is missing or outside the folder.
pub fn resolve_inside(folder: &Path, name: &str) -> Result<PathBuf, FileError> {
    let relative = Path::new(name);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(FileError::Outside);
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize()?;
    let path = folder.join(relative).canonicalize()?;
    if path.starts_with(&folder) { Ok(path) } else { Err(FileError::Outside) }
}

/// The kind of a file that is not regular, in words.
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
    fn refuses_files_above_the_limit_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_limited(&path, 4).unwrap(), b"four");
        assert!(matches!(read_limited(&path, 3), Err(FileError::TooLarge { bytes: 4, limit: 3 })));
        assert!(matches!(read_limited(folder.path(), 4), Err(FileError::NotRegular("a folder"))));
        assert!(read_limited(&folder.path().join("b"), 4).unwrap_err().is_missing());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn limits_files_that_report_no_size() {
        assert!(matches!(
            read_limited(Path::new("/proc/self/maps"), 10),
            Err(FileError::TooLarge { bytes: 11, limit: 10 })
        ));
        assert!(matches!(read_limited(Path::new("/dev/zero"), 10), Err(FileError::NotRegular("a device"))));
    }

    #[cfg(unix)]
    #[test]
    fn refuses_paths_out_of_the_folder() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("extension");
        std::fs::create_dir_all(folder.join("art")).unwrap();
        std::fs::write(above.path().join("secret.svg"), "x").unwrap();
        std::fs::write(folder.join("art/icon.svg"), "x").unwrap();
        std::os::unix::fs::symlink(above.path().join("secret.svg"), folder.join("link.svg")).unwrap();
        std::os::unix::fs::symlink(above.path(), folder.join("up")).unwrap();
        std::os::unix::fs::symlink("art/icon.svg", folder.join("same.svg")).unwrap();
        for name in ["art/icon.svg", "./art/icon.svg", "same.svg"] {
            assert!(resolve_inside(&folder, name).is_ok(), "{name}");
        }
        let absolute = above.path().join("secret.svg").display().to_string();
        for name in ["../secret.svg", "art/../../secret.svg", "link.svg", "up/secret.svg", &absolute] {
            assert!(matches!(resolve_inside(&folder, name), Err(FileError::Outside)), "{name}");
        }
        assert!(resolve_inside(&folder, "none.svg").unwrap_err().is_missing());
    }
}
