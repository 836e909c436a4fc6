-- The microseconds between two times; 0 if one is missing or damaged.
CREATE OR REPLACE FUNCTION @.span(p_from bigint, p_to bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_from BETWEEN 0 AND p_to AND p_to <= 253402207200999999 THEN p_to - p_from ELSE 0 END
$$;
