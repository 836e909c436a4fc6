//! Queues of durable tasks: which tasks of them a claim takes, and what waits in them.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::State;
use super::durable::{Claiming, DurableRow};
use super::tasks::TaskRow;
use crate::ids::TaskId;
use crate::ledger::rounds::{WaitingOwner, lot, places, sort_by_turn};
use crate::ledger::{ClaimRequest, Incarnation, Owner, QueueLoad, QueuePlace, Task, TaskState};

/// The extension and the name of a queue.
pub(super) type QueueKey = (String, String);

/// The turns of a queue.
#[derive(Debug, Default)]
pub(super) struct Turns {
    latest: i64,
    served: HashMap<Owner, i64>,
}

impl Turns {
    /// Gives an owner with a first task its place: before the owner that was served last, and behind the others.
    fn enter(&mut self, owner: &Owner) {
        self.served.entry(owner.clone()).or_insert((self.latest - 1).max(0));
    }

    fn serve(&mut self, owner: &Owner) {
        self.latest += 1;
        self.served.insert(owner.clone(), self.latest);
    }
}

fn key(task: &Task) -> Option<QueueKey> {
    task.queue.as_ref().map(|queue| (task.app_id.clone(), queue.clone()))
}

/// The ready tasks of one owner in a queue.
type ReadyOf = Vec<(Timestamp, u64, TaskId)>;

impl State {
    /// Notes that an owner has a task in a queue.
    pub(super) fn enter_queue(&mut self, owner: &Owner, task: &Task) {
        if let Some(key) = key(task) {
            self.turns.entry(key).or_default().enter(owner);
        }
    }

    /// Takes up tasks of queues, until the claim has this many.
    pub(super) fn claim_from_queues(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        claiming: &mut Claiming,
        most: usize,
        now: Timestamp,
    ) {
        let mut queues: BTreeMap<QueueKey, HashMap<Owner, ReadyOf>> = BTreeMap::new();
        for row in self.open_rows() {
            if let Some(key) = key(&row.record.task)
                && let Some((at, is_suspect)) = self.claimable_from(row, incarnation, request, now)
                && (claiming.suspect || !is_suspect)
            {
                let of_owner = queues.entry(key).or_default().entry(row.record.owner.clone()).or_default();
                of_owner.push((at, row.order, row.record.task.task_id));
            }
        }
        let mut queues: Vec<_> = queues.into_iter().collect();
        queues.sort_by_cached_key(|(key, _)| lot(key));
        for (key, ready) in queues {
            self.claim_from_queue(incarnation, request, claiming, most, (&key, ready), now);
        }
    }

    fn claim_from_queue(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        claiming: &mut Claiming,
        most: usize,
        (key, mut ready): (&QueueKey, HashMap<Owner, ReadyOf>),
        now: Timestamp,
    ) {
        let (at_most, per_user) = request.limits_of(&key.0, &key.1);
        let mut held: HashMap<Owner, u32> = HashMap::new();
        for row in self.open_rows().filter(|row| row.record.task.state.is_held()) {
            if row.record.task.queue.as_ref() == Some(&key.1) && row.record.task.app_id == key.0 {
                *held.entry(row.record.owner.clone()).or_default() += 1;
            }
        }
        let mut free = at_most.saturating_sub(held.values().sum());
        for tasks in ready.values_mut() {
            tasks.sort_unstable();
        }
        let mut owners = self.waiting_owners(key, &ready);
        sort_by_turn(&mut owners);
        let mut owners: Vec<Owner> = owners.into_iter().map(|waiting| waiting.owner).collect();
        while free > 0 && !owners.is_empty() {
            owners.retain(|owner| {
                let tasks = ready.get_mut(owner).filter(|tasks| !tasks.is_empty());
                let Some(tasks) = tasks.filter(|_| held.get(owner).copied().unwrap_or(0) < per_user) else {
                    return false;
                };
                if free == 0 || claiming.claimed.len() >= most {
                    return false;
                }
                while !tasks.is_empty() {
                    let (.., task_id) = tasks.remove(0);
                    if self.try_claim(incarnation, request, claiming, task_id, now) {
                        self.turns.entry(key.clone()).or_default().serve(owner);
                        *held.entry(owner.clone()).or_default() += 1;
                        free -= 1;
                        return true;
                    }
                }
                false
            });
        }
    }

    fn waiting_owners(&self, key: &QueueKey, ready: &HashMap<Owner, ReadyOf>) -> Vec<WaitingOwner<Owner>> {
        let turns = self.turns.get(key);
        let waiting = ready.iter().map(|(owner, tasks)| WaitingOwner {
            owner: owner.clone(),
            served: turns.and_then(|turns| turns.served.get(owner)).copied().unwrap_or(0),
            first_ready_at: tasks.iter().map(|(at, ..)| at.as_microsecond()).min().unwrap_or_default(),
            ready: tasks.len() as u64,
        });
        waiting.collect()
    }

    /// Since when the task is ready, if a free slot is all that it waits for: it is not stuck, its name not paused, and it is
    /// no suspect.
    fn waits_since(&self, row: &TaskRow, now: Timestamp) -> Option<Timestamp> {
        let task = &row.record.task;
        let waits_otherwise =
            |durable: &DurableRow| durable.is_suspect() || self.is_paused(&durable.name(&task.app_id));
        let waits_otherwise = row.durable.as_ref().is_some_and(waits_otherwise);
        task.ready_at.filter(|at| *at <= now && task.state != TaskState::Stuck && !waits_otherwise)
    }

    /// The ready tasks of each queue, by owner and in order.
    fn ready_in_queues(&self, now: Timestamp) -> BTreeMap<QueueKey, HashMap<Owner, ReadyOf>> {
        let mut queues: BTreeMap<QueueKey, HashMap<Owner, ReadyOf>> = BTreeMap::new();
        for row in self.open_rows() {
            let task = &row.record.task;
            if let (Some(key), Some(at)) = (key(task), self.waits_since(row, now)) {
                let of_owner = queues.entry(key).or_default().entry(row.record.owner.clone()).or_default();
                of_owner.push((at, row.order, task.task_id));
            }
        }
        queues.values_mut().flat_map(HashMap::values_mut).for_each(|tasks| tasks.sort_unstable());
        queues
    }

    pub(in crate::ledger::memory) fn queue_places(&self, owner: &Owner, now: Timestamp) -> Vec<QueuePlace> {
        let mut found = Vec::new();
        for (key, ready) in self.ready_in_queues(now) {
            let Some(own) = ready.get(owner) else { continue };
            let places = places(&self.waiting_owners(&key, &ready), owner);
            found.extend(own.iter().zip(places).map(|((.., task_id), before)| QueuePlace::new(*task_id, before)));
        }
        found
    }

    pub(in crate::ledger::memory) fn queue_loads(&self, now: Timestamp) -> Vec<QueueLoad> {
        let mut loads: BTreeMap<QueueKey, QueueLoad> = BTreeMap::new();
        for row in self.tasks.values() {
            let Some(key) = key(&row.record.task) else { continue };
            let load = loads.entry(key.clone()).or_insert_with(|| QueueLoad::new(key.0, key.1));
            let task = &row.record.task;
            load.running += u64::from(task.state.is_held());
            if let Some(at) = self.waits_since(row, now) {
                load.ready = (load.ready + 1).min(QueueLoad::MOST_READY.into());
                load.oldest_ready_at = load.oldest_ready_at.into_iter().chain([at]).min();
            }
        }
        loads.into_values().collect()
    }
}
