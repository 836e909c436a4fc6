//! The operations that are tried, and how likely each is.

use proptest::prelude::*;

/// Seconds of a lease that may run out.
pub(super) const LEASE: u64 = 15;

/// One operation. Indices are taken modulo what there is.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Join { node: usize, short: bool },
    Renew { life: usize },
    Leave { life: usize },
    Wait { seconds: u64 },
    Accept { life: usize, owner: usize },
    Reply { life: usize, call: usize },
    Start { life: usize, call: usize, owner: Option<usize>, key: Option<usize> },
    Finish { life: usize, task: usize },
    Progress { life: usize, task: usize },
    Cancel { task: usize },
    Inject { owner: usize, fence: Option<(usize, usize, bool)> },
    Orphans { life: usize },
    ReclaimCall { life: usize, call: usize },
    ReclaimTask { life: usize, task: usize },
    Prune { ages: [Option<u64>; 4], limit: u32 },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let n = || 0..1000_usize;
    prop_oneof![
        2 => (0..3_usize, any::<bool>()).prop_map(|(node, short)| Op::Join { node, short }),
        1 => n().prop_map(|life| Op::Renew { life }),
        1 => n().prop_map(|life| Op::Leave { life }),
        1 => (1..LEASE + 2).prop_map(|seconds| Op::Wait { seconds }),
        5 => (n(), n()).prop_map(|(life, owner)| Op::Accept { life, owner }),
        5 => (n(), n()).prop_map(|(life, call)| Op::Reply { life, call }),
        5 => (n(), n(), prop::option::weighted(0.1, n()), prop::option::of(0..2_usize))
            .prop_map(|(life, call, owner, key)| Op::Start { life, call, owner, key }),
        5 => (n(), n()).prop_map(|(life, task)| Op::Finish { life, task }),
        2 => (n(), n()).prop_map(|(life, task)| Op::Progress { life, task }),
        2 => n().prop_map(|task| Op::Cancel { task }),
        3 => (n(), prop::option::of((n(), n(), any::<bool>()))).prop_map(|(owner, fence)| Op::Inject { owner, fence }),
        2 => n().prop_map(|life| Op::Orphans { life }),
        3 => (n(), n()).prop_map(|(life, call)| Op::ReclaimCall { life, call }),
        3 => (n(), n()).prop_map(|(life, task)| Op::ReclaimTask { life, task }),
        1 => (prop::array::uniform4(prop::option::of(0..3 * LEASE)), 1..20_u32)
            .prop_map(|(ages, limit)| Op::Prune { ages, limit }),
    ]
}
