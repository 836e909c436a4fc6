-- Marks the unsettled work of an incarnation and ends it. p_ended_by: how attempts of its durable tasks end, 'crashed',
-- 'drained' or 'left'. p_alive_at: when its node was last known to be alive. The caller holds the node's lock exclusively, and then
-- its row FOR UPDATE.
CREATE OR REPLACE FUNCTION @.end_incarnation(p_node_id bigint, p_incarnation bigint, p_ended_by text, p_alive_at bigint)
RETURNS void LANGUAGE sql AS $$
    UPDATE @.call SET state = 'left' WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'open';
    UPDATE @.task SET abandoned = true, interrupted_at = least(greatest(created_at, p_alive_at), @.micros())
    WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'running' AND task_name IS NULL;
    SELECT @.orphan_durable(p_node_id, p_incarnation, p_ended_by, p_alive_at);
    DELETE FROM @.node_task WHERE node_id = p_node_id;
    UPDATE @.node SET lease_until = NULL WHERE node_id = p_node_id;
$$;
