-- Refuses a write of a call or a task's attempt for an owner that is not its own, or that it may not make any more.
-- FOR SHARE: the work cannot be settled between this check and the commit.
CREATE OR REPLACE FUNCTION @.check_owned_work(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_owner_id bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_task @.task;
BEGIN
    IF p_call_id IS NOT NULL THEN
        SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id AND owner_id = p_owner_id FOR SHARE;
        IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
        IF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN PERFORM @.refuse('IM010'); END IF;
        IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
    ELSE
        SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id AND owner_id = p_owner_id FOR SHARE;
        IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
        PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
    END IF;
END $$;
