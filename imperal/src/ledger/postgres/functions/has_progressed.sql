-- Whether an attempt has made progress.
CREATE OR REPLACE FUNCTION @.has_progressed(p_task_no bigint, p_attempt bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((@.last_progress(p_task_no)).attempt = p_attempt, false)
$$;
