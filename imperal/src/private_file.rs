//! Files of the data folder: readable and writable by their owner only.
//!
//! Owns creating, opening, reading and replacing such files. A new file has mode 0600, a new folder 0700. A symbolic
//! link in the place of a file is refused, because it could lead anywhere. Existing files and folders keep their mode;
//! [`warn_about`] logs those that other users can access. It does not know the contents.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Creates a folder and its missing parents, for this user only. An existing folder stays unchanged.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file for reading and writing. Creates an empty one if it is missing.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open(path, &mut options)
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] if there is no file, [`io::ErrorKind::InvalidData`] for a larger one.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path, OpenOptions::new().read(true))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        let text = format!("{} is larger than {limit} bytes: delete it", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

/// Writes a whole file, replacing an existing one. After a crash the file has the old content or the new one. One
/// process at a time may do this for a path.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial_of(path);
    // A crash may have left one. Removing a symbolic link does not touch its target.
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = open(&partial, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(partial, path)
}

fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Logs each path that other users of the machine can read or write, or that belongs to another user, with the command
/// that fixes it. Missing paths are skipped.
pub(crate) fn warn_about<'a>(paths: impl IntoIterator<Item = &'a Path>) {
    for concern in paths.into_iter().filter_map(concern) {
        tracing::warn!("{concern}");
    }
}

#[cfg(unix)]
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;
    use rustix::io::Errno;

    // NONBLOCK: opening a pipe without a writer would block forever. It has no effect on files.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
    let refused = |what: &str| {
        let text = format!("{} is {what}: remove it, and a regular file is created in its place", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let file = options.open(path).map_err(|error| {
        // FreeBSD returns EMLINK.
        let link = [Errno::LOOP, Errno::MLINK].map(|errno| Some(errno.raw_os_error()));
        if link.contains(&error.raw_os_error()) { refused("a symbolic link") } else { error }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("not a regular file")) }
}

#[cfg(not(unix))]
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.open(path)
}

/// The problem of a file or folder that is not private, and the command that fixes it.
#[cfg(unix)]
fn concern(path: &Path) -> Option<String> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let found = std::fs::metadata(path).ok()?;
    let shown = path.display();
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        return Some(format!(
            "{shown} belongs to user {}, this process runs as user {me}: run `chown {me} {shown}`, or choose another data folder",
            found.uid()
        ));
    }
    let what = match found.permissions().mode() {
        mode if mode & 0o022 != 0 => "changed",
        mode if mode & 0o055 != 0 => "read",
        _ => return None,
    };
    let right = if found.is_dir() { "700" } else { "600" };
    Some(format!("{shown} can be {what} by other users of this machine: run `chmod {right} {shown}`"))
}

#[cfg(not(unix))]
fn concern(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_and_folders_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folder(&inner).unwrap();
        open_or_create(&inner.join("lock")).unwrap();
        replace(&inner.join("key"), b"secret").unwrap();
        assert_eq!((mode(&inner), mode(&folder.path().join("a"))), (0o700, 0o700));
        assert_eq!((mode(&inner.join("lock")), mode(&inner.join("key"))), (0o600, 0o600));
        assert_eq!(read(&inner.join("key"), 6).unwrap(), b"secret");
        assert!(read(&inner.join("key"), 5).unwrap_err().to_string().contains("larger than 5 bytes"));
    }

    #[test]
    fn replaced_file_becomes_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(folder.path().join("links.new"), "left by a crash").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
        assert!(!folder.path().join("links.new").exists());
    }

    #[test]
    fn symbolic_links_are_refused_and_their_targets_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "theirs").unwrap();
        for to in [&target, &folder.path().join("nothing")] {
            let link = folder.path().join("link");
            symlink(to, &link).unwrap();
            for refused in [open_or_create(&link).map(drop), read(&link, 100).map(drop)] {
                let text = refused.unwrap_err().to_string();
                assert!(text.contains("is a symbolic link: remove it"), "{text}");
            }
            // A link is replaced, not followed, also in the place of the partial file.
            symlink(to, folder.path().join("link.new")).unwrap();
            replace(&link, b"ours").unwrap();
            assert_eq!(fs::read(&link).unwrap(), b"ours");
            fs::remove_file(&link).unwrap();
        }
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        assert!(!folder.path().join("nothing").exists());
    }

    #[test]
    fn pipe_is_refused_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let text = read(&pipe, 100).unwrap_err().to_string();
        assert!(text.contains("is not a regular file"), "{text}");
    }

    #[test]
    fn accessible_files_are_logged_with_the_command_that_fixes_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, "").unwrap();
        let said = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            concern(path).unwrap_or_default()
        };
        assert_eq!(said(&path, 0o600), "");
        assert_eq!(said(folder.path(), 0o700), "");
        let shown = path.display();
        assert_eq!(
            said(&path, 0o640),
            format!("{shown} can be read by other users of this machine: run `chmod 600 {shown}`")
        );
        assert!(said(&path, 0o620).contains("can be changed by other users"));
        assert!(said(folder.path(), 0o711).contains("run `chmod 700 "), "a name can be guessed");
        assert_eq!(concern(&folder.path().join("missing")), None);
    }
}
