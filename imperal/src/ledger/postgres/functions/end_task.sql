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
    v_cancel_at bigint;
BEGIN
    IF p_task.task_name IS NOT NULL THEN v_open := @.count_effects(p_task.task_no); END IF;
    IF v_open <> p_open_effects THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM013', DETAIL = v_open::text;
    END IF;
    v_stamp := @.write_turn(p_task.owner_id, 2, p_turn_id, p_body, p_audit);
    v_cancel_at := coalesce(p_task.cancel_requested_at, CASE WHEN p_is_cancel THEN v_stamp.at END);
    UPDATE @.task SET state = p_state, finished_at = v_stamp.at, outcome_seq = v_stamp.seq, waits_for = NULL,
        ready_at = NULL, untold_since = NULL, open_questions = 0, open_effects = v_open,
        cancel_requested_at = v_cancel_at
    WHERE task_id = p_task.task_id;
    -- The same as write_task_event, without a look at the row.
    INSERT INTO @.task_event (owner_id, seq, task_id, state, percent, message, attempt, steps, open_questions,
                              open_effects, deadline_at, cancel_requested_at, finished_at, outcome_seq, interrupted_at)
    VALUES (p_task.owner_id, v_stamp.seq - 1, p_task.task_id, p_state, p_task.percent, p_task.message, p_task.attempt,
            p_task.steps, 0, v_open, p_task.deadline_at, v_cancel_at, v_stamp.at, v_stamp.seq, p_task.interrupted_at);
    IF p_task.task_name IS NOT NULL THEN
        PERFORM @.withdraw_questions(p_task, v_stamp.at);
        -- A person may want to see the values of a task that did not succeed: 7 days.
        UPDATE @.durable SET claim_id = NULL, stuck_since = NULL,
            values_until = v_stamp.at + CASE p_state WHEN 'succeeded' THEN 0 ELSE 604800000000 END
        WHERE task_no = p_task.task_no;
    END IF;
    -- The end of a running task frees a slot: of its owner, and of its queue.
    v_stamp.has_ready_tasks := @.remove_drafts(p_task.owner_id, NULL, p_task.task_id) OR p_task.queue IS NOT NULL;
    RETURN v_stamp;
END $$;
