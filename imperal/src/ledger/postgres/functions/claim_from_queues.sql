-- Takes up tasks of the queues of these extensions, p_limit at most. p_limits is a row for each queue that the program
-- declares: extension, queue, slots, slots of one owner. Of any other queue one task runs at once.
CREATE OR REPLACE FUNCTION @.claim_from_queues(
    p_node_id bigint, p_incarnation bigint, p_claim_id uuid, p_apps text[], p_names text[], p_limits text[],
    p_program text, p_limit bigint, p_suspect boolean, p_max_running bigint, p_only_own boolean
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_claimed uuid[] := '{}';
    v_suspect boolean := p_suspect;
    v_queue record;
BEGIN
    FOR v_queue IN
        SELECT q.app_id, q.queue, l.at_most, l.per_user, array_agg(n.task_name) AS names
        FROM @.queue q
        JOIN unnest(p_apps, p_names) AS n (app_id, task_name) ON n.app_id = q.app_id
        LEFT JOIN LATERAL (
            SELECT p_limits[4 * i + 3]::bigint AS at_most, p_limits[4 * i + 4]::bigint AS per_user
            FROM generate_series(0, cardinality(p_limits) / 4 - 1) AS s (i)
            WHERE p_limits[4 * i + 1] = q.app_id AND p_limits[4 * i + 2] = q.queue LIMIT 1
        ) AS l ON true
        WHERE EXISTS (
                SELECT FROM @.task t
                WHERE t.app_id = q.app_id AND t.queue = q.queue AND NOT t.suspect AND t.ready_at <= v_now)
            OR p_suspect AND EXISTS (
                SELECT FROM @.task t
                WHERE t.app_id = q.app_id AND t.queue = q.queue AND t.suspect AND t.ready_at <= v_now)
        GROUP BY q.app_id, q.queue, l.at_most, l.per_user
        -- Another order each time: no queue always comes first.
        ORDER BY random()
    LOOP
        EXIT WHEN cardinality(v_claimed) >= p_limit;
        v_claimed := v_claimed || @.claim_from_queue(
            p_node_id, p_incarnation, p_claim_id, v_queue.app_id, v_queue.queue, coalesce(v_queue.at_most, 1),
            coalesce(v_queue.per_user, 1), v_queue.names, p_program, p_limit - cardinality(v_claimed),
            v_suspect, p_max_running, p_only_own);
        IF v_suspect AND cardinality(v_claimed) > 0 THEN v_suspect := NOT @.has_suspect(v_claimed); END IF;
    END LOOP;
    RETURN v_claimed;
END $$;
