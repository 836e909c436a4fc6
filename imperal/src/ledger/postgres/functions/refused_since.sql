-- When a version first refused a task since its last progress; null if none did.
CREATE OR REPLACE FUNCTION @.refused_since(p_task_no bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT d.refused_since FROM @.durable d CROSS JOIN LATERAL @.last_progress(d.task_no) AS p
    WHERE d.task_no = p_task_no AND (p.done_at IS NULL OR p.done_at < d.refused_since)
$$;
