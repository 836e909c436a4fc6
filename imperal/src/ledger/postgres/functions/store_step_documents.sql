-- Stores a step of a task's attempt together with documents of the task's owner. p_step: ordinal, kind, name, duration,
-- value, log. The arrays are those of put_documents.
CREATE OR REPLACE FUNCTION @.store_step_documents(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_step text[], p_app text,
    p_collections text[], p_ids bytea[], p_expected bigint[], p_bodies text[], p_shapes bigint[], p_sets bigint[],
    p_expiries bigint[], p_key_places bigint[], p_key_indexes bigint[], p_keys bytea[], p_request bigint,
    p_max_documents bigint, p_max_bytes bigint
) RETURNS TABLE (written bigint, existed boolean) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_now bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR SHARE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
    IF v_task.task_name IS NULL THEN PERFORM @.refuse('IM003'); END IF;
    v_now := @.micros();
    -- The step comes first: a repeated one is refused as such.
    INSERT INTO @.step (task_no, ordinal, attempt, kind, name, began_at, done_at, value, log)
    VALUES (v_task.task_no, p_step[1]::bigint, p_attempt, p_step[2], p_step[3], v_now - p_step[4]::bigint, v_now,
            p_step[5], p_step[6]);
    RETURN QUERY SELECT * FROM @.put_documents(
        v_task.owner_id, p_app, p_collections, p_ids, p_expected, p_bodies, p_shapes, p_sets, p_expiries,
        p_key_places, p_key_indexes, p_keys, p_request, p_max_documents, p_max_bytes, false);
END $$;
