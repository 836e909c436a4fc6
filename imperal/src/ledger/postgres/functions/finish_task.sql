-- Ends a task with its outcome turn and audit row. p_attempt is null for a reclaim, on behalf of an incarnation that
-- has ended or of a durable task that no process holds; then the owner's numbers are repaired first. A task whose
-- call is missing waits for no reply. p_notes: what the holder says of the attempt.
CREATE OR REPLACE FUNCTION @.finish_task(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_state text, p_turn_id uuid, p_body text,
    p_audit text[], p_open_effects bigint, p_notes text
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_code text;
BEGIN
    -- FOR UPDATE waits for steps of the attempt that are being stored.
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_attempt IS NOT NULL THEN
        -- The same check as check_attempt, without a call: that costs more than a statement.
        IF v_task.state <> 'running' OR v_task.node_id <> v_node_id OR v_task.incarnation <> p_incarnation
            OR v_task.attempt <> p_attempt
        THEN
            PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
        END IF;
        IF NOT @.is_replied(v_task.call_id) THEN PERFORM @.refuse('IM004'); END IF;
    ELSE
        v_code := @.unreclaimable(v_task);
        IF v_code IS NOT NULL THEN PERFORM @.refuse(v_code); END IF;
        PERFORM @.repair_numbers(v_task.owner_id);
    END IF;
    IF p_notes IS NOT NULL THEN UPDATE @.durable SET notes = p_notes WHERE task_no = v_task.task_no; END IF;
    RETURN @.end_task(v_task, p_state, p_turn_id, p_body, p_audit, p_open_effects, false);
END $$;
