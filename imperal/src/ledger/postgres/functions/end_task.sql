-- Writes a task's end with its outcome turn, its audit row and both events, and withdraws its open questions. The caller
-- holds the task's row and has checked the rules. IM013: the texts speak of p_open_effects open effects, and the task has
-- another number of them, which is the error's detail. p_is_cancel: the end is also the request to cancel the task,
-- unless there was one.
CREATE OR REPLACE FUNCTION @.end_task(
    p_task @.task, p_state text, p_turn_id uuid, p_body text, p_audit text[], p_open_effects bigint, p_is_cancel boolean
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp;
    v_open bigint := 0;
BEGIN
    IF p_task.task_name IS NOT NULL THEN v_open := @.count_effects(p_task.task_no); END IF;
    IF v_open <> p_open_effects THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM013', DETAIL = v_open::text;
    END IF;
    v_stamp := @.write_turn(p_task.owner_id, 2, p_turn_id, p_body);
    UPDATE @.task SET state = p_state, finished_at = v_stamp.at, outcome_seq = v_stamp.seq, waits_for = NULL,
        ready_at = NULL, untold_since = NULL, open_questions = 0, open_effects = v_open,
        cancel_requested_at = coalesce(cancel_requested_at, CASE WHEN p_is_cancel THEN v_stamp.at END)
    WHERE task_id = p_task.task_id;
    DELETE FROM @.draft WHERE task_id = p_task.task_id;
    IF p_task.task_name IS NOT NULL THEN
        PERFORM @.withdraw_questions(p_task, v_stamp.at);
        -- A person may want to see the values of a task that did not succeed: 7 days.
        UPDATE @.durable SET claim_id = NULL, stuck_since = NULL,
            values_until = v_stamp.at + CASE p_state WHEN 'succeeded' THEN 0 ELSE 604800000000 END
        WHERE task_no = p_task.task_no;
    END IF;
    PERFORM @.write_task_event(p_task.task_id, v_stamp.seq - 1);
    PERFORM @.write_audit(p_audit);
    -- The end of a running task frees a slot: of its owner, and of its queue.
    v_stamp.has_ready_tasks := p_task.queue IS NOT NULL OR @.has_ready_tasks(p_task.owner_id);
    RETURN v_stamp;
END $$;
