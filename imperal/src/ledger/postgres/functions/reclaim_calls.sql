-- Replies to calls as reply does for a reclaim, in one transaction. One row for each, in their order: the code of its
-- refusal, or the stamp of its reply. 55P03 and p_waits as in reclaim_tasks.
CREATE OR REPLACE FUNCTION @.reclaim_calls(
    p_node text, p_incarnation bigint, p_waits boolean, p_call_ids uuid[], p_turn_ids uuid[], p_bodies text[]
) RETURNS TABLE (code text, stamp @.stamp) LANGUAGE plpgsql AS $$
DECLARE
    v_call @.call;
    v_locked bigint[];
BEGIN
    PERFORM @.fence(p_node, p_incarnation);
    PERFORM set_config('lock_timeout', '1s', true);
    -- Calls before owners, as everywhere, and only the owners of calls that get a reply: other nodes may have settled the
    -- rest.
    PERFORM FROM @.call c WHERE c.call_id = ANY (p_call_ids) ORDER BY c.call_id FOR NO KEY UPDATE;
    v_locked := @.lock_left_owners(
        ARRAY(SELECT c.owner_id FROM @.call c WHERE c.call_id = ANY (p_call_ids) AND c.state NOT IN ('open', 'replied')),
        p_waits);
    FOR v_place IN 1 .. cardinality(p_call_ids) LOOP
        SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_ids[v_place];
        code := CASE WHEN NOT FOUND THEN 'IM003' WHEN v_call.state = 'open' THEN 'IM011'
                     WHEN v_call.state = 'replied' THEN 'IM002' END;
        stamp := NULL;
        IF code IS NULL AND v_call.owner_id <> ALL (v_locked) THEN
            code := '55P03';
            stamp.owner_id := v_call.owner_id;
        ELSIF code IS NULL THEN
            stamp := @.write_turn(v_call.owner_id, 1, p_turn_ids[v_place], p_bodies[v_place]);
            UPDATE @.call SET state = 'replied', reply_seq = stamp.seq WHERE call_id = v_call.call_id;
            -- A claim takes a call's tasks only after the reply.
            stamp.has_ready_tasks := @.remove_drafts(v_call.owner_id, v_call.call_id, NULL);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
