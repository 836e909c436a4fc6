-- Writes a call together with its reply. Returns the stamp of the reply, whose number follows that of the call's turn,
-- and the time of the call's turn. The call starts nothing, so it makes no task ready. The refusals are those of
-- accept_call.
CREATE OR REPLACE FUNCTION @.answer_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text,
    p_max_stored bigint, p_reply_id uuid, p_reply text,
    OUT seq bigint, OUT at bigint, OUT owner_id bigint, OUT tenant_id text, OUT user_id text,
    OUT has_ready_tasks boolean, OUT asked_at bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_asked @.stamp := @.write_turn(@.find_or_add_owner(p_tenant, p_user), 1, p_turn_id, p_body);
    v_replied @.stamp;
BEGIN
    INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq, state, reply_seq)
    VALUES (p_call_id, v_asked.owner_id, v_node_id, p_incarnation, v_asked.seq, 'replied', v_asked.seq + 1);
    IF p_max_stored IS NOT NULL THEN PERFORM @.check_stored(v_asked.owner_id, p_max_stored); END IF;
    v_replied := @.write_turn(v_asked.owner_id, 1, p_reply_id, p_reply);
    seq := v_replied.seq;
    at := v_replied.at;
    owner_id := v_replied.owner_id;
    tenant_id := v_replied.tenant_id;
    user_id := v_replied.user_id;
    has_ready_tasks := false;
    asked_at := v_asked.at;
END $$;
