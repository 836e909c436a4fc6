//! A model of the ledger with names and sets only.
//!
//! It predicts for each operation whether it is refused and with which error, and counts events, turns and
//! audit rows. It knows no rows, ids or transactions.

use std::collections::HashMap;

use imperal::ledger::LedgerError;

/// The limit of running tasks of an owner.
pub(super) const LIMIT: u32 = 3;

/// A call or a task.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) id: usize,
    pub(super) owner: usize,
    pub(super) incarnation: usize,
    pub(super) settled: bool,
    /// For a task.
    pub(super) call: usize,
    pub(super) asked: bool,
    /// For a task.
    pub(super) key: Option<usize>,
    /// For a call: the number of its turn.
    pub(super) seq: u64,
}

/// The expected state.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    /// The node of each incarnation so far.
    pub(super) incarnations: Vec<usize>,
    pub(super) current: HashMap<usize, (usize, u64)>,
    pub(super) calls: Vec<Piece>,
    pub(super) tasks: Vec<Piece>,
    /// By owner: events, turns, audit rows.
    pub(super) counts: [(u64, usize, usize); 3],
    /// By owner: number and time of each turn so far, and the time of each audit row so far.
    pub(super) turns: [Vec<(u64, u64)>; 3],
    pub(super) audit: [Vec<u64>; 3],
    /// By kind (turns, tasks, events, audit), the moment before which rows may be gone.
    pub(super) cuts: [u64; 4],
}

impl Model {
    pub(super) fn is_current(&self, incarnation: usize) -> bool {
        self.current.get(&self.incarnations[incarnation]).is_some_and(|(current, _)| *current == incarnation)
    }

    pub(super) fn fence(&self, incarnation: usize) -> Result<(), LedgerError> {
        if self.is_current(incarnation) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    pub(super) fn add(&mut self, owner: usize, events: u64, turns: usize, audit: usize) {
        let counts = &mut self.counts[owner];
        *counts = (counts.0 + events, counts.1 + turns, counts.2 + audit);
        // A turn is the last event of its operation.
        let last = (counts.0, self.now);
        self.turns[owner].extend((0..turns).map(|_| last));
        self.audit[owner].extend((0..audit).map(|_| self.now));
    }

    /// Records that retention may remove rows of these ages and must remove older settled rows.
    pub(super) fn prune(&mut self, ages: [Option<u64>; 4]) {
        let [turns, tasks, events, audit] = ages;
        let events = [turns, tasks, events].into_iter().flatten().min();
        for (cut, age) in self.cuts.iter_mut().zip([turns, tasks, events, audit]) {
            *cut = age.map_or(*cut, |age| self.now.saturating_sub(age).max(*cut));
        }
    }

    /// Whether this is a call with a running task.
    pub(super) fn at_work(&self, piece: &Piece) -> bool {
        piece.seq > 0 && self.tasks.iter().any(|task| task.call == piece.id && !task.settled)
    }

    /// The number of the owner's oldest call that has no reply or a running task.
    pub(super) fn first_needed(&self, owner: usize) -> u64 {
        let at_work = self.tasks.iter().filter(|task| !task.settled).map(|task| &self.calls[task.call]);
        let unsettled = self.calls.iter().filter(|call| !call.settled).chain(at_work);
        unsettled.filter(|call| call.owner == owner).map(|call| call.seq).min().unwrap_or(u64::MAX)
    }

    pub(super) fn reply(&mut self, incarnation: usize, call: usize, reclaim: bool) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        let piece = self.calls[call].clone();
        let held_by_living = self.is_current(piece.incarnation);
        match (reclaim, piece.settled) {
            (false, _) if piece.incarnation != incarnation => return Err(LedgerError::NotHolder),
            (_, true) => return Err(LedgerError::AlreadyReplied),
            (true, false) if held_by_living => return Err(LedgerError::NotOrphaned),
            _ => self.calls[call].settled = true,
        }
        self.add(piece.owner, 1, 1, 0);
        Ok(())
    }

    /// The refusal of a used key names the task that has it.
    pub(super) fn start(
        &mut self,
        incarnation: usize,
        call: usize,
        owner: usize,
        key: Option<usize>,
    ) -> Result<(), Result<usize, LedgerError>> {
        self.fence(incarnation).map_err(Err)?;
        if self.calls[call].owner != owner {
            return Err(Err(LedgerError::NotFound));
        }
        if self.calls[call].incarnation != incarnation {
            return Err(Err(LedgerError::NotHolder));
        }
        let running = || self.tasks.iter().filter(|task| task.owner == owner && !task.settled);
        if let Some(task) = running().find(|task| key.is_some() && task.key == key) {
            return Err(Ok(task.id));
        }
        if running().count() >= LIMIT as usize {
            return Err(Err(LedgerError::TooManyTasks(LIMIT)));
        }
        let id = self.tasks.len();
        self.tasks.push(Piece { id, owner, incarnation, settled: false, call, asked: false, key, seq: 0 });
        self.add(owner, 1, 0, 0);
        Ok(())
    }

    pub(super) fn finish(&mut self, incarnation: usize, task: usize, reclaim: bool) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        let piece = self.tasks[task].clone();
        match (reclaim, piece.settled) {
            (false, _) if piece.incarnation != incarnation => return Err(LedgerError::NotHolder),
            (_, true) => return Err(LedgerError::AlreadyEnded),
            (true, false) if self.is_current(piece.incarnation) => return Err(LedgerError::NotOrphaned),
            _ if !self.calls[piece.call].settled => return Err(LedgerError::CallNotReplied),
            _ => self.tasks[task].settled = true,
        }
        self.add(piece.owner, 2, 1, 1);
        Ok(())
    }

    pub(super) fn inject(
        &mut self,
        owner: usize,
        fence: Option<(usize, Result<usize, usize>)>,
    ) -> Result<(), LedgerError> {
        if let Some((incarnation, work)) = fence {
            self.fence(incarnation)?;
            let (piece, ended) = match work {
                Ok(call) => (&self.calls[call], LedgerError::AlreadyReplied),
                Err(task) => (&self.tasks[task], LedgerError::AlreadyEnded),
            };
            if piece.owner != owner {
                return Err(LedgerError::NotFound);
            }
            if piece.incarnation != incarnation {
                return Err(LedgerError::NotHolder);
            }
            if piece.settled {
                return Err(ended);
            }
        }
        self.add(owner, 1, 1, 1);
        Ok(())
    }

    /// Calls, then tasks, by their index.
    pub(super) fn orphans(&mut self, incarnation: usize) -> Result<(Vec<usize>, Vec<usize>), LedgerError> {
        self.fence(incarnation)?;
        let (now, asking) = (self.now, self.incarnations[incarnation]);
        self.current.retain(|node, (_, until)| *node == asking || *until > now);
        let left = |pieces: &[Piece]| -> Vec<usize> {
            pieces
                .iter()
                .filter(|piece| !piece.settled && !self.is_current(piece.incarnation))
                .map(|piece| piece.id)
                .collect()
        };
        Ok((left(&self.calls), left(&self.tasks)))
    }
}
