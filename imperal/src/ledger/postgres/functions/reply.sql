-- Writes the reply of a call. p_reclaim: on behalf of an incarnation that has ended; then the owner's numbers are repaired
-- first. p_task_id: the task that the same transaction ends next. It is locked before the owner, as everywhere.
CREATE OR REPLACE FUNCTION @.reply(
    p_node text, p_incarnation bigint, p_call_id uuid, p_reclaim boolean, p_turn_id uuid, p_body text,
    p_task_id uuid DEFAULT NULL
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_stamp @.stamp;
BEGIN
    SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_reclaim THEN
        IF v_call.state = 'open' THEN PERFORM @.refuse('IM011'); END IF;
    ELSIF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM010');
    END IF;
    IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
    IF p_task_id IS NOT NULL THEN PERFORM FROM @.task t WHERE t.task_id = p_task_id FOR UPDATE; END IF;
    IF p_reclaim THEN PERFORM @.repair_numbers(v_call.owner_id); END IF;
    v_stamp := @.write_turn(v_call.owner_id, 1, p_turn_id, p_body);
    UPDATE @.call SET state = 'replied', reply_seq = v_stamp.seq WHERE call_id = p_call_id;
    -- A claim takes a call's tasks only after the reply.
    v_stamp.has_ready_tasks := @.remove_drafts(v_call.owner_id, p_call_id, NULL);
    RETURN v_stamp;
END $$;
