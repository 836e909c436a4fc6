-- Removes values of steps that are no longer kept, and returns how many. Takes whole tasks until they have p_limit
-- steps. The steps' other columns go with the task.
CREATE OR REPLACE FUNCTION @.prune_values(p_limit bigint) RETURNS bigint LANGUAGE sql AS $$
    WITH due AS MATERIALIZED (
        SELECT d.task_no FROM @.durable d WHERE d.task_no IN (
            SELECT j.task_no FROM (
                SELECT o.task_no, sum(o.steps) OVER (ORDER BY o.values_until, o.task_no) - o.steps AS steps_before
                FROM (
                    SELECT i.task_no, i.values_until,
                        (SELECT count(*) FROM @.step s WHERE s.task_no = i.task_no) AS steps
                    FROM @.durable i WHERE i.values_until <= @.micros() ORDER BY i.values_until LIMIT p_limit
                ) AS o
            ) AS j WHERE j.steps_before < p_limit
        ) AND d.values_until IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED
    ), done AS (
        UPDATE @.durable d SET values_until = NULL FROM due WHERE d.task_no = due.task_no
    ), removed AS (
        UPDATE @.step s SET value = NULL FROM due WHERE s.task_no = due.task_no AND s.value IS NOT NULL RETURNING 1
    )
    SELECT count(*) FROM removed;
$$;
