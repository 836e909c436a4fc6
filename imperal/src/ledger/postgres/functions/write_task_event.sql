-- Stores the task as it is now, under the owner's number p_seq.
CREATE OR REPLACE FUNCTION @.write_task_event(p_task_id uuid, p_seq bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO @.task_event (owner_id, seq, task_id, state, percent, message, attempt, waits_for, ready_at, steps,
                              open_questions, open_effects, deadline_at, cancel_requested_at, finished_at, outcome_seq,
                              interrupted_at)
    SELECT owner_id, p_seq, task_id, state, percent, message, attempt,
        CASE WHEN t.state = 'queued' AND EXISTS (
            SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
        THEN 'paused' ELSE t.waits_for END,
        ready_at, steps, open_questions, open_effects, deadline_at, cancel_requested_at, finished_at, outcome_seq, interrupted_at
    FROM @.task t WHERE task_id = p_task_id;
END $$;
