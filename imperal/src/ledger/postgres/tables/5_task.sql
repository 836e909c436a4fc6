-- No foreign key to the call: retention removes a call before its tasks, and a task's events before the task.
CREATE TABLE @.task (
    task_no bigint GENERATED ALWAYS AS IDENTITY,
    task_id uuid PRIMARY KEY,
    call_id uuid NOT NULL,
    owner_id bigint NOT NULL REFERENCES @.owner,
    node_id bigint NOT NULL REFERENCES @.node,
    incarnation bigint NOT NULL,
    app_id text NOT NULL,
    function text NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'running',
    -- True once its incarnation ended before the task did.
    abandoned boolean NOT NULL DEFAULT false,
    long_running boolean NOT NULL,
    percent double precision,
    message text,
    progress_at bigint,
    -- Grows with each report, so that other nodes can tell a new report from one that they have.
    progress_no bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    deadline_at bigint NOT NULL,
    cancel_requested_at bigint,
    finished_at bigint,
    -- The number of the turn that holds the result.
    outcome_seq bigint,
    -- Unique among the running tasks of an owner and an extension: start_task checks it under the owner's lock.
    key text
) WITH (fillfactor = 70);

CREATE INDEX task_of ON @.task (owner_id, task_no);
CREATE INDEX task_of_call ON @.task (call_id);
CREATE INDEX task_running_of ON @.task (owner_id) WHERE state = 'running';
CREATE INDEX task_held ON @.task (node_id, incarnation) WHERE state = 'running';
CREATE INDEX task_left ON @.task (task_no) WHERE state = 'running' AND abandoned;
-- Empty unless the database was damaged.
CREATE INDEX task_damaged ON @.task (task_no)
    WHERE state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed');

-- The columns of a task that change, as they were at the event.
CREATE TABLE @.task_event (
    owner_id bigint NOT NULL REFERENCES @.owner,
    seq bigint NOT NULL,
    task_id uuid NOT NULL,
    state text NOT NULL,
    percent double precision,
    message text,
    cancel_requested_at bigint,
    finished_at bigint,
    outcome_seq bigint,
    PRIMARY KEY (owner_id, seq)
);
