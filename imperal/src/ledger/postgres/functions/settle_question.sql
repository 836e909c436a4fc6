-- Closes a question and gives its step the value that the task goes on with. The caller holds the task's row, and
-- counts the task's open questions again.
CREATE OR REPLACE FUNCTION @.settle_question(
    p_task @.task, p_question_id uuid, p_state text, p_value text, p_now bigint, p_by text DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    UPDATE @.question
    SET state = p_state, answered_by = p_by, answered_at = CASE WHEN p_by IS NOT NULL THEN p_now END
    WHERE question_id = p_question_id;
    UPDATE @.step s SET value = p_value, done_at = p_now FROM @.question q
    WHERE q.question_id = p_question_id AND s.task_no = p_task.task_no AND s.ordinal = q.ordinal;
$$;
