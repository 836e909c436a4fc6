-- The results of functions.

-- A task with everything that a reader needs. `body` is the outcome turn.
CREATE VIEW @.task_record AS
    SELECT t.task_no, t.task_id, t.call_id, t.app_id, t.function, t.name, t.state, t.long_running, t.percent,
           t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, o.body,
           n.node, t.incarnation, w.tenant_id, w.user_id, t.owner_id, w.head, t.abandoned, t.key,
           t.task_name IS NOT NULL AS durable, t.attempt,
           -- A queued task of a paused name waits for that.
           CASE WHEN t.state = 'queued' AND EXISTS (
               SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
           THEN 'paused' ELSE t.waits_for END AS waits_for, t.ready_at, t.steps, o.turn_id AS outcome_id,
           t.interrupted_at, t.open_questions, t.queue, t.open_effects, t.follows
    FROM @.task t
    JOIN @.owner w ON w.owner_id = t.owner_id
    JOIN @.node n ON n.node_id = t.node_id
    LEFT JOIN @.turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq;

-- A durable task as a claim returns it.
CREATE VIEW @.claimed_task AS
    SELECT r.*, t.task_name, d.input, d.user_json, d.root_task, d.ran, d.crashes, d.claimed_at, d.was_ready_at,
           -- Without the attempt that the claim began.
           d.fruitless - 1 AS fruitless,
           EXISTS (SELECT FROM @.step s WHERE s.task_no = t.task_no) AS has_steps
    FROM @.task_record r
    JOIN @.task t ON t.task_id = r.task_id
    JOIN @.durable d ON d.task_no = t.task_no;

-- A question with everything that a reader needs. `value` is that of its step.
CREATE VIEW @.question_record AS
    SELECT q.question_no, q.question_id, q.task_id, q.ordinal, s.name, q.text, q.schema, q.fallback, q.state, q.asked_at,
           q.until, s.value, q.answered_by, q.answered_at, t.owner_id, w.head, w.tenant_id, w.user_id
    FROM @.question q
    JOIN @.task t ON t.task_id = q.task_id
    JOIN @.owner w ON w.owner_id = t.owner_id
    LEFT JOIN @.step s ON s.task_no = t.task_no AND s.ordinal = q.ordinal;

-- The number, time and owner of a turn that was written, and whether the owner has tasks that are ready to be
-- claimed.
CREATE TYPE @.stamp AS (
    seq bigint, at bigint, owner_id bigint, tenant_id text, user_id text, has_ready_tasks boolean
);
