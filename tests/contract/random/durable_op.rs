//! The operations of durable tasks and their probabilities.

use proptest::prelude::*;

/// One operation. Indices are taken modulo the number of existing rows. `odd` chooses a writer without the right to write.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// A node starts, again if it was there: its earlier process has crashed.
    Join(usize),
    Leave(usize),
    Wait(u64),
    Start(usize),
    Claim {
        node: usize,
        limit: u32,
    },
    Store {
        task: usize,
        odd: usize,
        ordinal: u16,
    },
    Effect {
        task: usize,
        odd: usize,
        kind: usize,
    },
    Ask {
        task: usize,
        odd: usize,
        within: u64,
    },
    Answer {
        question: usize,
        value: usize,
    },
    Close {
        question: usize,
        odd: usize,
        expire: bool,
    },
    HandOver {
        task: usize,
        odd: usize,
    },
    Park {
        task: usize,
        odd: usize,
        seconds: u64,
        questions: usize,
    },
    Finish {
        task: usize,
        odd: usize,
        wrong: bool,
    },
    Cancel(usize),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let n = || 0..1000_usize;
    prop_oneof![
        1 => (0..3_usize).prop_map(Op::Join),
        1 => (0..3_usize).prop_map(Op::Leave),
        3 => (1..40_u64).prop_map(Op::Wait),
        3 => n().prop_map(Op::Start),
        5 => (0..3_usize, 1..4_u32).prop_map(|(node, limit)| Op::Claim { node, limit }),
        4 => (n(), n(), 1..12_u16).prop_map(|(task, odd, ordinal)| Op::Store { task, odd, ordinal }),
        3 => (n(), n(), 0..3_usize).prop_map(|(task, odd, kind)| Op::Effect { task, odd, kind }),
        4 => (n(), n(), 1..90_u64).prop_map(|(task, odd, within)| Op::Ask { task, odd, within }),
        5 => (n(), 0..2_usize).prop_map(|(question, value)| Op::Answer { question, value }),
        1 => (n(), n(), any::<bool>()).prop_map(|(question, odd, expire)| Op::Close { question, odd, expire }),
        2 => (n(), n()).prop_map(|(task, odd)| Op::HandOver { task, odd }),
        5 => (n(), n(), 1..90_u64, n())
            .prop_map(|(task, odd, seconds, questions)| Op::Park { task, odd, seconds, questions }),
        2 => (n(), n(), prop::bool::weighted(0.2)).prop_map(|(task, odd, wrong)| Op::Finish { task, odd, wrong }),
        1 => n().prop_map(Op::Cancel),
    ]
}
