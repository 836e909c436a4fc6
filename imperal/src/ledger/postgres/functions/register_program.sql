-- Notes which durable tasks the incarnation's program has, instead of those that were noted before.
CREATE OR REPLACE FUNCTION @.register_program(
    p_node text, p_incarnation bigint, p_program text, p_apps text[], p_names text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint := @.fence(p_node, p_incarnation);
BEGIN
    DELETE FROM @.node_task WHERE node_id = v_node_id;
    INSERT INTO @.node_task (app_id, task_name, node_id, program)
    SELECT n.app_id, n.task_name, v_node_id, p_program FROM unnest(p_apps, p_names) AS n (app_id, task_name)
    ON CONFLICT DO NOTHING;
END $$;
