-- Locks the rows of several owners, always in the same order: so two transactions that need the same owners do not wait
-- for each other. An owner that is not known yet is added.
CREATE OR REPLACE FUNCTION @.lock_owners(p_owner_id bigint, p_audit text[], p_other_audit text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_ids bigint[] := ARRAY[
        p_owner_id, @.find_or_add_owner(p_audit[1], p_audit[2]), @.find_or_add_owner(p_other_audit[1], p_other_audit[2])];
BEGIN
    PERFORM 1 FROM @.owner WHERE owner_id = ANY (v_ids) ORDER BY owner_key FOR NO KEY UPDATE;
END $$;
