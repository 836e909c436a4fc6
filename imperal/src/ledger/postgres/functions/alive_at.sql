-- When a node was last known to be alive: its last renewal. The lease runs from then.
CREATE OR REPLACE FUNCTION @.alive_at(p_lease_until bigint, p_lease bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN p_lease_until BETWEEN 0 AND 253402207200999999 AND p_lease BETWEEN 0 AND 253402207200999999
        THEN least(p_lease_until - p_lease, @.micros()) ELSE @.micros()
    END
$$;
