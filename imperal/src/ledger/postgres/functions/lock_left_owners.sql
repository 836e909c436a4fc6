-- Locks the rows of owners whose left work is about to be settled, repairs their numbers, and returns these owners. Without
-- p_waits it leaves out an owner whose row another transaction holds; with it, it waits, in the same order as lock_owners.
CREATE OR REPLACE FUNCTION @.lock_left_owners(p_owner_ids bigint[], p_waits boolean) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_locked bigint[];
BEGIN
    IF p_waits THEN
        SELECT array_agg(l.owner_id) INTO v_locked FROM (
            SELECT o.owner_id FROM @.owner o WHERE o.owner_id = ANY (p_owner_ids) ORDER BY o.owner_key FOR NO KEY UPDATE
        ) AS l;
    ELSE
        SELECT array_agg(l.owner_id) INTO v_locked FROM (
            SELECT o.owner_id FROM @.owner o WHERE o.owner_id = ANY (p_owner_ids) FOR NO KEY UPDATE SKIP LOCKED
        ) AS l;
    END IF;
    PERFORM @.repair_numbers(u.owner_id) FROM unnest(v_locked) AS u (owner_id);
    RETURN coalesce(v_locked, '{}');
END $$;
