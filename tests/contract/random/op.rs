//! The operations and their probabilities.

use proptest::prelude::*;

/// Seconds of a lease that can lapse.
pub(super) const LEASE: u64 = 15;

/// One operation. Indices are taken modulo the number of existing rows.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Join { node: usize, short: bool },
    Renew { incarnation: usize },
    Leave { incarnation: usize },
    Wait { seconds: u64 },
    Accept { incarnation: usize, owner: usize },
    Reply { incarnation: usize, call: usize },
    Start { incarnation: usize, call: usize, owner: Option<usize>, key: Option<usize> },
    Finish { incarnation: usize, task: usize },
    Progress { incarnation: usize, task: usize },
    Cancel { task: usize },
    Inject { owner: usize, fence: Option<(usize, usize, bool)> },
    Orphans { incarnation: usize },
    ReclaimCall { incarnation: usize, call: usize },
    ReclaimTask { incarnation: usize, task: usize },
    ReclaimTasks { incarnation: usize, tasks: Vec<usize> },
    Prune { ages: [Option<u64>; 4], limit: u32 },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let n = || 0..1000_usize;
    prop_oneof![
        2 => (0..3_usize, any::<bool>()).prop_map(|(node, short)| Op::Join { node, short }),
        1 => n().prop_map(|incarnation| Op::Renew { incarnation }),
        1 => n().prop_map(|incarnation| Op::Leave { incarnation }),
        1 => (1..LEASE + 2).prop_map(|seconds| Op::Wait { seconds }),
        5 => (n(), n()).prop_map(|(incarnation, owner)| Op::Accept { incarnation, owner }),
        5 => (n(), n()).prop_map(|(incarnation, call)| Op::Reply { incarnation, call }),
        5 => (n(), n(), prop::option::weighted(0.1, n()), prop::option::of(0..2_usize))
            .prop_map(|(incarnation, call, owner, key)| Op::Start { incarnation, call, owner, key }),
        5 => (n(), n()).prop_map(|(incarnation, task)| Op::Finish { incarnation, task }),
        2 => (n(), n()).prop_map(|(incarnation, task)| Op::Progress { incarnation, task }),
        2 => n().prop_map(|task| Op::Cancel { task }),
        3 => (n(), prop::option::of((n(), n(), any::<bool>()))).prop_map(|(owner, fence)| Op::Inject { owner, fence }),
        2 => n().prop_map(|incarnation| Op::Orphans { incarnation }),
        3 => (n(), n()).prop_map(|(incarnation, call)| Op::ReclaimCall { incarnation, call }),
        3 => (n(), n()).prop_map(|(incarnation, task)| Op::ReclaimTask { incarnation, task }),
        3 => (n(), prop::collection::vec(n(), 0..6))
            .prop_map(|(incarnation, tasks)| Op::ReclaimTasks { incarnation, tasks }),
        1 => (prop::array::uniform4(prop::option::of(0..3 * LEASE)), 1..20_u32)
            .prop_map(|(ages, limit)| Op::Prune { ages, limit }),
    ]
}
