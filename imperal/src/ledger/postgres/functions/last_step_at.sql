-- When an attempt last stored a step or a message; null if it stored none. The task's last row is of its last attempt
-- that stored any.
CREATE OR REPLACE FUNCTION @.last_step_at(p_task_no bigint, p_attempt bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT done_at FROM (
        SELECT attempt, done_at FROM @.step WHERE task_no = p_task_no ORDER BY ordinal DESC LIMIT 1
    ) AS last WHERE attempt = p_attempt
$$;
