-- Times are microseconds since 1970, UTC, by this server's clock. `@.` stands for the schema.
-- Texts have `\` as `\\` and NUL as `\0`: PostgreSQL cannot store a NUL. JSON has neither problem.

-- Names may be longer than an index takes, so they are found by a hash.
CREATE TABLE @.owner (
    owner_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_key bytea NOT NULL UNIQUE,
    tenant_id text NOT NULL,
    user_id text NOT NULL,
    -- the number of the owner's latest event; its row is locked by whoever takes the next
    head bigint NOT NULL DEFAULT 0,
    -- the hash of the owner's latest audit row
    audit_end bytea
) WITH (fillfactor = 70);

-- The latest life of each node. A life that is over has no lease.
CREATE TABLE @.node (
    node_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_key bytea NOT NULL UNIQUE,
    node text NOT NULL,
    incarnation bigint NOT NULL,
    lease_until bigint
) WITH (fillfactor = 50);

CREATE TABLE @.turn (
    turn_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES @.owner,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    body text NOT NULL,
    UNIQUE (owner_id, seq)
);

-- open: its life is current; left: its life ended before the reply; replied.
CREATE TABLE @.call (
    call_no bigint GENERATED ALWAYS AS IDENTITY,
    call_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES @.owner,
    node_id bigint NOT NULL REFERENCES @.node,
    incarnation bigint NOT NULL,
    turn_seq bigint NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'left', 'replied'))
) WITH (fillfactor = 80);

CREATE INDEX call_held ON @.call (node_id, incarnation) WHERE state = 'open';
CREATE INDEX call_left ON @.call (call_no) WHERE state = 'left';

CREATE TABLE @.task (
    task_no bigint GENERATED ALWAYS AS IDENTITY,
    task_id uuid PRIMARY KEY,
    call_id uuid NOT NULL REFERENCES @.call,
    owner_id bigint NOT NULL REFERENCES @.owner,
    node_id bigint NOT NULL REFERENCES @.node,
    incarnation bigint NOT NULL,
    app_id text NOT NULL,
    function text NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'running',
    -- true once its life ended before it did
    abandoned boolean NOT NULL DEFAULT false,
    long_running boolean NOT NULL,
    percent double precision,
    message text,
    progress_at bigint,
    -- grows with each report, so that other nodes tell a new one from one they have
    progress_no bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    deadline_at bigint NOT NULL,
    cancel_requested_at bigint,
    finished_at bigint,
    -- the turn that holds the result
    outcome_seq bigint
) WITH (fillfactor = 70);

CREATE INDEX task_of ON @.task (owner_id, task_no);
CREATE INDEX task_running_of ON @.task (owner_id) WHERE state = 'running';
CREATE INDEX task_held ON @.task (node_id, incarnation) WHERE state = 'running';
CREATE INDEX task_left ON @.task (task_no) WHERE state = 'running' AND abandoned;

-- What of a task changes, as it was at the event.
CREATE TABLE @.task_event (
    owner_id bigint NOT NULL REFERENCES @.owner,
    seq bigint NOT NULL,
    task_id uuid NOT NULL REFERENCES @.task,
    state text NOT NULL,
    percent double precision,
    message text,
    cancel_requested_at bigint,
    finished_at bigint,
    outcome_seq bigint,
    PRIMARY KEY (owner_id, seq)
);

CREATE TABLE @.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    owner_id bigint NOT NULL REFERENCES @.owner,
    actor text NOT NULL,
    app_id text,
    action text NOT NULL,
    target text,
    outcome text NOT NULL,
    detail text,
    hash bytea NOT NULL
);

CREATE INDEX audit_of ON @.audit (owner_id, audit_id);

-- One row: the last time somebody asked whether it can be written.
CREATE TABLE @.checked (
    only_one boolean PRIMARY KEY CHECK (only_one),
    at bigint NOT NULL
);

-- A task with all that its readers need. `body` is the outcome turn.
CREATE VIEW @.task_record AS
    SELECT t.task_no, t.task_id, t.call_id, t.app_id, t.function, t.name, t.state, t.long_running, t.percent,
           t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, o.body,
           n.node, t.incarnation, w.tenant_id, w.user_id, t.owner_id, w.head, t.abandoned
    FROM @.task t
    JOIN @.owner w ON w.owner_id = t.owner_id
    JOIN @.node n ON n.node_id = t.node_id
    LEFT JOIN @.turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq;

-- Number and time of a turn that was written, and whose it is.
CREATE TYPE @.stamp AS (seq bigint, at bigint, owner_id bigint, tenant_id text, user_id text);
