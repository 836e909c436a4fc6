//! One operation on both ledgers and on the model: the answers must be equal, and as the model allows.

use super::*;

impl World {
    #[expect(clippy::too_many_lines, reason = "one arm an operation")]
    pub(super) async fn apply(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Join(node) => {
                let name = format!("node{node}");
                let incarnation = both!(self, ledger => ledger.join(&name, LONG)).unwrap();
                if let Some(earlier) = self.current.insert(node, self.incarnations.len()) {
                    self.gave_up(earlier, true);
                }
                self.incarnations.push(incarnation);
            }
            Op::Leave(node) => {
                let incarnation = self.current.remove(&node)?;
                let held = &self.incarnations[incarnation];
                both!(self, ledger => ledger.leave(held)).unwrap();
                self.gave_up(incarnation, false);
            }
            Op::Wait(seconds) => {
                self.clock.advance(Duration::from_secs(seconds));
                self.now += seconds;
            }
            Op::Start(node) => {
                let (_, incarnation) = self.current.iter().nth(node.checked_rem(self.current.len())?)?;
                let (incarnation, held) = (*incarnation, &self.incarnations[*incarnation]);
                let call_id = CallId::generate();
                let turn = TurnBody::new(Role::User, "?", "app");
                let call = NewCall::new(call_id, self.owner.clone(), turn);
                let reply = TurnBody::new(Role::Bot, "!", "app");
                both!(self, ledger => ledger.accept_call(held, call.clone())).unwrap();
                let new = NewTask::new(call_id, self.owner.clone(), "app", "work");
                let new = new.clone().durable(NewDurable::new(new.task_id, "work", "{}", "{}"));
                both!(self, ledger => ledger.start_task(held, new.clone())).unwrap();
                both!(self, ledger => ledger.reply(held, call_id, reply.clone())).unwrap();
                self.tasks.push(Piece {
                    task_id: new.task_id,
                    place: Place::Held(incarnation),
                    attempt: 1,
                    left_by: None,
                    crashed: false,
                    cancelled: false,
                    ordinals: BTreeSet::new(),
                    open_effects: 0,
                });
            }
            Op::Claim { node, limit } => {
                let incarnation = *self.current.get(&node)?;
                let held = &self.incarnations[incarnation];
                let request = ClaimRequest::new(vec![DurableName::new("app", "work")], "", limit);
                let claimed = both!(self, ledger => ledger.claim_tasks(held, request.clone())).unwrap();
                assert!(claimed.len() <= limit as usize);
                let now = self.now;
                for one in &claimed {
                    let task = &one.record.task;
                    let piece = self.tasks.iter_mut().find(|piece| piece.task_id == task.task_id).unwrap();
                    match piece.place {
                        Place::Ready(from) => assert!(from <= now, "claimed {} s early", from - now),
                        Place::Unknown => {}
                        place => panic!("claimed a task that is {place:?}"),
                    }
                    assert_eq!(task.attempt, piece.attempt + 1);
                    (piece.place, piece.attempt) = (Place::Held(incarnation), task.attempt);
                }
                let left =
                    self.tasks.iter().filter(|one| matches!(one.place, Place::Ready(from) if from <= now)).count();
                assert!(left == 0 || claimed.len() == limit as usize, "{left} ready tasks were not claimed");
            }
            Op::Store { task, odd, ordinal } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                // The next one, or one that is taken.
                let ordinal = if ordinal % 4 == 0 { ordinal } else { self.tasks[task].next() };
                let ordinal = ordinal.min(self.tasks[task].next());
                let step = NewStep::new(ordinal, format!("step {ordinal}"), StepKind::Step, "1");
                let stored = both!(self, ledger => ledger.store_step(&held, attempt, step.clone()));
                let is_free = !self.tasks[task].ordinals.contains(&ordinal);
                assert_eq!(stored.is_ok(), may && is_free, "{stored:?}");
                if stored.is_ok() {
                    self.tasks[task].ordinals.insert(ordinal);
                } else if may {
                    assert_eq!(stored, Err(LedgerError::IdExists));
                }
            }
            Op::Effect { task, odd, kind } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                let open = self.tasks[task].open_effects;
                let kind = match (open, kind) {
                    (0, _) => StepKind::Intent,
                    (_, 0) => StepKind::NotDone,
                    _ => StepKind::Effect,
                };
                let ordinal = self.tasks[task].next();
                let step = NewStep::new(ordinal, "pay", kind, "null");
                let stored = both!(self, ledger => ledger.store_step(&held, attempt, step.clone()));
                assert_eq!(stored.is_ok(), may, "{stored:?}");
                if may {
                    self.tasks[task].ordinals.insert(ordinal);
                    self.tasks[task].open_effects = u32::from(kind == StepKind::Intent);
                }
            }
            Op::Ask { task, odd, within } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                let ordinal = self.tasks[task].next();
                let new = NewQuestion::new(ordinal, format!("q{ordinal}"), "Go on?", r#"{"type":"string"}"#)
                    .within(Duration::from_secs(within));
                let asked = both!(self, ledger => ledger.ask_question(&held, attempt, new.clone()));
                assert_eq!(asked.is_ok(), may, "{asked:?}");
                if may {
                    self.tasks[task].ordinals.insert(ordinal);
                    let until = self.now + within;
                    self.asked.push(Asked { id: new.question_id, task, ordinal, until, open: true });
                }
            }
            Op::Answer { question, value } => {
                let question = question.checked_rem(self.asked.len())?;
                let value = ["\"yes\"", "\"no\""][value];
                let answer = NewAnswer::new(value, "user:anna", self.audit());
                let (id, now) = (self.asked[question].id, self.now);
                let answered = both!(self, ledger => ledger.answer_question(id, answer.clone())).unwrap();
                let asked = &self.asked[question];
                let accepted = matches!(answered, AnswerOutcome::Accepted(..));
                if asked.until != now {
                    assert_eq!(accepted, asked.open && now < asked.until, "{answered:?}");
                }
                if accepted {
                    let task = asked.task;
                    self.asked[question].open = false;
                    if matches!(self.tasks[task].place, Place::Ready(_)) {
                        self.wake_if_waiting(task).await;
                    }
                }
            }
            Op::Close { question, odd, expire } => {
                let question = question.checked_rem(self.asked.len())?;
                let (id, task) = (self.asked[question].id, self.asked[question].task);
                let (held, attempt, may) = self.writer(task, odd)?;
                let why = if expire { CloseQuestion::Expire } else { CloseQuestion::Withdraw };
                let closed = both!(self, ledger => ledger.close_question(&held, attempt, id, why));
                assert!(closed.is_err() || may, "closed without the right to write");
                if let Ok(closed) = closed {
                    self.asked[question].open &= closed.state == imperal::ledger::QuestionState::Open;
                }
            }
            Op::HandOver { task, odd } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                let given = both!(self, ledger => ledger.release_task(&held, attempt, Release::HandOver, AttemptReport::default()));
                assert!(given.is_ok() == may || self.is_repeated(task, &held, attempt), "{given:?}");
                if may {
                    self.released(task, self.now);
                }
            }
            Op::Park { task, odd, seconds, questions } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                let own: Vec<&Asked> = self.asked.iter().filter(|asked| asked.task == task).collect();
                let waits: Vec<&&Asked> = own.iter().take(questions % (own.len() + 1)).collect();
                let due = waits.iter().map(|asked| asked.until).chain([self.now + seconds]).min()?;
                let wake_at = imperal::ledger::Clock::now(&*self.clock)
                    .checked_add(Duration::from_secs(due.saturating_sub(self.now)))
                    .unwrap();
                let from = if waits.iter().all(|asked| asked.open) { due } else { self.now };
                let release = Release::Park(Park::new(wake_at, waits.iter().map(|asked| asked.ordinal).collect()));
                let parked = both!(self, ledger => ledger.release_task(&held, attempt, release.clone(), AttemptReport::default()));
                assert!(parked.is_ok() == may || self.is_repeated(task, &held, attempt), "{parked:?}");
                if may {
                    self.released(task, from.max(self.now));
                }
            }
            Op::Finish { task, odd, wrong } => {
                let task = task.checked_rem(self.tasks.len())?;
                let (held, attempt, may) = self.writer(task, odd)?;
                let open = self.tasks[task].open_effects;
                let end = self.end(if wrong { open + 1 } else { open });
                let ended = both!(self, ledger => ledger.finish_task(&held, attempt, end.clone()));
                assert_eq!(ended.is_ok(), may && !wrong, "{ended:?}");
                if may && wrong {
                    assert_eq!(ended, Err(LedgerError::OpenEffects(open)));
                } else if may {
                    self.ended(task);
                }
            }
            Op::Cancel(task) => {
                let task = task.checked_rem(self.tasks.len())?;
                let (task_id, end) = (self.tasks[task].task_id, self.end(self.tasks[task].open_effects));
                let audit = self.audit();
                let outcome =
                    both!(self, ledger => ledger.request_cancel(task_id, audit.clone(), end.clone())).unwrap();
                match (outcome, self.tasks[task].place) {
                    (CancelOutcome::AlreadyEnded(_), Place::Ended) => {}
                    (CancelOutcome::Requested(_), Place::Held(_)) => self.tasks[task].cancelled = true,
                    (CancelOutcome::Ended(_), Place::Ready(_) | Place::Unknown) => self.ended(task),
                    (outcome, place) => panic!("a task that is {place:?} got {outcome:?}"),
                }
            }
        }
        Some(())
    }
}
