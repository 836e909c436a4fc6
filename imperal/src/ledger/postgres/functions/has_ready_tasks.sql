-- Whether a claim may take a task of the owner, as far as the owner's own limits go.
CREATE OR REPLACE FUNCTION @.has_ready_tasks(p_owner_id bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (
    SELECT EXISTS (SELECT 1 FROM @.task WHERE owner_id = p_owner_id AND finished_at IS NULL
        AND ready_at <= @.micros())
); END $$;
