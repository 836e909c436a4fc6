-- Begins or ends the work of a job: a call without turns. The row goes with its end unless a task belongs to it. Returns
-- whether a task is ready that waited for the end.
CREATE OR REPLACE FUNCTION @.write_job(
    p_node text, p_incarnation bigint, p_owner_id bigint, p_step text, p_call_id uuid
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
BEGIN
    IF p_step = 'begin' THEN
        INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq, silent)
        SELECT p_call_id, p_owner_id, v_node_id, p_incarnation, o.head, true
        FROM @.owner o WHERE o.owner_id = p_owner_id;
        RETURN false;
    END IF;
    SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id AND silent FOR UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_step = 'reclaim' THEN
        IF v_call.state = 'open' THEN PERFORM @.refuse('IM011'); END IF;
    ELSIF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM010');
    END IF;
    IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
    -- A start of a task holds the row while it reads the call.
    PERFORM FROM @.owner o WHERE o.owner_id = v_call.owner_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM @.task t WHERE t.call_id = p_call_id) THEN
        UPDATE @.call SET state = 'replied' WHERE call_id = p_call_id;
        RETURN @.remove_drafts(v_call.owner_id, p_call_id, NULL);
    END IF;
    DELETE FROM @.call WHERE call_id = p_call_id;
    RETURN false;
END $$;
