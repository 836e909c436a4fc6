-- Ends tasks as finish_task does without an attempt, in one transaction. One row for each, in their order: the code of its
-- refusal, or the stamp of its outcome. p_audits: eight texts for each. 55P03: another transaction holds the row of the
-- owner, whose id is in the stamp. With p_waits the statement waits for it, and fails after a second.
CREATE OR REPLACE FUNCTION @.reclaim_tasks(
    p_node text, p_incarnation bigint, p_waits boolean, p_task_ids uuid[], p_states text[], p_turn_ids uuid[],
    p_bodies text[], p_audits text[], p_open_effects bigint[], p_notes text[]
) RETURNS TABLE (code text, stamp @.stamp) LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_locked bigint[];
BEGIN
    PERFORM @.fence(p_node, p_incarnation);
    PERFORM set_config('lock_timeout', '1s', true);
    -- Tasks before owners, as everywhere, and only the owners of tasks that end: other nodes may have ended the rest.
    PERFORM FROM @.task t WHERE t.task_id = ANY (p_task_ids) ORDER BY t.task_id FOR UPDATE;
    v_locked := @.lock_left_owners(
        ARRAY(SELECT t.owner_id FROM @.task t WHERE t.task_id = ANY (p_task_ids) AND @.unreclaimable(t) IS NULL), p_waits);
    FOR v_place IN 1 .. cardinality(p_task_ids) LOOP
        SELECT * INTO v_task FROM @.task t WHERE t.task_id = p_task_ids[v_place];
        code := CASE WHEN NOT FOUND THEN 'IM003' ELSE @.unreclaimable(v_task) END;
        stamp := NULL;
        IF code IS NULL AND v_task.owner_id <> ALL (v_locked) THEN
            code := '55P03';
            stamp.owner_id := v_task.owner_id;
        ELSIF code IS NULL THEN
            IF p_notes[v_place] IS NOT NULL THEN
                UPDATE @.durable SET notes = p_notes[v_place] WHERE task_no = v_task.task_no;
            END IF;
            stamp := @.end_task(
                v_task, p_states[v_place], p_turn_ids[v_place], p_bodies[v_place],
                p_audits[8 * v_place - 7 : 8 * v_place], p_open_effects[v_place], false);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
