-- The hash that finds a node.
CREATE OR REPLACE FUNCTION @.node_key(p_node text) RETURNS bytea LANGUAGE sql STABLE
AS $$ SELECT sha256(convert_to(p_node, 'UTF8')) $$;
