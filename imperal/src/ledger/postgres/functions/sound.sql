-- A count or a duration as it was stored; 0 for a damaged one.
CREATE OR REPLACE FUNCTION @.sound(p_count bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN p_count BETWEEN 0 AND 253402207200999999 THEN p_count ELSE 0 END $$;
