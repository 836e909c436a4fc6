-- Since when a task that becomes stuck now has been stuck: since the first refusal, unless a step was stored after it.
CREATE OR REPLACE FUNCTION @.stuck_since(p_task_no bigint, p_now bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN d.stuck_since IS NULL OR EXISTS (
            SELECT 1 FROM @.step s WHERE s.task_no = p_task_no AND s.done_at >= d.stuck_since) THEN p_now
        ELSE d.stuck_since
    END FROM @.durable d WHERE d.task_no = p_task_no
$$;
