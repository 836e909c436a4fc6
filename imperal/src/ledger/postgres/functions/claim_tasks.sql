-- Takes up tasks of these extensions and names, except those that are paused, in the order in which they became ready, with an event each; those of
-- queues in their turns, within p_limits (see claim_from_queues). Waits for
-- no other transaction: a task or an owner that another one holds is skipped, and the task stays ready.
-- p_claim_id: tasks that the incarnation holds under it already are returned instead; the answer was lost.
-- p_only_own: only tasks that the incarnation started or held last.
CREATE OR REPLACE FUNCTION @.claim_tasks(
    p_node text, p_incarnation bigint, p_claim_id uuid, p_apps text[], p_names text[], p_limits text[], p_program text,
    p_limit bigint, p_suspect boolean, p_max_running bigint, p_only_own boolean
) RETURNS SETOF @.claimed_task LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_now bigint := @.micros();
    v_claimed uuid[];
    v_is_new boolean;
    v_has_more boolean := false;
    -- How many tasks of queues come before others: half. Of a single one chance decides, so that neither kind starves.
    v_share bigint := CASE WHEN p_limit = 1 THEN (random() < 0.5)::int ELSE (p_limit + 1) / 2 END;
    -- Owners that are locked, or have as many running tasks as they may.
    v_full bigint[] := '{}';
    -- Suspects of queues and others starve neither: by chance the queues leave the only one to the others.
    v_suspect_left boolean := p_suspect AND random() < 0.5;
    v_suspect boolean := p_suspect;
    -- Candidates are read in pieces, each from the last one on.
    v_next record;
    v_seen bigint;
    v_at bigint := -9223372036854775808;
    v_no bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('imperal claim ' || p_claim_id, 0)) THEN
        RAISE EXCEPTION 'the claim is still at work' USING ERRCODE = 'lock_not_available';
    END IF;
    SELECT coalesce(array_agg(t.task_id ORDER BY t.task_no), '{}') INTO v_claimed
    FROM @.task t JOIN @.durable d ON d.task_no = t.task_no
    WHERE t.node_id = v_node_id AND t.incarnation = p_incarnation AND t.state = 'running' AND d.claim_id = p_claim_id;
    v_is_new := cardinality(v_claimed) = 0;
    SELECT coalesce(array_agg(n.app_id), '{}'), coalesce(array_agg(n.task_name), '{}') INTO p_apps, p_names
    FROM unnest(p_apps, p_names) AS n (app_id, task_name)
    WHERE NOT EXISTS (SELECT FROM @.paused p WHERE p.app_id = n.app_id AND p.task_name = n.task_name);
    IF v_is_new THEN
        IF v_suspect_left THEN v_suspect_left := @.has_ready_suspect(p_apps, p_names, v_now); END IF;
        v_claimed := @.claim_from_queues(
            v_node_id, p_incarnation, p_claim_id, p_apps, p_names, p_limits, p_program, v_share,
            p_suspect AND NOT v_suspect_left, p_max_running, p_only_own);
        v_has_more := cardinality(v_claimed) >= v_share;
        IF cardinality(v_claimed) > 0 THEN v_suspect := p_suspect AND NOT @.has_suspect(v_claimed); END IF;
    END IF;
    WHILE v_is_new LOOP
        v_seen := 0;
        FOR v_next IN
            SELECT c.* FROM unnest(p_apps, p_names) AS n (app_id, task_name)
            CROSS JOIN (VALUES (false), (true)) AS k (suspect) CROSS JOIN LATERAL (
                SELECT t.task_id, t.task_no, t.owner_id, t.ready_at, t.suspect FROM @.task t
                WHERE t.app_id = n.app_id AND t.task_name = n.task_name AND t.suspect = k.suspect AND t.queue IS NULL
                    AND t.ready_at BETWEEN v_at AND v_now
                    AND t.state <> 'running' AND t.outcome_seq IS NULL
                    AND (NOT p_only_own OR t.node_id = v_node_id AND t.incarnation = p_incarnation)
                    AND (t.ready_at, t.task_no) > (v_at, v_no) AND t.owner_id <> ALL (v_full)
                    -- Looked at here without a lock, so that a claim locks no owner for nothing.
                    AND @.running_tasks(t.owner_id) < p_max_running
                    AND t.refused_program <> p_program AND @.is_replied(t.call_id)
                ORDER BY t.ready_at, t.task_no LIMIT 2 * p_limit
            ) AS c WHERE v_suspect OR NOT k.suspect ORDER BY c.ready_at, c.task_no LIMIT 2 * p_limit
        LOOP
            EXIT WHEN cardinality(v_claimed) >= p_limit;
            v_seen := v_seen + 1;
            v_at := v_next.ready_at;
            v_no := v_next.task_no;
            CONTINUE WHEN v_next.owner_id = ANY (v_full) OR v_next.suspect AND NOT v_suspect;
            CASE @.claim_task(v_node_id, p_incarnation, p_claim_id, v_next.task_id, p_program, v_suspect, p_max_running)
                WHEN 'claimed' THEN v_claimed := v_claimed || v_next.task_id;
                WHEN 'suspect' THEN
                    v_claimed := v_claimed || v_next.task_id;
                    v_suspect := false;
                WHEN 'full' THEN v_full := v_full || v_next.owner_id;
                ELSE NULL;
            END CASE;
        END LOOP;
        EXIT WHEN v_seen = 0 OR v_seen < 2 * p_limit;
    END LOOP;
    IF v_has_more AND cardinality(v_claimed) < p_limit THEN
        v_claimed := v_claimed || @.claim_from_queues(
            v_node_id, p_incarnation, p_claim_id, p_apps, p_names, p_limits, p_program,
            p_limit - cardinality(v_claimed), v_suspect, p_max_running, p_only_own);
    END IF;
    RETURN QUERY SELECT c.* FROM unnest(v_claimed) WITH ORDINALITY AS u (task_id, place)
        JOIN @.claimed_task c ON c.task_id = u.task_id ORDER BY u.place;
END $$;
