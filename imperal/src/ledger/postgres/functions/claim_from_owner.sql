-- Takes up the next task of an owner in a queue that a claim may take. p_names: the durable tasks of the queue's
-- extension that the program has. The outcome is that of claim_task. The caller holds the queue's row.
CREATE OR REPLACE FUNCTION @.claim_from_owner(
    p_node_id bigint, p_incarnation bigint, p_claim_id uuid, p_app text, p_queue text, p_owner_id bigint, p_names text[],
    p_program text, p_suspect boolean, p_max_running bigint, p_only_own boolean, p_now bigint,
    OUT outcome text, OUT claimed_id uuid
) LANGUAGE plpgsql AS $$
DECLARE
    -- Candidates are read in pieces, each from the last one on: without a limit the planner may read and sort all.
    c_piece constant bigint := 16;
    v_next record;
    v_seen bigint;
    v_at bigint := -9223372036854775808;
    v_no bigint := 0;
BEGIN
    outcome := 'gone';
    LOOP
        v_seen := 0;
        FOR v_next IN
            SELECT c.* FROM (VALUES (false), (true)) AS k (suspect) CROSS JOIN LATERAL (
                SELECT t.task_id, t.task_no, t.ready_at FROM @.task t
                WHERE t.app_id = p_app AND t.queue = p_queue AND t.suspect = k.suspect AND t.owner_id = p_owner_id
                    AND t.ready_at BETWEEN v_at AND p_now AND (t.ready_at, t.task_no) > (v_at, v_no)
                    AND t.state <> 'running' AND t.outcome_seq IS NULL AND t.task_name = ANY (p_names)
                    AND (NOT p_only_own OR t.node_id = p_node_id AND t.incarnation = p_incarnation)
                    AND @.running_tasks(p_owner_id) < p_max_running
                    AND t.refused_program <> p_program AND @.is_replied(t.call_id)
                ORDER BY t.ready_at, t.task_no LIMIT c_piece
            ) AS c WHERE p_suspect OR NOT k.suspect ORDER BY c.ready_at, c.task_no LIMIT c_piece
        LOOP
            v_seen := v_seen + 1;
            v_at := v_next.ready_at;
            v_no := v_next.task_no;
            outcome := @.claim_task(
                p_node_id, p_incarnation, p_claim_id, v_next.task_id, p_program, p_suspect, p_max_running);
            IF outcome <> 'gone' THEN
                claimed_id := v_next.task_id;
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN v_seen < c_piece;
    END LOOP;
END $$;
