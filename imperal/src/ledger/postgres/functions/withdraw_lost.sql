-- Withdraws those of a task's questions that are open by their steps only, because the question was damaged or lost:
-- nobody can answer it, and the body would wait for it again and again. The caller holds the task's row.
CREATE OR REPLACE FUNCTION @.withdraw_lost(p_task @.task, p_ordinals bigint[], p_now bigint) RETURNS void
LANGUAGE sql AS $$
    UPDATE @.step s SET value = '"withdrawn"', done_at = p_now
    WHERE s.task_no = p_task.task_no AND s.ordinal = ANY (p_ordinals) AND s.kind = 'question'
        AND s.value LIKE '{"open":%' AND NOT EXISTS (
            SELECT 1 FROM @.question q WHERE q.task_id = p_task.task_id AND q.ordinal = s.ordinal AND q.state = 'open');
$$;
