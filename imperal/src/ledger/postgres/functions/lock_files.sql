-- Locks files of an owner, in one order: so two transactions that need the same files cannot wait for each other.
CREATE OR REPLACE FUNCTION @.lock_files(p_owner_id bigint, p_files uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM @.file f WHERE f.file_id = ANY (p_files) AND f.owner_id = p_owner_id
    ORDER BY f.file_id FOR NO KEY UPDATE;
END $$;
