//! A part of a core for a process, by the kernel's control groups (version 1 or 2, needs root).
//!
//! Two cores cannot show what four nodes with a core each would do. Nodes that may take a tenth of a
//! core each can: what they wait for is then their own share, and the database is not yet full.

use std::path::{Path, PathBuf};

/// How often the share is dealt out, in µs. Short, so that a node that has used its own does not
/// stand still for long; the kernel deals out no less than 1 ms.
const PERIOD: u32 = 20_000;

/// Holds a process to its share until dropped.
pub(crate) struct Share(PathBuf);

impl Share {
    /// Gives the process so many hundredths of a core.
    pub(crate) fn of(pid: u32, hundredths: u32) -> std::io::Result<Self> {
        let quota = PERIOD * hundredths / 100;
        let first = Path::new("/sys/fs/cgroup/cpu");
        let (root, limits) = if first.join("cgroup.procs").exists() {
            (first, vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota.to_string())])
        } else {
            (Path::new("/sys/fs/cgroup"), vec![("cpu.max", format!("{quota} {PERIOD}"))])
        };
        let share = Self(root.join(format!("imperal-bench-{pid}")));
        std::fs::create_dir(&share.0)?;
        for (name, value) in limits {
            std::fs::write(share.0.join(name), value)?;
        }
        std::fs::write(share.0.join("cgroup.procs"), pid.to_string())?;
        Ok(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let everybody = self.0.parent().map(|root| root.join("cgroup.procs"));
        let processes = std::fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines() {
            // One that has ended meanwhile is in no group.
            let _ = everybody.as_ref().map(|everybody| std::fs::write(everybody, process));
        }
        if let Err(error) = std::fs::remove_dir(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
