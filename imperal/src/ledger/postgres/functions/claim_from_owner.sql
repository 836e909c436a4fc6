-- Takes up the next task of an owner in a queue that a claim may take. p_names: the durable tasks of the queue's
-- extension that the program has. The outcome is that of claim_task. The caller holds the queue's row.
CREATE OR REPLACE FUNCTION @.claim_from_owner(
    p_node_id bigint, p_incarnation bigint, p_claim_id uuid, p_app text, p_queue text, p_owner_id bigint, p_names text[],
    p_program text, p_suspect boolean, p_max_running bigint, p_only_own boolean, p_now bigint,
    OUT outcome text, OUT claimed_id uuid
) LANGUAGE plpgsql AS $$
BEGIN
    outcome := 'gone';
    FOR claimed_id IN
        -- Suspects and others are merged in the order of the index.
        SELECT c.task_id FROM (
            SELECT t.* FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND NOT t.suspect AND t.owner_id = p_owner_id
                AND t.ready_at <= p_now
            UNION ALL
            SELECT t.* FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND t.suspect AND t.owner_id = p_owner_id
                AND t.ready_at <= p_now AND p_suspect
        ) AS c
        WHERE c.state <> 'running' AND c.outcome_seq IS NULL AND c.task_name = ANY (p_names)
            AND (NOT p_only_own OR c.node_id = p_node_id AND c.incarnation = p_incarnation)
            AND @.running_tasks(p_owner_id) < p_max_running
            AND c.refused_program <> p_program AND @.is_replied(c.call_id)
        ORDER BY c.ready_at, c.task_no
    LOOP
        outcome := @.claim_task(p_node_id, p_incarnation, p_claim_id, claimed_id, p_program, p_suspect, p_max_running);
        EXIT WHEN outcome <> 'gone';
    END LOOP;
END $$;
