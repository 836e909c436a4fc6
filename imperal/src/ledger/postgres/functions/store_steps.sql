-- Stores steps of tasks that the incarnation holds in the named attempts, all in one commit. Returns the refusals:
-- the step's place in the arrays and the code. Takes no owner's lock.
CREATE OR REPLACE FUNCTION @.store_steps(
    p_node text, p_incarnation bigint, p_task_ids uuid[], p_attempts bigint[], p_ordinals bigint[], p_kinds text[],
    p_names text[], p_tooks bigint[], p_values text[], p_logs text[]
) RETURNS TABLE (place bigint, code text) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_now bigint := @.micros();
    v_count bigint;
    v_stored bigint[];
    v_has_effects boolean := p_kinds && '{intent,effect,not_done}';
BEGIN
    IF v_has_effects THEN
        -- The rows of effects change their tasks as well. Locked in one order, so that two batches cannot wait for each
        -- other.
        PERFORM FROM @.task t
        WHERE t.task_id IN (SELECT u.task_id FROM unnest(p_task_ids, p_kinds) AS u (task_id, kind)
                            WHERE u.kind IN ('intent', 'effect', 'not_done'))
        ORDER BY t.task_id FOR NO KEY UPDATE;
    END IF;
    WITH held AS MATERIALIZED (
        SELECT u.*, t.task_no
        FROM unnest(p_task_ids, p_attempts, p_ordinals, p_kinds, p_names, p_tooks, p_values, p_logs)
            WITH ORDINALITY AS u (task_id, attempt, ordinal, kind, name, took, value, log, place)
        JOIN @.task t ON t.task_id = u.task_id
        WHERE t.node_id = v_node_id AND t.incarnation = p_incarnation AND t.attempt = u.attempt
            AND t.state = 'running' AND t.task_name IS NOT NULL
        -- The attempt cannot be released or ended between this check and the commit. Progress does not wait.
        FOR KEY SHARE OF t
    ), stored AS (
        INSERT INTO @.step AS s (task_no, ordinal, attempt, kind, name, began_at, done_at, value, log)
        SELECT h.task_no, h.ordinal, h.attempt, h.kind, h.name, v_now - h.took, v_now, h.value, h.log
        FROM held h ORDER BY h.task_no, h.ordinal, h.place
        ON CONFLICT DO NOTHING RETURNING s.task_no, s.ordinal
    )
    SELECT count(*), array_agg(s.task_no << 16 | s.ordinal) INTO v_count, v_stored FROM stored s;
    IF v_has_effects THEN
        UPDATE @.task t SET open_effects = greatest(@.sound(t.open_effects) + c.more, 0)
        FROM (
            SELECT s.task_no, sum(CASE s.kind WHEN 'intent' THEN 1 ELSE -1 END) AS more
            FROM unnest(v_stored) AS u (place) JOIN @.step s ON s.task_no = u.place >> 16 AND s.ordinal = u.place & 65535
            WHERE s.kind IN ('intent', 'effect', 'not_done') GROUP BY s.task_no
        ) AS c
        WHERE t.task_id = ANY (p_task_ids) AND t.task_no = c.task_no;
    END IF;
    IF v_count = cardinality(p_task_ids) THEN RETURN; END IF;
    RETURN QUERY
    SELECT u.place, CASE
            WHEN t.task_id IS NULL THEN 'IM003'
            WHEN t.node_id <> v_node_id OR t.incarnation <> p_incarnation OR t.attempt <> u.attempt
                OR t.state IN ('queued', 'waiting', 'stuck') THEN 'IM010'
            WHEN @.state_of(t) <> 'running' THEN 'IM008'
            WHEN t.task_name IS NULL THEN 'IM003'
            ELSE 'IM009'
        END
    FROM (
        -- The first of several copies is the one that was stored.
        SELECT n.*, row_number() OVER (PARTITION BY n.task_id, n.attempt, n.ordinal ORDER BY n.place) AS copy
        FROM unnest(p_task_ids, p_attempts, p_ordinals) WITH ORDINALITY AS n (task_id, attempt, ordinal, place)
    ) AS u
    LEFT JOIN @.task t ON t.task_id = u.task_id
    WHERE t.task_id IS NULL OR t.attempt <> u.attempt OR u.copy > 1
        OR (t.task_no << 16 | u.ordinal) <> ALL (coalesce(v_stored, '{}'));
END $$;
