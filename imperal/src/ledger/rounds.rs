//! The turns of a queue: which owner is next, and how many tasks are before another.
//!
//! Each backend reads the owners that wait and asks here; PostgreSQL's claim has the same order as a function in the
//! database. Knows no storage.

use std::hash::{BuildHasher, Hash, RandomState};

/// An owner with ready tasks in a queue. `O` names an owner as the backend does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitingOwner<O> {
    pub(super) owner: O,
    /// The number of the queue's turn in which it was served last. Before that, the turn before the queue's latest
    /// one when its first task came: if each new owner were before all that wait, many of them would let those starve.
    pub(super) served: i64,
    /// When the first of its tasks became ready.
    pub(super) first_ready_at: i64,
    /// How many of its tasks are ready.
    pub(super) ready: u64,
}

impl<O> WaitingOwner<O> {
    /// Whether the owner's turn comes before another's.
    fn is_before(&self, other: &Self) -> bool {
        (self.served, self.first_ready_at) < (other.served, other.first_ready_at)
    }
}

/// A number for something, another one each time: so that no name is always the first.
pub(super) fn lot(of: impl Hash) -> u64 {
    RandomState::new().hash_one(of)
}

/// True in half of all cases.
pub(super) fn by_chance() -> bool {
    lot(0_u8).is_multiple_of(2)
}

/// How many tasks of queues a claim takes before it looks at other tasks: half of them. If it takes one task only,
/// chance decides which it looks at first, so that neither kind starves.
pub(super) fn first_share(limit: usize) -> usize {
    if limit == 1 { usize::from(by_chance()) } else { limit.div_ceil(2) }
}

/// Sorts owners by their turns.
pub(super) fn sort_by_turn<O>(owners: &mut [WaitingOwner<O>]) {
    owners.sort_by_key(|owner| (owner.served, owner.first_ready_at));
}

/// For each ready task of an owner, in order, how many tasks of the queue are before it: each round serves one task of
/// each owner.
pub(super) fn places<O: PartialEq>(owners: &[WaitingOwner<O>], of: &O) -> Vec<u32> {
    let Some(own) = owners.iter().find(|waiting| waiting.owner == *of) else { return Vec::new() };
    let others: Vec<&WaitingOwner<O>> = owners.iter().filter(|waiting| waiting.owner != *of).collect();
    let before = |round: u64| {
        let served = others.iter().map(|other| other.ready.min(round + u64::from(other.is_before(own))));
        u32::try_from(served.fold(round, u64::saturating_add)).unwrap_or(u32::MAX)
    };
    (0..own.ready).map(before).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(owner: &str, served: i64, first_ready_at: i64, ready: u64) -> WaitingOwner<&str> {
        WaitingOwner { owner, served, first_ready_at, ready }
    }

    #[test]
    fn each_round_serves_every_owner_once() {
        let owners = [owner("greedy", 9, 1, 1000), owner("anna", 0, 5, 2), owner("ben", 0, 7, 3)];
        assert_eq!(places(&owners, &"anna"), [0, 3]);
        assert_eq!(places(&owners, &"ben"), [1, 4, 6]);
        assert_eq!(places(&owners, &"greedy")[..4], [2, 5, 7, 8]);
        assert_eq!(places(&owners, &"none"), [0_u32; 0]);
    }

    #[test]
    fn owner_served_longest_ago_is_first_and_then_the_one_ready_first() {
        let mut owners = [owner("c", 2, 1, 1), owner("b", 1, 9, 1), owner("a", 1, 3, 1), owner("new", 0, 20, 1)];
        sort_by_turn(&mut owners);
        assert_eq!(owners.map(|owner| owner.owner), ["new", "a", "b", "c"]);
    }
}
