//! Limits a process to a share of a core with control groups (version 1 or 2, needs root).
//!
//! A machine with two cores cannot show how four nodes with a core each would scale. Nodes with a tenth of
//! a core each can: each node is limited by its own share, and the database is not yet saturated.

use std::path::{Path, PathBuf};

/// Period of the quota, in µs. Short, so that a node that has used its quota does not pause for long; the
/// kernel's smallest quota is 1 ms.
const PERIOD: u32 = 20_000;

/// The limit of a process, removed on drop.
pub(crate) struct Share(PathBuf);

impl Share {
    /// Limits the process to this percentage of a core.
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
            // A process that has ended meanwhile is in no group.
            let _ = everybody.as_ref().map(|everybody| std::fs::write(everybody, process));
        }
        if let Err(error) = std::fs::remove_dir(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
