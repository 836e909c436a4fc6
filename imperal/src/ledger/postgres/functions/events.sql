-- A page of the owner's events after a number. Turns and task events come in index order, each up to the limit of rows
-- and one more, however many follow; the texts behind the limit of bytes are not read. `following`: there are more. If
-- the next event was pruned, a row with number 0 comes first, with the last pruned number in the column of the time.
CREATE OR REPLACE FUNCTION @.events(p_tenant text, p_user text, p_after bigint, p_most bigint, p_bytes bigint)
RETURNS TABLE (
    seq bigint, at bigint, body text, task_id text, call_id text, app_id text, function text, name text, state text,
    long_running boolean, percent double precision, message text, created_at bigint, deadline_at bigint,
    cancel_requested_at bigint, finished_at bigint, key text, turn_id text, durable boolean, attempt bigint,
    waits_for text, ready_at bigint, steps text, interrupted_at bigint, open_questions bigint, open_effects bigint,
    queue text, follows text, following boolean
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_owner_id bigint;
    v_head bigint;
    v_pruned bigint;
BEGIN
    -- Once: each look costs as much as the read of an event.
    SELECT o.owner_id, o.head, o.pruned INTO v_owner_id, v_head, v_pruned
    FROM @.owner o WHERE o.owner_key = @.owner_key(p_tenant, p_user);
    IF NOT FOUND OR v_head <= p_after AND v_pruned <= p_after THEN RETURN; END IF;
    RETURN QUERY SELECT q.seq, q.at, q.body, q.task_id, q.call_id, q.app_id, q.function, q.name, q.state, q.long_running,
        q.percent, q.message, q.created_at, q.deadline_at, q.cancel_requested_at, q.finished_at, q.key, q.turn_id,
        q.durable, q.attempt, q.waits_for, q.ready_at, q.steps, q.interrupted_at, q.open_questions, q.open_effects,
        q.queue, q.follows, q.following
    FROM (
        SELECT p.*, lead(p.seq) OVER w IS NOT NULL AS following,
            row_number() OVER w = 1 OR sum(p.size) OVER w <= p_bytes AS fits
        FROM (
            SELECT 0::bigint AS seq, v_pruned AS at, NULL AS body, NULL AS turn_id, NULL AS task_id, NULL AS call_id,
                NULL AS app_id, NULL AS function, NULL AS name, NULL AS state, NULL::boolean AS long_running,
                NULL::double precision AS percent, NULL AS message, NULL::bigint AS created_at,
                NULL::bigint AS deadline_at, NULL::bigint AS cancel_requested_at, NULL::bigint AS finished_at,
                NULL AS key, NULL::boolean AS durable, NULL::bigint AS attempt, NULL AS waits_for,
                NULL::bigint AS ready_at, NULL AS steps, NULL::bigint AS interrupted_at,
                NULL::bigint AS open_questions, NULL::bigint AS open_effects, NULL AS queue, NULL AS follows, 0 AS size
            WHERE v_pruned > p_after AND v_pruned <= v_head
            UNION ALL
            (SELECT seq, at, body, turn_id::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL::boolean,
                NULL::double precision, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL,
                NULL::boolean, NULL::bigint, NULL, NULL::bigint, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL,
                NULL, octet_length(body)
            FROM @.turn
            WHERE owner_id = v_owner_id AND seq > p_after AND seq <= v_head
            ORDER BY seq LIMIT p_most + 1)
            UNION ALL
            (SELECT e.seq, NULL, NULL, NULL, e.task_id::text, t.call_id::text, t.app_id, t.function, t.name, e.state,
                t.long_running, e.percent, e.message, t.created_at, e.deadline_at, e.cancel_requested_at,
                e.finished_at, t.key, t.task_name IS NOT NULL, e.attempt, e.waits_for, e.ready_at, e.steps,
                e.interrupted_at, e.open_questions, e.open_effects, t.queue, t.follows,
                500 + octet_length(concat(t.name, e.message, t.key, e.steps))
            FROM @.task_event e LEFT JOIN @.task t ON t.task_id = e.task_id
            WHERE e.owner_id = v_owner_id AND e.seq > p_after AND e.seq <= v_head
            ORDER BY e.seq LIMIT p_most + 1)
            ORDER BY 1 LIMIT p_most + 1
        ) AS p WINDOW w AS (ORDER BY p.seq)
    ) AS q WHERE q.fits ORDER BY q.seq LIMIT greatest(p_most, 1);
END $$;
