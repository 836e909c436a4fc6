//! Named places in the code where a test may kill the process or panic.
//!
//! Owns the one hook that every place calls. A program that installs none, as every extension, pays one load
//! of an atomic per place. The test suites' own programs install a hook; what it does at a name is theirs.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Calls the hook at the place `name`, if one is installed.
#[inline]
pub(crate) fn hit(name: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(name);
    }
}

/// Installs the process's hook. The first one stays.
pub fn install(hook: fn(&'static str)) {
    HOOK.get_or_init(|| hook);
}
