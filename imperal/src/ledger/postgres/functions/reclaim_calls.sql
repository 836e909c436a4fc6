-- Replies to calls as reply does for a reclaim, in one transaction. One row for each, in their order: the code of its
-- refusal, or the stamp of its reply. Waits a second at most for another transaction: the rows of many users are locked
-- meanwhile.
CREATE OR REPLACE FUNCTION @.reclaim_calls(
    p_node text, p_incarnation bigint, p_call_ids uuid[], p_turn_ids uuid[], p_bodies text[]
) RETURNS TABLE (code text, stamp @.stamp) LANGUAGE plpgsql AS $$
DECLARE
    v_call @.call;
    v_repaired bigint[] := '{}';
BEGIN
    PERFORM @.fence(p_node, p_incarnation);
    PERFORM set_config('lock_timeout', '1s', true);
    -- All calls before all owners, both in one order: so this waits for nobody who waits for it.
    PERFORM FROM @.call c WHERE c.call_id = ANY (p_call_ids) ORDER BY c.call_no FOR NO KEY UPDATE;
    PERFORM FROM @.owner o
    WHERE o.owner_id IN (SELECT c.owner_id FROM @.call c WHERE c.call_id = ANY (p_call_ids))
    ORDER BY o.owner_key FOR NO KEY UPDATE;
    FOR v_place IN 1 .. cardinality(p_call_ids) LOOP
        SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_ids[v_place];
        code := CASE WHEN NOT FOUND THEN 'IM003' WHEN v_call.state = 'open' THEN 'IM011'
                     WHEN v_call.state = 'replied' THEN 'IM002' END;
        stamp := NULL;
        IF code IS NULL THEN
            IF v_call.owner_id <> ALL (v_repaired) THEN
                PERFORM @.repair_numbers(v_call.owner_id);
                v_repaired := v_repaired || v_call.owner_id;
            END IF;
            stamp := @.write_turn(v_call.owner_id, 1, p_turn_ids[v_place], p_bodies[v_place]);
            UPDATE @.call SET state = 'replied', reply_seq = stamp.seq WHERE call_id = v_call.call_id;
            -- A claim takes a call's tasks only after the reply.
            stamp.has_ready_tasks := @.remove_drafts(v_call.owner_id, v_call.call_id, NULL);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
