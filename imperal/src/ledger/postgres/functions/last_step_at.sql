-- When an attempt last stored a row; null if it stored none. An answer changes the row of its question, which therefore
-- counts from when it was asked. The rows are nearly in the order of their ordinals: those that were stored at once may
-- not be, and 64 are looked at.
CREATE OR REPLACE FUNCTION @.last_step_at(p_task_no bigint, p_attempt bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT max(CASE s.kind WHEN 'question' THEN s.began_at ELSE s.done_at END) FROM (
        SELECT kind, attempt, began_at, done_at FROM @.step
        WHERE task_no = p_task_no ORDER BY ordinal DESC LIMIT 64
    ) AS s WHERE s.attempt = p_attempt
$$;
