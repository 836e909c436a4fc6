-- A time plus a duration, capped at the last moment that the programs can represent.
CREATE OR REPLACE FUNCTION @.later(p_now bigint, p_by bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT least(p_now + p_by, 253402207200999999) $$;
