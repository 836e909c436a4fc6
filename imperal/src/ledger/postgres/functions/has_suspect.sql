-- Whether a suspect is among these tasks, whose attempts have just begun.
CREATE OR REPLACE FUNCTION @.has_suspect(p_tasks uuid[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM @.task t JOIN @.durable d ON d.task_no = t.task_no WHERE t.task_id = ANY (p_tasks) AND d.crashes >= 2)
$$;
