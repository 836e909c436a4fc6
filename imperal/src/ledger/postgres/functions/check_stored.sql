-- Refuses when the owner has stored more today than the limit, this transaction included.
CREATE OR REPLACE FUNCTION @.check_stored(p_owner_id bigint, p_max_stored bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT stored FROM @.owner WHERE owner_id = p_owner_id) > p_max_stored THEN PERFORM @.refuse('IM007'); END IF;
END $$;
