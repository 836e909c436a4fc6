-- The advisory lock of the node with this hash. A write of the node's work holds it shared until the commit, the end of
-- its incarnation exclusively.
CREATE OR REPLACE FUNCTION @.node_lock(p_node_key bytea) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT hashtextextended('imperal node @.' || encode(p_node_key, 'hex'), 0) $$;
