-- Writes a call together with its reply. Returns the stamp of the reply, whose number follows that of the call's turn,
-- and the time of the call's turn. The call starts nothing, so it makes no task ready.
CREATE OR REPLACE FUNCTION @.answer_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text,
    p_max_stored bigint, p_reply_id uuid, p_reply text,
    OUT seq bigint, OUT at bigint, OUT owner_id bigint, OUT tenant_id text, OUT user_id text,
    OUT has_ready_tasks boolean, OUT asked_at bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_asked @.stamp := @.accept_call(
        p_node, p_incarnation, p_call_id, p_tenant, p_user, p_turn_id, p_body, p_max_stored);
    v_replied @.stamp := @.write_turn(v_asked.owner_id, 1, p_reply_id, p_reply);
BEGIN
    UPDATE @.call c SET state = 'replied', reply_seq = v_replied.seq WHERE c.call_id = p_call_id;
    SELECT v_replied.seq, v_replied.at, v_replied.owner_id, v_replied.tenant_id, v_replied.user_id, false, v_asked.at
    INTO seq, at, owner_id, tenant_id, user_id, has_ready_tasks, asked_at;
END $$;
