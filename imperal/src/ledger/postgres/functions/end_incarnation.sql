-- Marks the unsettled work of an incarnation and ends it. The caller holds the node's row FOR UPDATE.
CREATE OR REPLACE FUNCTION @.end_incarnation(p_node_id bigint, p_incarnation bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE @.call SET state = 'left' WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'open';
    UPDATE @.task SET abandoned = true WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'running';
    UPDATE @.node SET lease_until = NULL WHERE node_id = p_node_id;
$$;
