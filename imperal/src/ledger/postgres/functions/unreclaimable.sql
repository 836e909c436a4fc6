-- Why a task cannot be ended on behalf of an incarnation that has ended, or while no process holds it: the code of the
-- refusal. Null if it can.
CREATE OR REPLACE FUNCTION @.unreclaimable(p_task @.task) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE v_state text := @.state_of(p_task);
BEGIN
    IF v_state = 'running' AND NOT p_task.abandoned THEN RETURN 'IM011'; END IF;
    IF v_state NOT IN ('running', 'queued', 'waiting', 'stuck') THEN RETURN 'IM008'; END IF;
    IF NOT @.is_replied(p_task.call_id) THEN RETURN 'IM004'; END IF;
    RETURN NULL;
END $$;
