-- Times are microseconds since 1970, UTC. Ids are UUIDs as text, so that people can read the file.

CREATE TABLE owner (
    owner_id INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The number of the owner's latest event.
    head INTEGER NOT NULL DEFAULT 0,
    -- The hash of the owner's latest audit row.
    audit_end BLOB,
    -- Events up to this number are no longer kept; some of their turns may be.
    pruned INTEGER NOT NULL DEFAULT 0,
    -- The last audit row that retention removed: its number, its hash, and how many it has removed.
    audit_pruned_to INTEGER NOT NULL DEFAULT 0,
    audit_anchor BLOB,
    audit_pruned INTEGER NOT NULL DEFAULT 0,
    -- The bytes of the turns that were written for the owner on one day, and that day (since 1970, UTC).
    stored INTEGER NOT NULL DEFAULT 0,
    stored_day INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, user_id)
) STRICT;

-- The latest incarnation of each node. One that has ended has no lease.
CREATE TABLE node (
    node TEXT PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    lease_until INTEGER,
    -- The length of the lease when it was given.
    lease INTEGER,
    -- 1 once the node has said that it stops: the end of this incarnation is no crash.
    draining INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX node_by_lease ON node (lease_until) WHERE lease_until IS NOT NULL;

-- The durable tasks that the programs of current incarnations have. They go with the incarnation.
CREATE TABLE node_task (
    app_id TEXT NOT NULL,
    task_name TEXT NOT NULL,
    node TEXT NOT NULL,
    -- The version of the node's program.
    program TEXT NOT NULL,
    PRIMARY KEY (app_id, task_name, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX node_task_of ON node_task (node);

CREATE TABLE turn (
    turn_no INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (owner_id, seq)
) STRICT;

-- open: its incarnation is current; left: its incarnation ended before the reply; replied.
CREATE TABLE call (
    call_no INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    node TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    turn_seq INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    -- The number of the reply turn.
    reply_seq INTEGER,
    cancel_requested_at INTEGER,
    -- 1 for the work of a job, which has no turns: its turn_seq is only the owner's head when it began.
    silent INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX call_of ON call (owner_id, turn_seq);
CREATE INDEX call_held ON call (node, incarnation) WHERE state = 'open';
CREATE INDEX call_left ON call (call_no) WHERE state = 'left';
-- Open calls that were asked to stop: few at any time.
CREATE INDEX call_asked ON call (node, incarnation) WHERE state = 'open' AND cancel_requested_at IS NOT NULL;
-- Empty unless the file was damaged. A start looks for damaged states here.
CREATE INDEX call_damaged ON call (call_no) WHERE state NOT IN ('open', 'left', 'replied');

CREATE TABLE task (
    task_no INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    call_id TEXT NOT NULL,
    owner_id INTEGER NOT NULL REFERENCES owner,
    node TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    app_id TEXT NOT NULL,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'running',
    -- 1 once its incarnation ended before the task did.
    abandoned INTEGER NOT NULL DEFAULT 0,
    long_running INTEGER NOT NULL,
    percent REAL,
    message TEXT,
    created_at INTEGER NOT NULL,
    -- NULL while no process holds the task.
    deadline_at INTEGER,
    cancel_requested_at INTEGER,
    finished_at INTEGER,
    -- The number of the turn that holds the result.
    outcome_seq INTEGER,
    -- Unique among the open tasks of an owner and an extension.
    key TEXT,
    durable INTEGER NOT NULL DEFAULT 0,
    -- Of a durable task: how often a process took it. A background task has the attempt 1 alone.
    attempt INTEGER NOT NULL DEFAULT 1,
    -- Why no process holds a durable task.
    waits_for TEXT,
    -- JSON: the steps as they were last reported, for people.
    steps TEXT,
    -- When the process that held it was last known to be alive, once its latest attempt was cut off.
    interrupted_at INTEGER,
    -- Since when a durable task has been queued without an event; NULL once an event has said so.
    untold_since INTEGER,
    -- How many of its questions are open, for lists.
    open_questions INTEGER NOT NULL DEFAULT 0,
    -- How many of its effects may have happened without a row that says so, for lists.
    open_effects INTEGER NOT NULL DEFAULT 0,
    -- The queue of a durable task, if it has one. The task holds a slot of it while it is running.
    queue TEXT,
    -- JSON: the ended task that it goes on from or runs again.
    follows TEXT
) STRICT;

CREATE INDEX task_of ON task (owner_id);
CREATE INDEX task_of_call ON task (call_id);
-- Also counts an owner's running tasks. An index of these alone would be one more page for nearly every write.
CREATE INDEX task_open_of ON task (owner_id, task_no, state) WHERE state IN ('running', 'queued', 'waiting', 'stuck');
CREATE INDEX task_unheld ON task (owner_id) WHERE state IN ('queued', 'stuck');
CREATE UNIQUE INDEX task_key ON task (owner_id, app_id, key)
    WHERE state IN ('running', 'queued', 'waiting', 'stuck') AND key IS NOT NULL;
CREATE INDEX task_held ON task (node, incarnation) WHERE state = 'running';
-- The slots of queues that are taken.
CREATE INDEX task_slot ON task (app_id, queue, owner_id) WHERE state = 'running' AND abandoned = 0 AND queue IS NOT NULL;
-- Few tasks at any time.
CREATE INDEX task_untold ON task (untold_since) WHERE untold_since IS NOT NULL;
CREATE INDEX task_cancelled ON task (cancel_requested_at)
    WHERE cancel_requested_at IS NOT NULL AND state IN ('queued', 'waiting', 'stuck');
-- Tasks with unknown effects: few.
CREATE INDEX task_unknown ON task (open_effects)
    WHERE open_effects > 0 AND state IN ('queued', 'waiting', 'stuck');
CREATE INDEX task_left ON task (task_no) WHERE state = 'running' AND abandoned = 1;
-- Empty unless the file was damaged. A start looks for damaged states here.
CREATE INDEX task_damaged ON task (task_no) WHERE state NOT IN
    ('running', 'queued', 'waiting', 'stuck', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed');

-- Texts of running work, gone with it.
CREATE TABLE draft (
    draft_id TEXT PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES owner,
    -- The call or the task.
    call_id TEXT,
    task_id TEXT,
    attempt INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX draft_of ON draft (owner_id);
CREATE INDEX draft_of_call ON draft (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX draft_of_task ON draft (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE draft_piece (
    draft_id TEXT NOT NULL REFERENCES draft ON DELETE CASCADE,
    -- Where it begins and ends, in bytes of the draft.
    at INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (draft_id, at)
) STRICT, WITHOUT ROWID;

-- The part of a durable task that lists do not read.
CREATE TABLE durable (
    task_no INTEGER PRIMARY KEY,
    -- The extension's, again, for the index.
    app_id TEXT NOT NULL,
    task_name TEXT NOT NULL,
    -- The id of the task that its idempotency keys come from.
    root_task TEXT NOT NULL,
    -- The longest running time of all attempts, and that of the ended ones, in microseconds.
    cap INTEGER NOT NULL,
    ran INTEGER NOT NULL DEFAULT 0,
    -- When the current attempt began, or the one that the task ended in; NULL while no process holds the task.
    claimed_at INTEGER,
    -- The version of the program that started or took it last, for people.
    program TEXT NOT NULL DEFAULT '',
    -- Attempts in a row that ended by a crash, and attempts in a row, without progress.
    crashes INTEGER NOT NULL DEFAULT 0,
    fruitless INTEGER NOT NULL DEFAULT 0,
    -- 1 for a suspect. In the indexes of claims, so that suspects cost a claim without one nothing.
    suspect INTEGER NOT NULL GENERATED ALWAYS AS (crashes >= 2) VIRTUAL,
    -- From when on a claim may take it; NULL while a process holds it and once it has ended.
    ready_at INTEGER,
    -- The version of the program that refused it last; '' if none did.
    refused_by TEXT NOT NULL DEFAULT '',
    -- When a version first refused it since its last progress.
    refused_since INTEGER,
    -- Since when it has been stuck; NULL in any other state.
    stuck_since INTEGER,
    -- From when on retention may remove the values of its steps, if they are still kept.
    values_until INTEGER,
    -- The task's queue and owner, again, for the indexes.
    queue TEXT,
    owner_id INTEGER NOT NULL,
    input TEXT NOT NULL,
    user TEXT NOT NULL,
    -- JSON, for people: what the holder said of the attempt in which the task ended.
    notes TEXT
) STRICT;

CREATE INDEX durable_ready ON durable (app_id, task_name, suspect, ready_at)
    WHERE ready_at IS NOT NULL AND queue IS NULL;
-- The same for tasks of queues: by owner for turns, and by time for the next look.
CREATE INDEX durable_queued ON durable (app_id, queue, suspect, owner_id, ready_at)
    WHERE ready_at IS NOT NULL AND queue IS NOT NULL;
CREATE INDEX durable_queued_at ON durable (app_id, queue, suspect, ready_at)
    WHERE ready_at IS NOT NULL AND queue IS NOT NULL;
-- What mark_stuck looks at: by name, so that the tasks of known names cost it nothing.
CREATE INDEX durable_untaken ON durable (app_id, task_name, refused_by, ready_at)
    WHERE ready_at IS NOT NULL AND stuck_since IS NULL;
CREATE INDEX durable_stuck ON durable (stuck_since) WHERE stuck_since IS NOT NULL;
CREATE INDEX durable_values ON durable (values_until) WHERE values_until IS NOT NULL;

-- Attempts of durable tasks that ended without an outcome, for people. They go with their tasks.
CREATE TABLE attempt (
    task_no INTEGER NOT NULL,
    number INTEGER NOT NULL,
    node TEXT NOT NULL,
    program TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    -- When its process was last known to be alive, if that was cut off.
    ended_at INTEGER NOT NULL,
    ended_by TEXT NOT NULL,
    -- JSON, for people: what its holder said of it.
    notes TEXT,
    PRIMARY KEY (task_no, number)
) STRICT, WITHOUT ROWID;

-- The queues that have had a task, with the number of their latest turn.
CREATE TABLE queue (
    app_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    served INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, queue)
) STRICT, WITHOUT ROWID;

-- The turn in which a queue served an owner last, or the one before the latest when its first task came.
CREATE TABLE queue_owner (
    app_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    owner_id INTEGER NOT NULL,
    served INTEGER NOT NULL,
    PRIMARY KEY (app_id, queue, owner_id)
) STRICT, WITHOUT ROWID;

-- Durable tasks that no claim takes up until an operator resumes them.
CREATE TABLE paused (
    app_id TEXT NOT NULL,
    task_name TEXT NOT NULL,
    since INTEGER NOT NULL,
    -- As the audit trail names it.
    paused_by TEXT NOT NULL,
    PRIMARY KEY (app_id, task_name)
) STRICT, WITHOUT ROWID;

-- A task's steps are next to each other and in order: step_id is task_no * 65536 + ordinal.
CREATE TABLE step (
    step_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL,
    -- How the value is stored: 0 is JSON as it is. Others are reserved.
    codec INTEGER NOT NULL DEFAULT 0,
    log TEXT,
    -- The last column, so that the others are read without it. NULL once it is no longer kept.
    value TEXT
) STRICT;

-- The rows of effects: few. An end counts those of its task that are open.
CREATE INDEX step_effect ON step (step_id) WHERE kind IN ('intent', 'effect', 'not_done');

-- Questions of durable tasks. The name and the answer are in the question's step.
CREATE TABLE question (
    question_no INTEGER PRIMARY KEY,
    question_id TEXT NOT NULL UNIQUE,
    task_no INTEGER NOT NULL,
    -- The number of its step.
    ordinal INTEGER NOT NULL,
    -- It leaves 'open' once.
    state TEXT NOT NULL DEFAULT 'open',
    asked_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    answered_at INTEGER,
    answered_by TEXT,
    text TEXT NOT NULL,
    -- JSON.
    schema TEXT NOT NULL,
    fallback TEXT
) STRICT;

CREATE INDEX question_of ON question (task_no);
-- At most a few of a task.
CREATE INDEX question_open ON question (task_no) WHERE state = 'open';

-- The task as it was at the event, without its result, which is in the outcome turn.
CREATE TABLE task_event (
    event_no INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES owner,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    outcome_seq INTEGER,
    UNIQUE (owner_id, seq)
) STRICT;

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    owner_id INTEGER NOT NULL REFERENCES owner,
    actor TEXT NOT NULL,
    app_id TEXT,
    action TEXT NOT NULL,
    target TEXT,
    outcome TEXT NOT NULL,
    detail TEXT,
    -- Over this row and the hash of the owner's row before it.
    hash BLOB NOT NULL
) STRICT;

CREATE INDEX audit_of ON audit (owner_id);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

-- A row may be removed once its owner's anchor has passed it.
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
WHEN OLD.audit_id > (SELECT audit_pruned_to FROM owner WHERE owner_id = OLD.owner_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

-- The anchor moves forward only, and onto the hash of a row that exists.
CREATE TRIGGER audit_anchor_is_a_row BEFORE UPDATE OF audit_pruned_to, audit_anchor ON owner
WHEN NEW.audit_pruned_to <= OLD.audit_pruned_to OR NEW.audit_anchor IS NOT
    (SELECT hash FROM audit WHERE audit_id = NEW.audit_pruned_to AND owner_id = NEW.owner_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail''s anchor is the hash of a row of its owner'); END;

-- What an owner's documents and files of an extension take.
CREATE TABLE shelf (
    shelf_no INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES owner,
    app_id TEXT NOT NULL,
    documents INTEGER NOT NULL DEFAULT 0,
    -- Of ids and bodies.
    bytes INTEGER NOT NULL DEFAULT 0,
    -- The latest version that a document got.
    version INTEGER NOT NULL DEFAULT 0,
    -- Files that are not deleted.
    files INTEGER NOT NULL DEFAULT 0,
    file_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner_id, app_id)
) STRICT;

CREATE INDEX shelf_of_app ON shelf (app_id);

CREATE TABLE collection (
    collection_no INTEGER PRIMARY KEY,
    shelf_no INTEGER NOT NULL REFERENCES shelf,
    name TEXT NOT NULL,
    UNIQUE (shelf_no, name)
) STRICT;

CREATE TABLE document (
    document_no INTEGER PRIMARY KEY,
    collection_no INTEGER NOT NULL REFERENCES collection,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- The version of the type that wrote it.
    shape INTEGER NOT NULL,
    -- The indexes under which it is keyed, and since when.
    index_set INTEGER NOT NULL,
    keyed_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    -- The request that wrote it.
    request INTEGER NOT NULL,
    -- Of the id and the body.
    bytes INTEGER NOT NULL,
    -- JSON. The last column, so that the others are read without it.
    body TEXT NOT NULL,
    UNIQUE (collection_no, id)
) STRICT;

-- Finds the documents that are keyed under other indexes.
CREATE INDEX document_set ON document (collection_no, index_set, id, expires_at);
CREATE INDEX document_expiring ON document (expires_at) WHERE expires_at IS NOT NULL;
-- For counts: those whose time is over.
CREATE INDEX document_expiring_in ON document (collection_no, expires_at, id) WHERE expires_at IS NOT NULL;

-- The keys of documents in their indexes. A key ends with the document's id, so it is unique.
CREATE TABLE document_key (
    collection_no INTEGER NOT NULL,
    index_no INTEGER NOT NULL,
    key BLOB NOT NULL,
    document_no INTEGER NOT NULL,
    PRIMARY KEY (collection_no, index_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_key_of ON document_key (document_no);

-- One row: when a program last checked that it can write.
CREATE TABLE checked (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at INTEGER NOT NULL
) STRICT;

-- Sealed by the platform: nothing here opens them. A secret of an extension has neither tenant nor user.
CREATE TABLE secret (
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    salt BLOB NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, app_id, name)
) STRICT;

-- Values that all programs agree on, the first one to write winning: check values of keys, the ledger's own id.
CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- Functions that run for their users at times. What and when is in the body.
CREATE TABLE schedule (
    schedule_no INTEGER PRIMARY KEY,
    schedule_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    -- The job of an extension that it belongs to; NULL for one that its user has.
    job TEXT,
    version INTEGER NOT NULL,
    -- When a node looks at it next; NULL for one that is not active.
    wake_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX schedule_of ON schedule (owner_id, wake_at);
CREATE INDEX schedule_due ON schedule (wake_at, schedule_no) WHERE wake_at IS NOT NULL AND job IS NULL;
CREATE INDEX job_due ON schedule (wake_at, schedule_no) WHERE wake_at IS NOT NULL AND job IS NOT NULL;
CREATE INDEX job_of ON schedule (job, owner_id) WHERE job IS NOT NULL;

-- Users as last seen in a request: of any kind for an empty app_id, or in a call of the extension.
CREATE TABLE seen (
    owner_id INTEGER NOT NULL REFERENCES owner,
    app_id TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    -- JSON: the user with the scopes of that request.
    seen_user TEXT NOT NULL,
    PRIMARY KEY (owner_id, app_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_of_app ON seen (app_id, seen_at);
CREATE INDEX seen_long_ago ON seen (seen_at);

-- Files of extensions. Their bytes are in a store of blobs, under the file's id. The row is older than the bytes, and
-- stays as long as they may be there.
CREATE TABLE file (
    file_no INTEGER PRIMARY KEY,
    file_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    app_id TEXT NOT NULL,
    -- pending: its bytes are being written, or nothing has claimed it; stored; deleting: its bytes are removed later.
    state TEXT NOT NULL,
    -- What began it: a call, an attempt of a task, or neither for a user's upload, on this incarnation.
    node TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    call_id TEXT,
    task_id TEXT,
    attempt INTEGER,
    -- The bytes of the content; those that are expected until it is written.
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    -- From when on the sweep looks at it; NULL for a stored file that does not expire.
    due_at INTEGER,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    -- NULL until the bytes are written.
    sha256 BLOB
) STRICT;

-- Lists of a user.
CREATE INDEX file_of ON file (owner_id, file_id);
CREATE INDEX file_due ON file (due_at) WHERE due_at IS NOT NULL;
