-- Writes a turn outside of a reply or an outcome. p_node is null for a sender outside of a call or task;
-- otherwise exactly one of p_call_id and p_task_id is set, and p_attempt with the latter. p_max_stored as in
-- accept_call. p_step: a step of the attempt to store as well: ordinal, kind, name, duration, value, log.
CREATE OR REPLACE FUNCTION @.inject(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_turn_id uuid,
    p_body text, p_audit text[], p_max_stored bigint, p_attempt bigint DEFAULT NULL, p_step text[] DEFAULT NULL
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint;
    v_owner_id bigint;
    v_call @.call;
    v_task @.task;
    v_stamp @.stamp;
BEGIN
    IF p_node IS NOT NULL THEN
        v_node_id := @.fence(p_node, p_incarnation);
        v_owner_id := @.find_owner(p_tenant, p_user);
        -- FOR SHARE: the work cannot be settled between this check and the commit.
        IF p_call_id IS NOT NULL THEN
            SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id AND owner_id = v_owner_id FOR SHARE;
            IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
            IF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
                PERFORM @.refuse('IM010');
            END IF;
            IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
        ELSE
            SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id AND owner_id = v_owner_id FOR SHARE;
            IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
            PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
        END IF;
    END IF;
    v_stamp := @.write_turn(@.find_or_add_owner(p_tenant, p_user), 1, p_turn_id, p_body, p_audit);
    IF p_step IS NOT NULL THEN
        IF v_task.task_name IS NULL THEN PERFORM @.refuse('IM003'); END IF;
        INSERT INTO @.step (task_no, ordinal, attempt, kind, name, began_at, done_at, value, log)
        VALUES (v_task.task_no, p_step[1]::bigint, p_attempt, p_step[2], p_step[3], v_stamp.at - p_step[4]::bigint,
                v_stamp.at, p_step[5], p_step[6]);
    END IF;
    IF p_max_stored IS NOT NULL THEN PERFORM @.check_stored(v_stamp.owner_id, p_max_stored); END IF;
    RETURN v_stamp;
END $$;
