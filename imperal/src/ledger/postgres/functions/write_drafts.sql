-- Appends pieces of drafts and returns the owners to notify, by the place of the piece. Skipped are pieces of work that
-- this incarnation does not hold, and pieces behind the end of their draft. FOR SHARE waits for a reply or an end that
-- is being written, which removes the drafts.
CREATE OR REPLACE FUNCTION @.write_drafts(
    p_node text, p_incarnation bigint, p_draft_ids uuid[], p_call_ids uuid[], p_task_ids uuid[], p_attempts bigint[],
    p_ats bigint[], p_ends bigint[], p_texts text[]
) RETURNS TABLE (place bigint, owner_id bigint, tenant_id text, user_id text) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_said record;
    v_owner_id bigint;
    v_draft @.draft;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR v_said IN
        SELECT u.* FROM unnest(p_draft_ids, p_call_ids, p_task_ids, p_attempts, p_ats, p_ends, p_texts)
            WITH ORDINALITY AS u (draft_id, call_id, task_id, attempt, at, ends, text, place)
        ORDER BY u.call_id, u.task_id, u.draft_id, u.at
    LOOP
        v_owner_id := NULL;
        IF v_said.call_id IS NOT NULL THEN
            SELECT c.owner_id INTO v_owner_id FROM @.call c
            WHERE c.call_id = v_said.call_id AND c.node_id = v_node_id AND c.incarnation = p_incarnation
                AND c.state <> 'replied' FOR SHARE;
        ELSE
            SELECT t.owner_id INTO v_owner_id FROM @.task t
            WHERE t.task_id = v_said.task_id AND t.attempt = v_said.attempt AND t.node_id = v_node_id
                AND t.incarnation = p_incarnation AND t.state = 'running' FOR SHARE;
        END IF;
        IF v_owner_id IS NULL THEN CONTINUE; END IF;
        SELECT * INTO v_draft FROM @.draft d WHERE d.draft_id = v_said.draft_id;
        IF NOT FOUND THEN
            IF v_said.at > 0 THEN CONTINUE; END IF;
            DELETE FROM @.draft d WHERE d.task_id = v_said.task_id AND d.attempt < v_said.attempt;
            INSERT INTO @.draft (draft_id, owner_id, node_id, call_id, task_id, attempt, ends)
            VALUES (v_said.draft_id, v_owner_id, v_node_id, v_said.call_id, v_said.task_id, v_said.attempt, 0)
            RETURNING * INTO v_draft;
        ELSIF v_draft.call_id IS DISTINCT FROM v_said.call_id OR v_draft.task_id IS DISTINCT FROM v_said.task_id
            OR v_draft.attempt <> v_said.attempt THEN
            CONTINUE;
        END IF;
        IF v_said.at > v_draft.ends THEN CONTINUE; END IF;
        IF v_said.at = v_draft.ends THEN
            INSERT INTO @.draft_piece (draft_id, at, text) VALUES (v_said.draft_id, v_said.at, v_said.text);
            UPDATE @.draft d SET ends = v_said.ends WHERE d.draft_id = v_said.draft_id;
        END IF;
        RETURN QUERY SELECT v_said.place, w.owner_id, w.tenant_id, w.user_id FROM @.owner w
            WHERE w.owner_id = v_owner_id;
    END LOOP;
END $$;
