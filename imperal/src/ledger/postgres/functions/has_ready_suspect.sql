-- Whether a suspect of these extensions and names that is in no queue is ready.
CREATE OR REPLACE FUNCTION @.has_ready_suspect(p_apps text[], p_names text[], p_now bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM unnest(p_apps, p_names) AS n (app_id, task_name)
        JOIN @.task t ON t.app_id = n.app_id AND t.task_name = n.task_name
        WHERE t.suspect AND t.queue IS NULL AND t.ready_at <= p_now)
$$;
