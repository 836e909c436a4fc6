-- How many effects of a task may have happened without a row that says so. Exact for a transaction that holds the
-- task's row.
CREATE OR REPLACE FUNCTION @.count_effects(p_task_no bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (
    SELECT greatest(coalesce(sum(CASE kind WHEN 'intent' THEN 1 ELSE -1 END), 0), 0)::bigint FROM @.step
    WHERE task_no = p_task_no AND kind IN ('intent', 'effect', 'not_done')
); END $$;
