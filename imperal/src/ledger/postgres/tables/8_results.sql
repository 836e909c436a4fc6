-- The results of functions.

-- A task with everything that a reader needs. `body` is the outcome turn.
CREATE VIEW @.task_record AS
    SELECT t.task_no, t.task_id, t.call_id, t.app_id, t.function, t.name, t.state, t.long_running, t.percent,
           t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, o.body,
           n.node, t.incarnation, w.tenant_id, w.user_id, t.owner_id, w.head, t.abandoned, t.key
    FROM @.task t
    JOIN @.owner w ON w.owner_id = t.owner_id
    JOIN @.node n ON n.node_id = t.node_id
    LEFT JOIN @.turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq;

-- The number, time and owner of a turn that was written.
CREATE TYPE @.stamp AS (seq bigint, at bigint, owner_id bigint, tenant_id text, user_id text);
