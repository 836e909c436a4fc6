-- Whether a suspect of these extensions and names that is in no queue is ready. One look into the index for each name: a
-- join may read every suspect.
CREATE OR REPLACE FUNCTION @.has_ready_suspect(p_apps text[], p_names text[], p_now bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM unnest(p_apps, p_names) AS n (app_id, task_name) CROSS JOIN LATERAL (
            SELECT t.ready_at FROM @.task t
            WHERE t.app_id = n.app_id AND t.task_name = n.task_name AND t.suspect AND t.queue IS NULL
                AND t.ready_at <= p_now
            ORDER BY t.ready_at LIMIT 1
        ) AS s)
$$;
