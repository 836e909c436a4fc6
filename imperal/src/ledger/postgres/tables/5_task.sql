-- A task is open until `finished_at` is set. An open task is held while its state is `running`: its incarnation
-- alone writes for it. An open task that no process holds is durable: `queued`, `waiting` or `stuck`.
-- No foreign key to the call: retention removes a call before its tasks, and a task's events before the task.
CREATE TABLE @.task (
    task_no bigint GENERATED ALWAYS AS IDENTITY,
    task_id uuid PRIMARY KEY,
    call_id uuid NOT NULL,
    owner_id bigint NOT NULL,
    -- The incarnation that holds it or held it last.
    node_id bigint NOT NULL,
    incarnation bigint NOT NULL,
    app_id text NOT NULL,
    function text NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'running',
    -- True once the incarnation of a background task ended before the task did.
    abandoned boolean NOT NULL DEFAULT false,
    long_running boolean NOT NULL,
    percent double precision,
    message text,
    progress_at bigint,
    -- Grows with each report, so that other nodes can tell a new report from one that they have.
    progress_no bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    -- Null while no process holds the task.
    deadline_at bigint,
    cancel_requested_at bigint,
    finished_at bigint,
    -- The number of the turn that holds the result.
    outcome_seq bigint,
    -- Unique among the open tasks of an owner and an extension: start_task checks it under the owner's lock.
    key text,
    -- The name of the durable task within its extension; null for a background task.
    task_name text,
    -- The latest run of its body; 0 before the first.
    attempt bigint NOT NULL DEFAULT 1,
    waits_for text,
    -- From when on a claim may take the task; null while it is held or waits for an answer only.
    ready_at bigint,
    -- The version of the program that refused it last; '' if none did.
    refused_program text NOT NULL DEFAULT '',
    -- The steps so far as JSON, for people who watch it.
    steps text,
    -- When the process that held it was last known to be alive, once its latest attempt was cut off.
    interrupted_at bigint,
    -- Whether its latest attempts crashed: it is taken up alone. Kept while a process holds it.
    suspect boolean NOT NULL DEFAULT false,
    -- Since when it has been queued without an event; null once an event has said so.
    untold_since bigint,
    open_questions bigint NOT NULL DEFAULT 0,
    -- How many of its effects may have happened without a row that says so, for lists.
    open_effects bigint NOT NULL DEFAULT 0,
    -- The queue of a durable task, if it has one. The task holds a slot of it while it is running.
    queue text,
    -- JSON: the ended task that it goes on from or runs again.
    follows text
) WITH (fillfactor = 70);

CREATE INDEX task_of ON @.task (owner_id, task_no);
CREATE INDEX task_of_call ON @.task (call_id);
-- The open tasks of an owner, and those that processes hold.
CREATE INDEX task_open_of ON @.task (owner_id, state) WHERE finished_at IS NULL;
CREATE INDEX task_held ON @.task (node_id, incarnation) WHERE state = 'running';
-- Tasks that a renewal reads: few at any time.
CREATE INDEX task_asked ON @.task (node_id, incarnation) WHERE state = 'running' AND cancel_requested_at IS NOT NULL;
-- Tasks with unknown effects: few.
CREATE INDEX task_unknown ON @.task (open_effects)
    WHERE open_effects > 0 AND state IN ('queued', 'waiting', 'stuck');
-- Tasks that claims look at. Suspects are apart: a claim without one does not pay for them.
CREATE INDEX task_ready ON @.task (app_id, task_name, suspect, ready_at, task_no)
    WHERE ready_at IS NOT NULL AND queue IS NULL;
-- The same for tasks of queues: by owner for turns, and by time for the next look.
CREATE INDEX task_queued ON @.task (app_id, queue, suspect, owner_id, ready_at, task_no)
    WHERE ready_at IS NOT NULL AND queue IS NOT NULL;
CREATE INDEX task_queued_at ON @.task (app_id, queue, suspect, ready_at)
    WHERE ready_at IS NOT NULL AND queue IS NOT NULL;
-- The slots of queues that are taken.
CREATE INDEX task_slot ON @.task (app_id, queue, owner_id)
    WHERE state = 'running' AND NOT abandoned AND queue IS NOT NULL;
-- Tasks that mark_stuck looks at, by name: it reads no task of a known name.
CREATE INDEX task_untaken ON @.task (app_id, task_name, refused_program, ready_at)
    WHERE ready_at IS NOT NULL AND state <> 'stuck';
-- Few tasks at any time.
CREATE INDEX task_untold ON @.task (untold_since) WHERE untold_since IS NOT NULL;
CREATE INDEX task_cancelled ON @.task (cancel_requested_at, task_no)
    WHERE cancel_requested_at IS NOT NULL AND state IN ('queued', 'waiting', 'stuck');
-- Those that an incarnation left, and damaged ones: few at any time. One index, because each costs every write of a task.
CREATE INDEX task_lost ON @.task (task_no)
    WHERE state = 'running' AND abandoned
        OR state NOT IN ('running', 'queued', 'waiting', 'stuck', 'succeeded', 'failed', 'cancelled', 'timed_out',
                         'reclaimed')
        OR ready_at > 253402207200999999;

-- The queues that have had a task, with the number of their latest turn. A claim that serves a queue holds its row.
CREATE TABLE @.queue (
    app_id text NOT NULL,
    queue text NOT NULL,
    served bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, queue)
) WITH (fillfactor = 50);

-- The turn in which a queue served an owner last, or the one before the latest when its first task came. A change of a
-- row is made under the lock of the queue's row; the start of an owner's first task adds it.
CREATE TABLE @.queue_owner (
    app_id text NOT NULL,
    queue text NOT NULL,
    owner_id bigint NOT NULL REFERENCES @.owner,
    served bigint NOT NULL,
    PRIMARY KEY (app_id, queue, owner_id)
) WITH (fillfactor = 70);

-- Durable tasks that no claim takes up until an operator resumes them.
CREATE TABLE @.paused (
    app_id text NOT NULL,
    task_name text NOT NULL,
    since bigint NOT NULL,
    -- As the audit trail names it.
    paused_by text NOT NULL,
    PRIMARY KEY (app_id, task_name)
);

-- The rest that another process needs to continue a durable task. A row is changed under the lock of its task's row.
CREATE TABLE @.durable (
    task_no bigint PRIMARY KEY,
    -- JSON.
    input text NOT NULL,
    user_json text NOT NULL,
    root_task uuid NOT NULL,
    cap bigint NOT NULL,
    -- The running time of ended attempts, and when the current one began, or the one that the task ended in; null
    -- while no process holds the task.
    ran bigint NOT NULL DEFAULT 0,
    claimed_at bigint,
    -- The version of the program that started or took it last, for people.
    program text NOT NULL DEFAULT '',
    -- From when on a claim could take it, before the current attempt.
    was_ready_at bigint,
    -- Ends by a crash, and attempts, since the last progress.
    crashes bigint NOT NULL DEFAULT 0,
    fruitless bigint NOT NULL DEFAULT 0,
    -- When a version first refused it since its last progress.
    refused_since bigint,
    -- Since when it has been stuck; null in any other state.
    stuck_since bigint,
    -- The claim that took it: a node that lost the answer asks again under the same id.
    claim_id uuid,
    -- From when on retention removes the values of its steps; null while they are kept, and once they are gone.
    values_until bigint,
    -- JSON, for people: what the holder said of the attempt in which the task ended.
    notes text
) WITH (fillfactor = 70);

CREATE INDEX durable_stuck ON @.durable (stuck_since) WHERE stuck_since IS NOT NULL;
CREATE INDEX durable_values ON @.durable (values_until) WHERE values_until IS NOT NULL;

-- Attempts of durable tasks that ended without an outcome, for people. They go with their tasks.
CREATE TABLE @.attempt (
    task_no bigint NOT NULL,
    number bigint NOT NULL,
    node_id bigint NOT NULL,
    program text NOT NULL,
    began_at bigint NOT NULL,
    -- When its process was last known to be alive, if that was cut off.
    ended_at bigint NOT NULL,
    ended_by text NOT NULL,
    -- JSON, for people: what its holder said of it.
    notes text,
    PRIMARY KEY (task_no, number)
);

-- The stored steps of durable tasks. They go with their tasks.
CREATE TABLE @.step (
    task_no bigint NOT NULL,
    ordinal bigint NOT NULL,
    -- The attempt that stored it.
    attempt bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    began_at bigint NOT NULL,
    done_at bigint NOT NULL,
    -- How the value is written: 0 is the JSON itself. Other numbers are reserved.
    codec smallint NOT NULL DEFAULT 0,
    -- Null once it is no longer kept.
    value text,
    -- JSON.
    log text,
    PRIMARY KEY (task_no, ordinal)
);

-- The rows of effects: few. An end counts those of its task that are open.
CREATE INDEX step_effect ON @.step (task_no) WHERE kind IN ('intent', 'effect', 'not_done');

-- The questions of durable tasks. They go with their tasks. A question has a step, which has its name and, as the
-- value, the answer that the task goes on with. A row is changed under the lock of its task's row.
CREATE TABLE @.question (
    -- In the order in which a task asked them.
    question_no bigint GENERATED ALWAYS AS IDENTITY,
    question_id uuid PRIMARY KEY,
    task_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    text text NOT NULL,
    -- JSON, as the fallback.
    schema text NOT NULL,
    fallback text,
    -- open, then answered, expired or withdrawn. Any other word was damaged: such a question takes no answer.
    state text NOT NULL DEFAULT 'open',
    asked_at bigint NOT NULL,
    until bigint NOT NULL,
    answered_by text,
    answered_at bigint
);

CREATE INDEX question_of ON @.question (task_id, ordinal);
CREATE INDEX question_open ON @.question (task_id) WHERE state = 'open';

-- The columns of a task that change, as they were at the event.
CREATE TABLE @.task_event (
    owner_id bigint NOT NULL,
    seq bigint NOT NULL,
    task_id uuid NOT NULL,
    state text NOT NULL,
    percent double precision,
    message text,
    attempt bigint NOT NULL,
    waits_for text,
    ready_at bigint,
    steps text,
    open_questions bigint NOT NULL,
    open_effects bigint NOT NULL,
    deadline_at bigint,
    cancel_requested_at bigint,
    finished_at bigint,
    outcome_seq bigint,
    interrupted_at bigint,
    PRIMARY KEY (owner_id, seq)
);
