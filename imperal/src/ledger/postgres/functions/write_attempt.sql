-- Remembers the end of a task's latest attempt: the first 16 of a task and the latest 240 are kept. Called before its
-- durable part changes. The caller holds the task's row.
CREATE OR REPLACE FUNCTION @.write_attempt(p_task @.task, p_ended_at bigint, p_ended_by text, p_notes text)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO @.attempt (task_no, number, node_id, program, began_at, ended_at, ended_by, notes)
    SELECT p_task.task_no, p_task.attempt, p_task.node_id, d.program, coalesce(d.claimed_at, p_ended_at), p_ended_at,
        p_ended_by, p_notes
    FROM @.durable d WHERE d.task_no = p_task.task_no
    ON CONFLICT (task_no, number) DO UPDATE
    SET node_id = excluded.node_id, program = excluded.program, began_at = excluded.began_at,
        ended_at = excluded.ended_at, ended_by = excluded.ended_by, notes = excluded.notes;
    DELETE FROM @.attempt WHERE task_no = p_task.task_no AND number > 16 AND number <= @.sound(p_task.attempt) - 240;
$$;
