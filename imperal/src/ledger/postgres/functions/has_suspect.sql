-- Whether a suspect is among these tasks.
CREATE OR REPLACE FUNCTION @.has_suspect(p_tasks uuid[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM @.task t WHERE t.task_id = ANY (p_tasks) AND t.suspect)
$$;
