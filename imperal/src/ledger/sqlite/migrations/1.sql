-- Times are microseconds since 1970, UTC. Ids are UUIDs as text, so that the file can be read by people.

CREATE TABLE owner (
    owner_id INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- the number of the owner's latest event
    head INTEGER NOT NULL DEFAULT 0,
    -- the hash of the owner's latest audit row
    audit_end BLOB,
    UNIQUE (tenant_id, user_id)
) STRICT;

-- The latest life of each node. A life that is over has no lease.
CREATE TABLE node (
    node TEXT PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX node_by_lease ON node (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE turn (
    turn_no INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (owner_id, seq)
) STRICT;

-- open: its life is current; left: its life ended before the reply; replied.
CREATE TABLE call (
    call_no INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    owner_id INTEGER NOT NULL REFERENCES owner,
    node TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    turn_seq INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open'
) STRICT;

CREATE INDEX call_held ON call (node, incarnation) WHERE state = 'open';
CREATE INDEX call_left ON call (call_no) WHERE state = 'left';

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
    -- 1 once its life ended before it did
    abandoned INTEGER NOT NULL DEFAULT 0,
    long_running INTEGER NOT NULL,
    percent REAL,
    message TEXT,
    created_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    cancel_requested_at INTEGER,
    finished_at INTEGER,
    -- the turn that holds the result
    outcome_seq INTEGER
) STRICT;

CREATE INDEX task_of ON task (owner_id);
CREATE INDEX task_running_of ON task (owner_id) WHERE state = 'running';
CREATE INDEX task_held ON task (node, incarnation) WHERE state = 'running';
CREATE INDEX task_left ON task (task_no) WHERE state = 'running' AND abandoned = 1;

-- The task as it was at the event, without its result: that is in the outcome turn.
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
    -- of this row and of the owner's row before it
    hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

CREATE INDEX audit_of ON audit (owner_id);

-- One row: the last time somebody asked whether the file can be written.
CREATE TABLE checked (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at INTEGER NOT NULL
) STRICT;
