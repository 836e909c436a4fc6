-- How many tasks of an owner processes hold. Exact for a transaction that holds the owner's row.
CREATE OR REPLACE FUNCTION @.running_tasks(p_owner_id bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (
    SELECT count(*) FROM @.task WHERE owner_id = p_owner_id AND state = 'running' AND finished_at IS NULL
); END $$;
