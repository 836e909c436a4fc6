-- Withdraws the open questions of a task that ends. The caller holds the task's row.
CREATE OR REPLACE FUNCTION @.withdraw_questions(p_task @.task, p_now bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    WITH closed AS (
        UPDATE @.question SET state = 'withdrawn' WHERE task_id = p_task.task_id AND state = 'open' RETURNING ordinal
    )
    UPDATE @.step s SET value = '"withdrawn"', done_at = p_now FROM closed c
    WHERE s.task_no = p_task.task_no AND s.ordinal = c.ordinal;
END $$;
