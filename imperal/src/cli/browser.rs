//! Opens the page of `dev` in the person's browser.
//!
//! Owns when that helps: on a desktop, for a person at a terminal. The link signs a browser in, and other users of the
//! machine can see command lines. So the browser is given a private file of the data folder that leads to the link.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::private_file;

/// The file that leads to the link.
const FILE: &str = "open.html";

/// Whether this process has a desktop in front of a person: no CI, no SSH, and on Unix a display.
pub(super) fn has_desktop() -> bool {
    is_desktop(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false"))
}

fn is_desktop(is_set: impl Fn(&str) -> bool) -> bool {
    let elsewhere = ["CI", "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(&is_set);
    let has_display = cfg!(any(windows, target_os = "macos")) || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set);
    has_display && !elsewhere
}

/// A file that leads a browser to a link. It is removed when the value is dropped.
#[derive(Debug)]
pub(super) struct LinkFile(PathBuf);

impl LinkFile {
    /// Writes the file into the data folder.
    pub(super) fn write(folder: &Path, link: &str) -> io::Result<Self> {
        let path = std::path::absolute(folder.join(FILE))?;
        let page = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=referrer content=no-referrer>\
             <meta http-equiv=refresh content=\"0;url={link}\"><title>Opening</title><a href=\"{link}\">Open the page</a></html>\n"
        );
        private_file::replace(&path, page.as_bytes())?;
        Ok(Self(path))
    }

    /// Starts the system's program for opening files, without waiting for it.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for (program, args) in OPENERS {
            let mut command = Command::new(program);
            command.args(*args).arg::<&OsStr>(self.0.as_ref());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            match command.spawn() {
                Ok(mut child) => {
                    // Without a wait the ended child stays in the table of processes.
                    std::thread::spawn(move || child.wait());
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Drop for LinkFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Programs that open a file as a double click would; the first that exists is used.
#[cfg(target_os = "macos")]
const OPENERS: &[(&str, &[&str])] = &[("open", &[])];
#[cfg(windows)]
const OPENERS: &[(&str, &[&str])] = &[("rundll32", &["url.dll,FileProtocolHandler"])];
#[cfg(not(any(windows, target_os = "macos")))]
const OPENERS: &[(&str, &[&str])] = &[("xdg-open", &[]), ("gio", &["open"]), ("wslview", &[])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(any(windows, target_os = "macos")))]
    fn needs_a_display_and_no_ssh_or_ci() {
        for (set, opens) in [
            (&["DISPLAY"][..], true),
            (&["WAYLAND_DISPLAY"], true),
            (&[], false),
            (&["DISPLAY", "CI"], false),
            (&["DISPLAY", "SSH_CONNECTION"], false),
            (&["DISPLAY", "SSH_TTY"], false),
        ] {
            assert_eq!(is_desktop(|name| set.contains(&name)), opens, "{set:?}");
        }
    }

    #[test]
    fn file_leads_to_the_link_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = LinkFile::write(folder.path(), "http://127.0.0.1:1/open/abc").unwrap();
        let page = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(page.contains("content=\"0;url=http://127.0.0.1:1/open/abc\""), "{page}");
        drop(file);
        assert!(!folder.path().join(FILE).exists());
    }
}
