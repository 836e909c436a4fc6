-- Stores a value under a name unless the name has one. Returns the stored one.
CREATE OR REPLACE FUNCTION @.note_fact(p_name text, p_value bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    v_value bytea;
BEGIN
    INSERT INTO @.fact AS f (name, value) VALUES (p_name, p_value) ON CONFLICT DO NOTHING;
    -- Another transaction may have written it since: its row is visible to a new statement.
    SELECT f.value INTO v_value FROM @.fact f WHERE f.name = p_name;
    RETURN v_value;
END $$;
