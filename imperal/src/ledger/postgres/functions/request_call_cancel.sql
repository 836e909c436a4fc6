-- Notes that one of the owner's calls was asked to stop, and writes the audit row. For a second request, or a call that
-- has its reply, it writes the audit row only. Returns the node of the call, and whether it has its reply.
CREATE OR REPLACE FUNCTION @.request_call_cancel(
    p_tenant text, p_user text, p_call_id uuid, p_audit text[], OUT node text, OUT is_replied boolean
) LANGUAGE plpgsql AS $$
DECLARE v_call @.call;
BEGIN
    SELECT * INTO v_call FROM @.call c
    WHERE c.call_id = p_call_id AND c.owner_id = @.find_owner(p_tenant, p_user) FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    is_replied := @.is_replied(p_call_id);
    IF NOT is_replied THEN
        UPDATE @.call SET cancel_requested_at = @.micros() WHERE call_id = p_call_id AND cancel_requested_at IS NULL;
    END IF;
    PERFORM @.write_audit(p_audit);
    SELECT n.node INTO node FROM @.node n WHERE n.node_id = v_call.node_id;
END $$;
