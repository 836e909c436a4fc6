-- The attempt that stored a task's last progress, and when: a step that ran to its end, or an effect that is
-- done. A message is none.
CREATE OR REPLACE FUNCTION @.last_progress(p_task_no bigint, OUT attempt bigint, OUT done_at bigint)
LANGUAGE sql STABLE AS $$
    SELECT s.attempt, s.done_at FROM @.step s WHERE s.task_no = p_task_no AND s.kind IN ('step', 'effect')
    ORDER BY s.ordinal DESC LIMIT 1
$$;
