//! The form of the contract that the platform holds: one object with all methods, each with one
//! boxed future, and a span around each write.
//!
//! This is the only file that boxes futures or makes spans of the ledger. A new group of methods is
//! one trait of the contract, one block here, and the backends.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::contract::{
    AuditTrail, Calls, Chat, Documents, Drafts, DurableTasks, Files, Health, Leases, LedgerResult, Operators,
    Questions, Queues, Recovery, Retention, Schedules, Secrets, Tasks,
};
use super::{
    AnswerOutcome, AppOwners, Attempt, AttemptReport, AuditFilter, AuditRow, Backlog, CallCancel, CallRecord,
    CancelOutcome, ChainEnds, ClaimRequest, ClaimedTask, CloseQuestion, CollectionUse, DocumentKeys, DocumentQuery,
    DocumentSource, DocumentSpace, DocumentWrites, DraftPiece, DueSchedule, DurableName, DurableProgram, Event, Feed,
    Fence, FileChange, FileContent, FileRemoval, FileSource, FoundDocuments, Incarnation, JobOwners, LedgerMeters,
    MessageSource, NewAnswer, NewAudit, NewCall, NewFile, NewQuestion, NewSecret, NewSeen, NewStep, NewTask, OpenTask,
    Orphan, Owner, Page, PageLimit, PausedTask, Progress, Pruned, Question, QueueLoad, QueuePlace, Release,
    RenewalNews, RetentionPolicy, ScheduleKind, ScheduleSource, ScheduleWrite, SecretPlace, SecretWrite, SeenUser,
    StoredDocument, StoredDurable, StoredFile, StoredSchedule, StoredSecret, StoredStep, SweptFiles, Task, TaskAttempt,
    TaskEnd, TaskPlace, TaskRecord, Turn, TurnBody, Work, WrittenDocument, spans,
};
use crate::ids::{CallId, DraftId, FileId, QuestionId, ScheduleId, TaskId, TurnId};

/// The future of a method of [`Ledger`].
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = LedgerResult<T>> + Send + 'a>>;

macro_rules! span_name {
    ($method:ident) => {
        concat!("ledger ", stringify!($method))
    };
    ($method:ident $name:literal) => {
        $name
    };
}

/// One block for each trait of the contract. Each line says how the method appears in traces:
/// `write` and `periodic` as `spans` has them, `read` not at all. A span has the method's name unless
/// another follows the kind; `of` names the work that the span is about.
macro_rules! ledger {
    ($($group:ident {
        $($kind:ident $($span:literal)? $method:ident($($arg:ident: $type:ty),*) -> $answer:ty $(, of $work:expr)?;)*
    })*) => {
        /// A ledger of any backend, as the platform holds it. Every type that implements the traits of
        /// [`contract`](super::contract) is one; see there for the rules.
        #[expect(clippy::elidable_lifetime_names, reason = "the arguments' types name it where there are any")]
        pub trait Ledger: Debug + Send + Sync + 'static {
            $($(
                #[doc = concat!("[`", stringify!($group), "::", stringify!($method), "`].")]
                fn $method<'a>(&'a self, $($arg: $type),*) -> Fut<'a, $answer>;
            )*)*

            /// [`Health::feed`].
            fn feed(&self) -> &Feed;

            /// [`Health::meters`].
            fn meters(&self) -> &LedgerMeters;
        }

        #[expect(clippy::elidable_lifetime_names, reason = "the arguments' types name it where there are any")]
        impl<B: Debug $(+ $group)* + 'static> Ledger for B {
            $($(
                fn $method<'a>(&'a self, $($arg: $type),*) -> Fut<'a, $answer> {
                    let work = None$(.or(Some($work)))?;
                    let future = <Self as $group>::$method(self, $($arg),*);
                    Box::pin(spans::$kind(span_name!($method $($span)?), work, future))
                }
            )*)*

            fn feed(&self) -> &Feed {
                Health::feed(self)
            }

            fn meters(&self) -> &LedgerMeters {
                Health::meters(self)
            }
        }
    };
}

ledger! {
    Leases {
        write join(node: &'a str, lease: Duration) -> Incarnation;
        periodic "lease renew" renew(incarnation: &'a Incarnation, lease: Duration) -> RenewalNews;
        write drain(incarnation: &'a Incarnation) -> ();
        write leave(incarnation: &'a Incarnation) -> ();
    }
    Recovery {
        periodic "lease expire" expire_leases(incarnation: &'a Incarnation) -> u64;
        periodic "lease orphans" orphans(limit: u32) -> Vec<Orphan>;
        write reclaim_call(incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Turn, of Work::Call(call_id);
        write reclaim_task(incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Turn, of Work::Task(Attempt::first(task_id));
        write reclaim_calls(incarnation: &'a Incarnation, replies: Vec<(CallId, TurnBody)>) -> Vec<LedgerResult<()>>;
        write reclaim_tasks(incarnation: &'a Incarnation, ends: Vec<(TaskId, TaskEnd)>) -> Vec<LedgerResult<()>>;
    }
    Calls {
        write accept_call(incarnation: &'a Incarnation, call: NewCall) -> Turn;
        write accept_and_start(incarnation: &'a Incarnation, call: NewCall, task: NewTask) -> (Turn, Task);
        write start_and_answer(incarnation: &'a Incarnation, call: NewCall, task: NewTask, reply: TurnBody) -> (Turn, Task, Turn);
        write answer_call(incarnation: &'a Incarnation, call: NewCall, reply: TurnBody) -> [Turn; 2];
        write reply(incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Turn;
        write reply_and_finish(incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody, attempt: Attempt, end: TaskEnd) -> [Turn; 2];
        write request_call_cancel(owner: &'a Owner, call_id: CallId, audit: NewAudit) -> CallCancel;
        read find_call(owner: &'a Owner, call_id: CallId) -> Option<CallRecord>;
    }
    Tasks {
        write start_task(incarnation: &'a Incarnation, task: NewTask) -> Task;
        write finish_task(incarnation: &'a Incarnation, attempt: Attempt, end: TaskEnd) -> Turn;
        periodic note_progress(incarnation: &'a Incarnation, latest: Vec<(u32, Progress)>) -> ();
        write request_cancel(task_id: TaskId, audit: NewAudit, end: TaskEnd) -> CancelOutcome;
        read find_task(task_id: TaskId) -> Option<TaskRecord>;
        read open_tasks(owner: &'a Owner) -> Vec<Task>;
        read recent_tasks(owner: &'a Owner, limit: u32) -> Vec<Task>;
        read tasks_of_call(owner: &'a Owner, call_id: CallId) -> Vec<Task>;
    }
    DurableTasks {
        periodic claim_tasks(incarnation: &'a Incarnation, request: ClaimRequest) -> Vec<ClaimedTask>;
        read next_ready_in(names: &'a [DurableName]) -> Option<Duration>;
        write release_task(incarnation: &'a Incarnation, attempt: Attempt, release: Release, report: AttemptReport) -> Task;
        write store_step(incarnation: &'a Incarnation, attempt: Attempt, step: NewStep) -> ();
        read steps(task_id: TaskId, after: u16, limit: PageLimit) -> Page<StoredStep>;
        read step_value(task_id: TaskId, ordinal: u16) -> Option<String>;
        read attempts(task_id: TaskId) -> Vec<TaskAttempt>;
        read find_durable(task_id: TaskId) -> Option<StoredDurable>;
        write register_program(incarnation: &'a Incarnation, program: DurableProgram) -> ();
        periodic mark_stuck(incarnation: &'a Incarnation, untaken_for: Duration) -> u64;
        periodic announce_queued(incarnation: &'a Incarnation, queued_for: Duration) -> u64;
        read long_stuck(stuck_for: Duration, limit: u32) -> Vec<TaskRecord>;
        read cancelled_tasks(limit: u32) -> Vec<TaskRecord>;
        read backlog() -> Backlog;
    }
    Questions {
        write ask_question(incarnation: &'a Incarnation, attempt: Attempt, question: NewQuestion) -> Question;
        write answer_question(question_id: QuestionId, answer: NewAnswer) -> AnswerOutcome;
        write close_question(incarnation: &'a Incarnation, attempt: Attempt, question_id: QuestionId, why: CloseQuestion) -> Question;
        read questions(task_id: TaskId) -> Vec<Question>;
        read questions_after(task_id: TaskId, after: u16, limit: PageLimit) -> Page<Question>;
        read find_question(question_id: QuestionId) -> Option<(Owner, Question)>;
    }
    Operators {
        read open_work(after: TaskPlace, limit: u32) -> Vec<OpenTask>;
        write retry_task(task_id: TaskId, audit: NewAudit) -> TaskRecord;
        write set_paused(name: DurableName, paused: bool, audit: NewAudit) -> bool;
        read paused_tasks() -> Vec<PausedTask>;
    }
    Queues {
        read queue_places(owner: &'a Owner) -> Vec<QueuePlace>;
        read queue_loads() -> Vec<QueueLoad>;
    }
    Documents {
        write write_documents(owner: &'a Owner, source: DocumentSource, writes: DocumentWrites) -> Vec<WrittenDocument>;
        write store_step_with_documents(incarnation: &'a Incarnation, attempt: Attempt, step: NewStep, writes: DocumentWrites) -> Vec<WrittenDocument>;
        write rekey_documents(space: &'a DocumentSpace, fence: Fence, index_set: i64, keys: Vec<DocumentKeys>) -> u64;
        read documents(space: &'a DocumentSpace, ids: &'a [String]) -> Vec<StoredDocument>;
        read find_documents(space: &'a DocumentSpace, query: DocumentQuery, limit: PageLimit, others: PageLimit) -> FoundDocuments;
        read count_documents(space: &'a DocumentSpace, query: DocumentQuery) -> u64;
        read collections(owner: &'a Owner, app_id: Option<&'a str>) -> Vec<CollectionUse>;
    }
    Drafts {
        periodic write_drafts(incarnation: &'a Incarnation, pieces: Vec<DraftPiece>) -> ();
        read drafts(owner: &'a Owner) -> Vec<DraftPiece>;
        read draft_text(owner: &'a Owner, draft_id: DraftId, from: u64) -> Option<DraftPiece>;
        read drafts_of_work(works: &'a [Work]) -> Vec<DraftPiece>;
    }
    Schedules {
        write write_schedule(source: ScheduleSource, write: ScheduleWrite) -> bool;
        write remove_schedule(owner: &'a Owner, source: ScheduleSource, schedule_id: ScheduleId, audit: Option<NewAudit>) -> bool;
        read find_schedule(schedule_id: ScheduleId) -> Option<StoredSchedule>;
        read schedules_of(owner: &'a Owner) -> Vec<StoredSchedule>;
        read jobs_of(owner: &'a Owner) -> Vec<StoredSchedule>;
        read owners_of_app(wanted: AppOwners) -> Vec<Owner>;
        read job_owners() -> Vec<JobOwners>;
        read due_schedules(kind: ScheduleKind, limit: u32) -> Vec<DueSchedule>;
        read next_wake_in() -> Option<Duration>;
        read time() -> jiff::Timestamp;
        periodic note_seen(seen: Vec<NewSeen>) -> ();
        write forget_seen(not_for: Duration, limit: u32) -> u64;
        read seen_user(owner: &'a Owner, app_id: &'a str) -> Option<SeenUser>;
    }
    Files {
        write begin_file(owner: &'a Owner, source: FileSource, file: NewFile) -> ();
        write complete_file(owner: &'a Owner, source: FileSource, content: FileContent) -> StoredFile;
        write accept_call_with_files(incarnation: &'a Incarnation, call: NewCall, files: Vec<FileId>) -> Turn;
        write store_step_with_files(incarnation: &'a Incarnation, attempt: Attempt, step: NewStep, documents: DocumentWrites, files: Vec<FileChange>) -> Vec<WrittenDocument>;
        write delete_file(owner: &'a Owner, removal: FileRemoval, file_id: FileId) -> bool;
        read find_files(owner: &'a Owner, ids: &'a [FileId]) -> Vec<StoredFile>;
        read files(owner: &'a Owner, app_id: Option<&'a str>, before: Option<FileId>, limit: u32) -> Vec<StoredFile>;
        periodic sweep_files(limit: u32) -> SweptFiles;
        periodic forget_files(ids: &'a [FileId]) -> u64;
    }
    Secrets {
        write put_secret(write: SecretWrite, secret: NewSecret) -> bool;
        write remove_secret(write: SecretWrite, place: SecretPlace) -> bool;
        read find_secret(place: &'a SecretPlace) -> Option<StoredSecret>;
        read secrets_of(owner: &'a Owner) -> Vec<StoredSecret>;
        read secrets_under_other_keys(key_id: &'a str, after: Option<SecretPlace>, limit: u32) -> Vec<StoredSecret>;
        write note_fact(name: &'a str, value: &'a [u8]) -> Vec<u8>;
    }
    Chat {
        write inject(owner: Owner, turn: TurnBody, audit: NewAudit, source: MessageSource) -> Turn;
        read turns(owner: &'a Owner, after: u64, limit: PageLimit) -> Page<Turn>;
        read latest_turns(owner: &'a Owner, before: Option<u64>, limit: PageLimit) -> Page<Turn>;
        read find_turn(owner: &'a Owner, turn_id: TurnId) -> Option<Turn>;
        read events(owner: &'a Owner, after: u64, limit: PageLimit) -> Page<Event>;
        read head(owner: &'a Owner) -> u64;
    }
    AuditTrail {
        write write_audit(row: NewAudit) -> ();
        read audit_rows(filter: AuditFilter) -> Page<AuditRow>;
        read chain_ends(owner: Option<Owner>) -> Vec<(Owner, ChainEnds)>;
    }
    Retention {
        periodic prune(policy: &'a RetentionPolicy, from: u64, limit: u32) -> Pruned;
    }
    Health {
        periodic "ledger check" check_writable() -> ();
    }
}
