-- How many open questions a task has. Exact for a transaction that holds the task's row.
CREATE OR REPLACE FUNCTION @.count_questions(p_task_id uuid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT count(*) FROM @.question WHERE task_id = p_task_id AND state = 'open'
$$;
