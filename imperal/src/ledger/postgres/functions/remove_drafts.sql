-- Removes the drafts of a call that has its reply or of a task that has ended; null for none. Returns whether a claim may
-- take a task of the owner, as far as the owner's own limits go.
CREATE OR REPLACE FUNCTION @.remove_drafts(p_owner_id bigint, p_call_id uuid, p_task_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_has_drafts boolean;
    v_has_ready_tasks boolean;
BEGIN
    SELECT EXISTS (SELECT FROM @.draft d WHERE d.owner_id = p_owner_id AND (d.call_id = p_call_id OR d.task_id = p_task_id)),
        EXISTS (SELECT FROM @.task t WHERE t.owner_id = p_owner_id AND t.finished_at IS NULL AND t.ready_at <= @.micros())
    INTO v_has_drafts, v_has_ready_tasks;
    IF v_has_drafts THEN DELETE FROM @.draft d WHERE d.call_id = p_call_id OR d.task_id = p_task_id; END IF;
    RETURN v_has_ready_tasks;
END $$;
